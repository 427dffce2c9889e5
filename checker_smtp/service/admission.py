"""Admission control: allowed domains, concurrent checks, and rates, for each client and each domain.

A check makes this machine talk to other people's servers for up to two minutes. The tests run in this order,
the cheapest first: the budget of evidence has room; the domain is allowed; a slot is free, in total and for
this client; the rates of the client and of the domain are not exceeded. A check without a free slot is
refused at once and does not count against a rate. After the DNS lookups, and before the first connection, the
rates of the servers are counted: by address, and by the registered domain of the MX hosts, because anyone may
point names at a server.

A visitor gets at most a quarter of the slots. A host that uses happyDomain's protocol checks for many people
and was admitted by the operator, so it has neither this limit nor the rates of servers.

The evaluation of a document counts as a check of its client, with slots apart: checks wait for servers, and
documents need the processor.

Checks and documents share one budget of evidence (`probes.evidence_budget`), from the first lookup to the end
of the response. Where it is used up new ones are refused: memory does not grow with what servers send.

Clients are counted by address, IPv6 clients by the /48 that one site usually has.
"""

import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from checker_smtp.probes.evidence_budget import CHECK_LIMIT, CHECK_RESERVE, EvidenceBudget
from checker_smtp.probes.observation import Endpoint
from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.probes.registered_domain import provider_of

from .rates import Rates
from .refusal import CheckRefused
from .settings import ServiceSettings, SettingError

__all__ = ["Admission", "client_key"]

# Retry-After in seconds: about as long as the check of a healthy domain
_RETRY_BUSY = 5
# the part of all slots that one visitor may hold
_VISITOR_SHARE = 4


class Admission:
    """Admits checks within the limits in `settings`. Raises `SettingError` for a setting it cannot parse."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._allowed = tuple(_pattern(text) for text in settings.allow_domains)
        self._max_checks = settings.max_checks
        self._max_checks_per_host = settings.max_checks_per_client
        self._max_checks_per_visitor = min(
            settings.max_checks_per_client, max(1, settings.max_checks // _VISITOR_SHARE)
        )
        self._running: Counter[str] = Counter()
        self._documents: Counter[str] = Counter()
        self._rates = Rates(settings)
        self.evidence = EvidenceBudget()

    @property
    def checks_in_flight(self) -> int:
        """Return the number of checks that hold a slot."""
        return self._running.total()

    @asynccontextmanager
    async def slot(self, *, client: str, domain: str, is_host: bool = False) -> AsyncIterator[None]:
        """Hold a slot for one check of `domain` (a normalised host name), requested by the address `client`.

        `is_host` is true for a host that uses the protocol. Raises `CheckRefused`.
        """
        self._require_allowed(domain)
        key = client_key(client)
        max_checks = self._max_checks_per_host if is_host else self._max_checks_per_visitor
        with self._slot(self._running, key, max_checks):
            await self._rates.count("client", key, "your address")
            await self._rates.count("domain", domain, domain)
            yield

    @asynccontextmanager
    async def document(self, *, client: str, octets: int) -> AsyncIterator[None]:
        """Hold a slot for the evaluation of a document from the host `client`. Raises `CheckRefused`."""
        key = client_key(client)
        with (
            self._slot(self._documents, key, self._max_checks_per_host),
            self.evidence_part(octets, octets),
        ):
            await self._rates.count("client", key, "your address")
            yield

    @contextmanager
    def evidence_part(
        self, limit: int = CHECK_LIMIT, reserve: int = CHECK_RESERVE
    ) -> Iterator[EvidenceBudget]:
        """Hold a part of the budget of evidence, in octets. Raises `CheckRefused`."""
        part = self.evidence.part(limit, reserve)
        if part is None:
            raise CheckRefused(
                503,
                "this service holds as much evidence of other checks as it can: try again soon",
                _RETRY_BUSY,
                reason="evidence",
            )
        try:
            yield part
        finally:
            part.close()

    async def count_visits(self, endpoints: Iterable[Endpoint]) -> None:
        """Count a visit to each of the servers that a check is about to connect to. Raises `CheckRefused`."""
        endpoints = list(endpoints)
        for provider in dict.fromkeys(provider_of(name) for e in endpoints for name in e.targets):
            await self._rates.count("provider", provider, f"the mail servers of {provider}")
        for endpoint in endpoints:
            await self._rates.count("address", endpoint.address, f"the mail server {endpoint.address}")

    def _require_allowed(self, domain: str) -> None:
        if self._allowed and not any(_matches(domain, pattern) for pattern in self._allowed):
            raise CheckRefused(
                403,
                f"{domain} is not one of the domains that this service checks",
                reason="domain-not-allowed",
            )

    @contextmanager
    def _slot(self, running: Counter[str], key: str, max_checks: int) -> Iterator[None]:
        """Hold one of the slots in `running`, of which this client may hold `max_checks`."""
        if running.total() >= self._max_checks:
            raise CheckRefused(
                503,
                "this service is running as many checks as it can: try again soon",
                _RETRY_BUSY,
                reason="busy",
            )
        if running[key] >= max_checks:
            raise CheckRefused(
                429,
                "your address is running as many checks as one address may: try again soon",
                _RETRY_BUSY,
                reason="client-busy",
            )
        running[key] += 1
        try:
            yield
        finally:
            running[key] -= 1
            if not running[key]:
                del running[key]


def client_key(client: str) -> str:
    """Return the key that a client is counted under: its IPv4 address, its IPv6 /48, or the text itself."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # a zone (%eth0, RFC 4007 §11) is local to this machine and no part of the address
    return str(ipaddress.ip_network((int(address), 48), strict=False))


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
