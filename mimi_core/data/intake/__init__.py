"""Data before it is used: previews, checks, and zips from a browser."""
