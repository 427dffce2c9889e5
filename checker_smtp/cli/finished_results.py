"""The results of a command's checks until all of them are reported: a few in memory, the others on disk."""

import tempfile
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, overload

import click

if TYPE_CHECKING:
    from checker_smtp.probes.evidence_budget import EvidenceBudget
    from checker_smtp.probes.result import Result

__all__ = ["FinishedResults"]


class FinishedResults(Sequence["Result"]):
    """The results so far, in the order of `domains`; an entry on disk is read each time it is asked for.

    Results stay in memory while their evidence has `max_octets` together. The file has no name and disappears
    with the process.
    """

    def __init__(self, domains: Sequence[str], max_octets: int) -> None:
        self._places = {domain: number for number, domain in enumerate(domains)}
        self._room = max_octets
        self._entries: dict[int, Result | tuple[int, int]] = {}
        self._file: BinaryIO | None = None

    def put(self, result: "Result", evidence: "EvidenceBudget") -> None:
        """Keep a result, and close its part of a budget if it is not in memory any more.

        Raise `click.ClickException` where no room is left for temporary files.
        """
        place = self._places[result.observation.domain]
        if evidence.in_use <= self._room:
            self._room -= evidence.in_use
            evidence.settle(0)
            self._entries[place] = result
            return
        try:
            self._entries[place] = self._write(result)
        except OSError as error:
            raise click.ClickException(
                f"no room for temporary files: {error.strerror}. Free some disk space, or set TMPDIR to "
                "another disk."
            ) from None
        evidence.close()

    def close(self) -> None:
        """Delete the temporary file."""
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> "Result": ...

    @overload
    def __getitem__(self, index: slice) -> "tuple[Result, ...]": ...

    def __getitem__(self, index: int | slice) -> "Result | tuple[Result, ...]":
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        entry = self._entries[sorted(self._entries)[index]]
        return self._read(*entry) if isinstance(entry, tuple) else entry

    def _write(self, result: "Result") -> tuple[int, int]:
        from checker_smtp.report.document import dump_line

        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="checker-smtp-")  # noqa: SIM115 - closed by `close`
        packed = zlib.compress(dump_line(result), 1)
        start = self._file.seek(0, 2)
        self._file.write(packed)
        self._file.flush()
        return start, len(packed)

    def _read(self, start: int, length: int) -> "Result":
        from checker_smtp.report.document import load

        assert self._file is not None  # noqa: S101 - an entry on disk was written there
        self._file.seek(start)
        return load(zlib.decompress(self._file.read(length)))
