"""The errors in the user's input, which end a command with one sentence."""

import click

__all__ = ["user_error"]

# by name, because their modules are not loaded for every command
_NAMES = {"CaseError", "HistoryError", "OptionError", "ResolverUnavailable"}
# Characters of a message. A longer one loses its middle, which is text from outside: a sentence begins with
# the fault and ends with the remedy.
_MAX_MESSAGE = 300 - len("checker-smtp: ")


def user_error(error: BaseException) -> str | None:
    """Return the sentence for an error in the user's input, None for any other error.

    It is escaped and cut, because it may contain text from outside. For wrong usage it ends with the command
    that prints the help; only the two lines of a replay that differ are lines of their own.
    """
    if isinstance(error, click.ClickException):
        message = error.format_message().rstrip(".")
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message += f" ({error.ctx.command_path} --help has the details)"
        return _plain(message)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "ReplayMismatch" in kinds:
        return _plain(*str(error).split("\n"))
    return _plain(str(error)) if _NAMES & kinds else None


def _plain(*lines: str) -> str:
    from checker_smtp.report.visible import visible

    room = _MAX_MESSAGE // len(lines) - 1
    return "\n".join(_shorten(visible(line), room) for line in lines)


def _shorten(line: str, room: int) -> str:
    half = (room - len(" … ")) // 2
    return line if len(line) <= room else f"{line[:half]} … {line[-half:]}"
