"""The rates of checks: for each client and domain, and for each address and provider of a mail server.

They are kept by `limits` in this process, or in a Redis that several instances share. While the store does
not answer, every check is refused: the limits protect other people's servers.
"""

import asyncio
import logging
import math
import time
from contextlib import suppress

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError

from .refusal import CheckRefused
from .settings import ServiceSettings, SettingError

__all__ = ["Rates"]

_logger = logging.getLogger("checker_smtp.admission")

# Retry-After in seconds: about as long as the restart of a store
_RETRY_STORE_DOWN = 10
_STORE_TIMEOUT = 2.0


class Rates:
    """Counts checks against the rates in `settings`. Raises `SettingError` for a setting it cannot parse."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(_storage(settings.rate_storage))
        self._rates = {
            "client": _parse(settings.rate_client),
            "domain": _parse(settings.rate_domain),
            "address": _parse(settings.rate_address),
            "provider": _parse(settings.rate_provider),
        }

    async def count(self, kind: str, key: str, label: str) -> None:
        """Count a check for `key` against the rates of its `kind`: client, domain, address or provider.

        `label` is the key in a message. Raises `CheckRefused`.
        """
        for rate in self._rates[kind]:
            try:
                async with asyncio.timeout(_STORE_TIMEOUT):
                    if await self._limiter.hit(rate, kind, key):
                        continue
                    reset_time = (await self._limiter.get_window_stats(rate, kind, key)).reset_time
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


def _parse(text: str) -> list[RateLimitItem]:
    if text == "none":
        return []
    rates: list[RateLimitItem] = []
    with suppress(ValueError):
        rates = parse_many(text)
    # a rate of nothing would refuse everything, with a time after which it may be tried again
    if not rates or not all(rate.amount for rate in rates):
        raise SettingError(
            f"{text!r} is not a rate: give for example 30/minute or 10/minute;100/day, or none for no limit"
        )
    return rates


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
