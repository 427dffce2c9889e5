"""Everything the service can be told, in one frozen object."""

from dataclasses import dataclass, field

__all__ = ["ServiceSettings", "SettingError"]


class SettingError(ValueError):
    """A setting has a value it cannot have; the message says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How the service runs; the defaults are those of `checker-smtp serve`.

    Addresses to listen on are (host, port), where "" is every address of this machine. Times are seconds.
    """

    listen: tuple[str, int] = ("127.0.0.1", 8080)
    metrics_listen: tuple[str, int] | None = None

    # the network: `resolver` are the arguments of `Network`, `resolver_name` is what was given for it
    resolver: tuple[str | None, int] = (None, 53)
    resolver_name: str = ""
    allow_targets: tuple[str, ...] = ()
    backend: str = "asyncio"
    port: int = 25
    # bounds of one check: what a request may ask for as `timeout`, and what all of it may take
    max_timeout: float = 30.0
    check_budget: float = 110.0

    # who may have what checked, and how often ("none" is no limit)
    allow_domains: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    rate_client: str = "30/minute"
    rate_domain: str = "10/minute"
    rate_storage: str = field(default="memory://", repr=False)
    max_checks: int = 20
    max_checks_per_client: int = 10

    # the HTTP side
    trusted_proxies: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ()
    log_json: bool = False
