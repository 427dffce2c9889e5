"""The command, and `python -m checker_smtp`."""

from .cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
