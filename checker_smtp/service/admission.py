"""Admission control: allowed domains, concurrent checks, and rates, for each client and each domain.

A check makes this machine talk to other people's servers for up to two minutes. The tests run in this order,
the cheapest first: the domain is allowed; a slot is free, in total and for this client, so that one client
cannot take all of them; the rates of the client and of the domain are not exceeded. A check without a free
slot is refused at once and does not count against a rate.

Clients are counted by address, IPv6 clients by the /64 that one subscriber usually has. Rates are kept by
`limits` in this process, or in a Redis that several instances share. While the store does not answer, every
check is refused: the limits protect other people's servers.
"""

import asyncio
import ipaddress
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError

from checker_smtp.probes.options import OptionError, host_name

from .settings import ServiceSettings, SettingError

__all__ = ["Admission", "CheckRefused"]

_logger = logging.getLogger("checker_smtp.admission")

# Retry-After in seconds: about as long as the check of a healthy domain, and as the restart of a store.
_RETRY_BUSY, _RETRY_STORE_DOWN = 5, 10
_STORE_TIMEOUT = 2.0


class CheckRefused(Exception):  # noqa: N818 - a normal reply, not an error of this program
    """A check that is not started now; the message is one sentence for the user.

    `status` is the HTTP status (403, 429 or 503), `reason` the label in the metrics, and `retry_after` the
    delay before another attempt, in seconds (RFC 9110 §10.2.3).
    """

    def __init__(
        self, status: int, message: str, retry_after: int | None = None, *, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        """Return the header fields of the HTTP response."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class Admission:
    """Admits checks within the limits in `settings`. Raises `SettingError` for a setting it cannot parse."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._allowed = tuple(_pattern(text) for text in settings.allow_domains)
        self._max_checks = settings.max_checks
        self._max_checks_per_client = settings.max_checks_per_client
        self._running: Counter[str] = Counter()
        self._rates = SlidingWindowCounterRateLimiter(_storage(settings.rate_storage))
        self._client_rates = _rates(settings.rate_client)
        self._domain_rates = _rates(settings.rate_domain)

    @property
    def checks_in_flight(self) -> int:
        """Return the number of checks that hold a slot."""
        return self._running.total()

    @asynccontextmanager
    async def slot(self, *, client: str, domain: str) -> AsyncIterator[None]:
        """Hold a slot for one check of `domain` (a normalised host name), requested by the address `client`.

        Raises `CheckRefused`.
        """
        self._require_allowed(domain)
        key = client_key(client)
        self._require_slot(key)
        self._running[key] += 1
        try:
            await self._count("client", self._client_rates, key, "your address")
            await self._count("domain", self._domain_rates, domain, domain)
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]

    def _require_allowed(self, domain: str) -> None:
        if self._allowed and not any(_matches(domain, pattern) for pattern in self._allowed):
            raise CheckRefused(
                403,
                f"{domain} is not one of the domains that this service checks",
                reason="domain-not-allowed",
            )

    def _require_slot(self, key: str) -> None:
        if self.checks_in_flight >= self._max_checks:
            raise CheckRefused(
                503,
                "this service is running as many checks as it can: try again soon",
                _RETRY_BUSY,
                reason="busy",
            )
        if self._running[key] >= self._max_checks_per_client:
            raise CheckRefused(
                429,
                "your address is running as many checks as one address may: try again soon",
                _RETRY_BUSY,
                reason="client-busy",
            )

    async def _count(self, kind: str, rates: list[RateLimitItem], key: str, label: str) -> None:
        for rate in rates:
            try:
                async with asyncio.timeout(_STORE_TIMEOUT):
                    if await self._rates.hit(rate, kind, key):
                        continue
                    reset_time = (await self._rates.get_window_stats(rate, kind, key)).reset_time
            except (StorageError, TimeoutError) as error:
                # without the error's message, which may contain the password in the URL
                _logger.warning("the rate storage does not answer: %s", _cause(error))
                raise CheckRefused(
                    503,
                    "this service cannot look up its rate limits at the moment: try again soon",
                    _RETRY_STORE_DOWN,
                    reason="no-rate-storage",
                ) from None
            raise CheckRefused(
                429,
                f"more than {rate.amount} checks per {_period(rate)} for {label}: try again later",
                max(1, math.ceil(reset_time - time.time())),
                reason=f"{kind}-rate",
            )


def client_key(client: str) -> str:
    """Return the key that a client is counted under: its IPv4 address, its IPv6 /64, or the text itself."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # a zone (%eth0, RFC 4007 §11) is local to this machine and no part of the address
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _pattern(text: str) -> str:
    """Normalise the pattern `example.com`, or `*.example.com` for every name below it."""
    wildcard, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        return wildcard + host_name("allow-domain", name)
    except OptionError:
        raise SettingError(
            f"{text!r} is not a domain pattern: give example.com for that domain, "
            "or *.example.com for all domains below it"
        ) from None


def _matches(domain: str, pattern: str) -> bool:
    return domain.endswith(pattern[1:]) if pattern.startswith("*.") else domain == pattern


def _rates(text: str) -> list[RateLimitItem]:
    if text == "none":
        return []
    try:
        return parse_many(text)
    except ValueError:
        raise SettingError(
            f"{text!r} is not a rate: give for example 30/minute or 10/minute;100/day, or none for no limit"
        ) from None


def _storage(url: str) -> Storage:
    if url == "memory://":
        return MemoryStorage()
    scheme = url.partition("://")[0]
    # no message repeats the URL, which may contain a password
    if scheme not in ("redis", "rediss"):
        raise SettingError(
            "the rate storage is unknown: give memory:// or a URL such as redis://localhost:6379"
        )
    try:
        return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy")
    except ConfigurationError:
        raise SettingError("rates in Redis need the package redis: pip install 'redis>=5.2'") from None
    except ValueError:
        raise SettingError(
            "the URL of the rate storage is malformed: give for example redis://localhost:6379"
        ) from None


def _period(rate: RateLimitItem) -> str:
    name = rate.GRANULARITY.name
    return name if rate.multiples == 1 else f"{rate.multiples} {name}s"


def _cause(error: Exception) -> str:
    return type(error.storage_error if isinstance(error, StorageError) else error).__name__
