"""The command line.

main            the group of all commands, exit codes and errors
commands/       one file a command; a new one is found by its presence
arguments       options of several commands, and the option of a field of a dataclass
check_options   the options of a check
output          the destination of a report, report: the report itself
"""
