"""One domain on its way from the list to its line."""

from dataclasses import dataclass, field

from probes.check import Prospect
from probes.observation import Session
from probes.options import Options

__all__ = ["Domain"]


@dataclass(slots=True, eq=False)
class Domain:
    """A domain that was looked up; `sessions` fills with what its addresses gave, until none is `open`.

    `number` is its place in the list, `began` when it was looked up (seconds, the loop's clock).
    """

    number: int
    prospect: Prospect
    run_at: str
    began: float
    open: int = 0
    sessions: dict[str, tuple[Session, ...]] = field(default_factory=dict)

    @property
    def options(self) -> Options:
        return self.prospect.options

    @property
    def name(self) -> str:
        return self.prospect.options.domain
