"""The files of a run folder: one module a kind, that writes it, and reads it with distrust."""
