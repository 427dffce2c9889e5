"""The entry point of the command `checker-smtp` and of `python -m checker_smtp`."""

from .cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
