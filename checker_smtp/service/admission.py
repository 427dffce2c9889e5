"""Who may have which domain checked now: allowed domains, places for checks in flight, rates.

A check makes this machine talk to strangers' servers for up to a minute or two, so each costs its client
and its domain. Asked in this order, cheapest first: is the domain one of those allowed; is a place free, in
all and for this client, so that one client cannot hold them all; are the rates of the client and of the
domain kept. A check that finds no place is told so at once, and has cost nothing.

Clients are counted by address; for IPv6 by the /64 that one subscriber usually has. Rates are kept by
`limits` in this process, or in a Redis that several instances share. A store that does not answer lets
nobody in: the limits protect others, not us.
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

# seconds: about what a check of a healthy domain takes, and what a store needs to come back
_BUSY, _STORE_DOWN = 5, 10
_STORE_TIMEOUT = 2.0


class CheckRefused(Exception):  # noqa: N818 - not a fault of this program: an answer
    """A check is not run now; the message is one sentence fit for anybody to read.

    `status` is what HTTP calls it (403, 429, 503), `reason` one word for counting, `retry_after` when to come
    back, in seconds.
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
        """What HTTP says beside the status."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class Admission:
    """Lets checks in, as `settings` say. Raises `SettingError` where they cannot be understood."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._allowed = tuple(_pattern(text) for text in settings.allow_domains)
        self._places = settings.max_checks
        self._places_per_client = settings.max_checks_per_client
        self._holders: Counter[str] = Counter()
        self._rates = SlidingWindowCounterRateLimiter(_storage(settings.rate_storage))
        self._client_rates = _rates(settings.rate_client)
        self._domain_rates = _rates(settings.rate_domain)

    @property
    def checks_in_flight(self) -> int:
        """How many places are taken."""
        return self._holders.total()

    @asynccontextmanager
    async def slot(self, *, client: str, domain: str) -> AsyncIterator[None]:
        """Hold a place for one check of `domain` (a normalised host name) for the address `client`.

        Raises `CheckRefused`.
        """
        self._require_allowed(domain)
        holder = client_key(client)
        self._require_room(holder)
        self._holders[holder] += 1
        try:
            await self._charge("client", self._client_rates, holder, "your address")
            await self._charge("domain", self._domain_rates, domain, domain)
            yield
        finally:
            self._holders[holder] -= 1
            if not self._holders[holder]:
                del self._holders[holder]

    def _require_allowed(self, domain: str) -> None:
        if self._allowed and not any(_matches(domain, pattern) for pattern in self._allowed):
            raise CheckRefused(
                403,
                f"{domain} is not among the domains that this service checks",
                reason="domain-not-allowed",
            )

    def _require_room(self, holder: str) -> None:
        if self.checks_in_flight >= self._places:
            raise CheckRefused(
                503,
                "as many checks as this service can run are running: try again soon",
                _BUSY,
                reason="busy",
            )
        if self._holders[holder] >= self._places_per_client:
            raise CheckRefused(
                429,
                "as many checks as one address may have at a time are running for yours: try again soon",
                _BUSY,
                reason="client-busy",
            )

    async def _charge(self, kind: str, rates: list[RateLimitItem], key: str, whose: str) -> None:
        for rate in rates:
            try:
                async with asyncio.timeout(_STORE_TIMEOUT):
                    if await self._rates.hit(rate, kind, key):
                        continue
                    until = (await self._rates.get_window_stats(rate, kind, key)).reset_time
            except (StorageError, TimeoutError) as error:
                # not its message: that may hold what was in the URL
                _logger.warning("the rate storage does not answer (%s)", _cause(error))
                raise CheckRefused(
                    503,
                    "this service cannot look up its rate limits at the moment: try again soon",
                    _STORE_DOWN,
                    reason="no-rate-storage",
                ) from None
            raise CheckRefused(
                429,
                f"more than {rate.amount} checks per {_period(rate)} for {whose}: try again later",
                max(1, math.ceil(until - time.time())),
                reason=f"{kind}-rate",
            )


def client_key(client: str) -> str:
    """What a client is counted by: its IPv4 address, its IPv6 /64, or the text as it is."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # a scope (%eth0) is this machine's own word, no part of the address
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _pattern(text: str) -> str:
    """`example.com`, or `*.example.com` for every name below it; normalised as domains are."""
    wildcard, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        return wildcard + host_name("allow-domain", name)
    except OptionError:
        raise SettingError(
            f"{text!r} is no pattern of domains: give example.com for this one, "
            "*.example.com for all below it"
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
            f"{text!r} is no rate: give such as 30/minute, 10/minute;100/day, or none for no limit"
        ) from None


def _storage(url: str) -> Storage:
    if url == "memory://":
        return MemoryStorage()
    scheme = url.partition("://")[0]
    # the URL is not repeated: it may hold a password
    if scheme not in ("redis", "rediss"):
        raise SettingError("the rate storage is memory:// or a URL such as redis://localhost:6379")
    try:
        return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy")
    except ConfigurationError:
        raise SettingError("rates in Redis need one more package: pip install 'redis>=5.2'") from None
    except ValueError:
        raise SettingError(
            "the URL of the rate storage cannot be read: give such as redis://localhost:6379"
        ) from None


def _period(rate: RateLimitItem) -> str:
    name = rate.GRANULARITY.name
    return name if rate.multiples == 1 else f"{rate.multiples} {name}s"


def _cause(error: Exception) -> str:
    return type(error.storage_error if isinstance(error, StorageError) else error).__name__
