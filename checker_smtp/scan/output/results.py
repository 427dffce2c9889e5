"""Where the result lines of a scan are: what a file and a folder of parts have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import msgspec

from checker_smtp.lines import open_lines

__all__ = ["Results", "ResultsError"]


class ResultsError(ValueError):
    """The results cannot be written or continued; the message says why and how to fix it."""


class _ObservationHead(msgspec.Struct):
    domain: str


class _LineHead(msgspec.Struct):
    """The domain of a line: in the observation, or beside `not_checked`."""

    domain: str = ""
    observation: _ObservationHead | None = None


class Results(ABC):
    """The results at `path`. Methods raise OSError, also within `os_errors_reported`."""

    exist: ClassVar[str]
    """What to do where there are results already."""
    name_another: ClassVar[str]
    """What to do where they cannot be used."""
    unit: ClassVar[str]
    """What is kept where they cannot be written any more."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def files(self) -> list[Path]:
        """Return the files of lines, in their order."""

    @abstractmethod
    def require_writable(self) -> None:
        """Fail before anything is changed if the results cannot be written."""

    @abstractmethod
    def clear(self) -> None:
        """Remove all lines."""

    @abstractmethod
    def repair(self) -> None:
        """Remove what an interrupted scan left half-written."""

    def done_domains(self) -> Iterator[str]:
        """Yield the domain of each line, in results that are whole. Raise `ResultsError`."""
        decode = msgspec.json.Decoder(_LineHead).decode
        for file in self.files():
            with self.os_errors_reported(), open_lines(file) as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        head = decode(line)
                    except (msgspec.MsgspecError, UnicodeError):
                        head = _LineHead()
                    domain = head.observation.domain if head.observation else head.domain
                    if not domain:
                        raise ResultsError(
                            f"{str(file)!r} cannot be continued: line {number} is not a line of a scan. "
                            "Remove it, or name another file."
                        )
                    yield domain

    @contextmanager
    def os_errors_reported(self) -> Iterator[None]:
        """Raise `ResultsError` for an OSError of the block."""
        try:
            yield
        except OSError as error:
            raise ResultsError(
                f"{str(self.path)!r} cannot be used: {error.strerror}. {self.name_another}"
            ) from None

    @contextmanager
    def write_errors_reported(self, file: Path) -> Iterator[None]:
        """Raise `ResultsError` for an OSError of the block, which writes `file`."""
        try:
            yield
        except OSError as error:
            raise ResultsError(
                f"{str(file)!r} cannot be written: {error.strerror}. The {self.unit} so far are kept. "
                "Free some disk space and continue with the same command and --resume."
            ) from None
