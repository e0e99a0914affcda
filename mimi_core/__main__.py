"""`python -m mimi_core`."""

from mimi_core.cli.main import main

if __name__ == "__main__":
    main()
