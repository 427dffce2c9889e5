"""The settings of a scan, beside the options of each check."""

from dataclasses import dataclass, field

from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.policy import FindingPolicy

__all__ = ["ScanSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """The settings of a scan. Raise `OptionError` for a value out of range.

    `options` apply to every check; their domain is a placeholder. Limits on simultaneous sessions:
    `concurrency` in all, `per_address`, `per_network` (a /24 or /48), and `per_provider` (the registered
    domain of the MX host). At most `per_session` domains share a session. In seconds: `delay` lies between
    two sessions with one address, `retry_delay` is the first pause after a server throttled us, and facts
    about an address are cached for `server_cache_ttl`. `batch_size` domains are resolved before they are
    grouped by server. Without `reuse` every domain gets sessions of its own. Sessions begin at
    `source_address`, an address of this machine, or at any. `policy` has the severities and the accepted
    faults of the operator.
    """

    options: Options
    concurrency: int = 100
    per_session: int = 20
    per_address: int = 2
    per_network: int = 8
    per_provider: int = 20
    delay: float = 1.0
    server_cache_ttl: float = 3600.0
    retry_delay: float = 30.0
    batch_size: int = 10_000
    reuse: bool = True
    source_address: str | None = None
    policy: FindingPolicy = field(default_factory=FindingPolicy)

    def __post_init__(self) -> None:
        for name in (
            "concurrency",
            "per_session",
            "per_address",
            "per_network",
            "per_provider",
            "batch_size",
        ):
            if getattr(self, name) < 1:
                raise OptionError(name, f"{name} is {getattr(self, name)}: give a number, at least 1")
        for name in ("delay", "server_cache_ttl", "retry_delay"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise OptionError(name, f"{name} is {getattr(self, name):g}: give seconds, at least 0")
