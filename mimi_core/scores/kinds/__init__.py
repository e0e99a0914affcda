"""One module for each score. It declares `SCORE`, and imports torch only for types or inside functions."""
