"""The command line.

main            the group of all commands, exit codes and errors
commands/       one file a command; a new one is found by its presence
configured      a command whose options come from the environment and from a file as well
configuration   that file, option_names: its keys and the variables
arguments       options of several commands, and the option of a field of a dataclass
check_options   the options of a check
output          the destination of a report, report: the report itself
"""
