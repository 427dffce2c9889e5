"""The command line: `main` is the group of all commands, and each module of `commands` is one of them."""
