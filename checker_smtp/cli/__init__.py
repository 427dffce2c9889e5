"""The command line: one file a command in `commands`, and what they share."""
