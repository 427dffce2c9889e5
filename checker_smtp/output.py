"""Where a report goes: standard output, or a file that is either the old one or the whole new one."""

import os
import tempfile
from pathlib import Path
from types import TracebackType

import click

__all__ = ["Output"]


class Output:
    """Opened before anything is sent, so that a file that cannot be written is known in time.

    On leaving without an exception the file takes its place; otherwise what was there stays.
    """

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._temporary: Path | None = None

    def __enter__(self) -> "Output":
        target = self._target
        if target is not None:
            if target.is_dir():
                raise click.UsageError(f"{str(target)!r} is a folder: give the name of a file")
            try:
                handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            except OSError as error:
                raise click.UsageError(
                    f"{str(target)!r} cannot be written ({error.strerror}): give a file in a folder "
                    "that exists"
                    " and is writable"
                ) from None
            os.close(handle)
            self._temporary = Path(name)
        return self

    def write(self, text: str) -> None:
        if self._temporary is None:
            click.echo(text, nl=False)
        else:
            self._temporary.write_text(text, encoding="utf-8")

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._temporary is None or self._target is None:
            return
        if kind is None:
            self._temporary.chmod(0o666 & ~_umask())
            self._temporary.replace(self._target)
        else:
            self._temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
