"""All settings of the service in one frozen object."""

from dataclasses import dataclass, field
from pathlib import Path

from checker_smtp.probes.options import Options
from checker_smtp.probes.policy import FindingPolicy

__all__ = ["ServiceSettings", "SettingError"]


_DEFAULTS = Options(domain="example.com")


class SettingError(ValueError):
    """A setting with an invalid value; the message names a valid one."""


# Days and MiB of results in memory.
_IN_MEMORY = 1 / 24, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """The settings of the service, with the defaults of `checker-smtp serve`.

    Addresses to listen on are (host, port), where "" means all addresses of this machine. Times are seconds.
    """

    listen: tuple[str, int] = ("127.0.0.1", 8080)
    metrics_listen: tuple[str, int] | None = None

    # `resolver` has the arguments of `Network`, `resolver_name` the text of the option
    resolver: tuple[str | None, int] = (None, 53)
    resolver_name: str = ""
    allow_targets: tuple[str, ...] = ()
    # an address of this machine: sessions begin there, and only in its family
    source_address: str | None = None
    backend: str = "asyncio"
    port: int = 25
    # the operator's name and mailbox, for every check whose request may not set them
    helo_name: str = _DEFAULTS.helo_name
    test_probe_address: str = _DEFAULTS.test_probe_address
    # limits of one check: the longest `timeout` of a request, and the time for the whole check
    max_timeout: float = 30.0
    check_budget: float = 110.0

    # admission; the rate "none" means no limit
    allow_domains: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    rate_client: str = "30/minute"
    rate_domain: str = "10/minute"
    rate_address: str = "20/minute"
    rate_provider: str = "60/minute"
    rate_storage: str = field(default="memory://", repr=False)
    max_checks: int = 20
    max_checks_per_client: int = 10

    # severities and accepted faults, for the page and the API: a host that uses the protocol decides itself
    policy: FindingPolicy = field(default_factory=FindingPolicy)

    # results; without `store` they are kept in memory, for an hour at most
    store: Path | None = None
    keep: float = 30.0
    keep_mib: int = 1024

    # the HTTP side; `protocol_from` are the networks (CIDR) of hosts outside of private networks
    protocol_from: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ()
    log_json: bool = False
    # a URI for people who find the checker in their log: mailto:… or https://…
    contact: str = ""

    @property
    def keep_days(self) -> float:
        """The days for which results are kept."""
        return self.keep if self.store is not None else _IN_MEMORY[0]

    @property
    def keep_octets(self) -> int:
        """The octets that all results may have."""
        return (self.keep_mib if self.store is not None else _IN_MEMORY[1]) * 1024 * 1024
