"""Parts of the command line; `mimi_core.__main__` puts them together."""
