"""The destination of a report: standard output, or a file that is replaced completely or not at all.

click's atomic files are not used, because they replace the old file after an error as well.
"""

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from checker_smtp.report.terminal import Terminal, to_ascii

from .arguments import CommandT

__all__ = ["Output", "is_terminal", "output_option", "print_error"]


class Output:
    """A destination, checked when it is built, which is before anything is sent.

    Nothing is changed before `write`: a program that ends earlier leaves the old file. A pipe or a device is
    written to directly, a symbolic link is followed, and `-` is standard output. Raises `click.UsageError`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = None if path == Path("-") else path
        if self.path is None:
            return
        if self.path.is_dir():
            raise click.UsageError(f"{str(path)!r} is a folder: give the name of a file")
        self._is_replaced = self.path.is_file() or not self.path.exists()
        if self._is_replaced:
            temporary = _beside(self.path)
            try:
                temporary.touch(exist_ok=False)
                temporary.unlink()
            except OSError as error:
                raise click.UsageError(
                    f"{str(path)!r} cannot be written: {error.strerror}. "
                    "Give a file in a folder that exists and is writable."
                ) from None

    @property
    def terminal(self) -> Terminal:
        """Return the width, colour and encoding of a text for this destination."""
        interactive = self.path is None and is_terminal(sys.stdout)
        return Terminal(
            width=min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120) if interactive else 100,
            colour=interactive and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
            ascii_only=not (self.path or _is_utf(sys.stdout)),
        )

    def write(self, text: str) -> None:
        """Write the whole report. Raise `click.ClickException`."""
        self.write_pieces([text])

    def write_pieces(self, pieces: Iterable[str]) -> None:
        """Write a report whose pieces need not be in memory together. Raise `click.ClickException`."""
        try:
            if self.path is None:
                _to_stdout(pieces)
            elif self._is_replaced:
                _replace(self.path, pieces)
            else:
                with self.path.open("w", encoding="utf-8") as file:
                    file.writelines(pieces)
        except OSError as error:
            where = "standard output" if self.path is None else repr(str(self.path))
            raise click.ClickException(
                f"the report could not be written to {where}: {error.strerror}"
            ) from None


def output_option(text: str) -> Callable[[CommandT], CommandT]:
    """Return the option `--output` with the help `text`; its value is an `Output`."""
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=lambda _, __, path: Output(path),
        help=text,
    )


def is_terminal(stream: TextIO | None) -> bool:
    """Return True for a stream of a terminal."""
    # None stands for a stream that was closed before Python started
    return stream is not None and stream.isatty()


def print_error(message: str) -> None:
    """Print a message, which is escaped already, to standard error in the characters that it can show."""
    text = message if _is_utf(sys.stderr) else "\n".join(map(to_ascii, message.split("\n")))
    click.echo(f"checker-smtp: {text}", err=True)


def _is_utf(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "").startswith("utf")


def _beside(path: Path) -> Path:
    return path.resolve().with_name(f".checker-smtp-{secrets.token_hex(8)}")


def _replace(path: Path, pieces: Iterable[str]) -> None:
    temporary = _beside(path)
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.writelines(pieces)
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path.resolve())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _to_stdout(pieces: Iterable[str]) -> None:
    try:
        for piece in pieces:
            click.echo(piece, nl=False)
    except OSError as error:
        # the interpreter must not try to write the rest when it ends
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # a reader that closes the pipe, as `head` does, has read enough
        if not isinstance(error, BrokenPipeError):
            raise
