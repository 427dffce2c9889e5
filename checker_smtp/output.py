"""The destination of a report: standard output, or a file that is replaced completely or not at all."""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click

__all__ = ["Output"]


class Output:
    """A destination, checked when it is built, which is before anything is sent.

    Nothing is changed before `write`: a program that ends earlier leaves the old file. A pipe or a device is
    written to directly, a symbolic link is followed, and `-` is standard output. Raises `click.UsageError`.
    """

    def __init__(self, target: Path | None) -> None:
        if target == Path("-"):
            target = None
        special = target is not None and target.exists() and not target.is_file()
        self._target = target if special or target is None else target.resolve()
        self._replaced = target is not None and not special
        if target is not None and target.is_dir():
            raise click.UsageError(f"{str(target)!r} is a folder: give the name of a file")
        if self._target is not None and self._replaced:
            try:
                self._beside(self._target).unlink()
            except OSError as error:
                raise click.UsageError(
                    f"{str(target)!r} cannot be written: {error.strerror}. "
                    "Give a file in a folder that exists and is writable."
                ) from None

    @property
    def to_file(self) -> bool:
        return self._target is not None

    def write(self, text: str) -> None:
        """Write the whole report. Raise `click.ClickException`."""
        try:
            if self._target is None:
                _to_stdout(text)
            elif self._replaced:
                self._replace(self._target, text)
            else:
                self._target.write_text(text, encoding="utf-8")
        except OSError as error:
            where = "standard output" if self._target is None else repr(str(self._target))
            raise click.ClickException(
                f"the report could not be written to {where}: {error.strerror}"
            ) from None

    def _replace(self, target: Path, text: str) -> None:
        temporary = self._beside(target)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @staticmethod
    def _beside(target: Path) -> Path:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:200]}.", dir=target.parent)
        os.close(handle)
        return Path(name)


def _to_stdout(text: str) -> None:
    try:
        click.echo(text, nl=False)
    except OSError as error:
        # the interpreter must not try to write the rest when it ends
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # a reader that closes the pipe, as `head` does, has read enough
        if not isinstance(error, BrokenPipeError):
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
