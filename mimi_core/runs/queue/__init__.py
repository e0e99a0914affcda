"""The dispatcher and its slots."""
