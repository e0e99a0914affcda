"""A run while it goes on: curves, and signs that something went wrong."""
