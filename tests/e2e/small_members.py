"""The command line of checker-smtp with compressed members of a few lines: a short scan has many of them."""

from checker_smtp import lines
from checker_smtp.__main__ import main

if __name__ == "__main__":
    lines._MEMBER = 20_000
    main()
