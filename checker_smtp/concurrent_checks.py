"""Check many domains concurrently, with shared connection limits and a shared DNS cache."""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.network import Network
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Rule

from .api import check_with

__all__ = ["CheckOutcome", "check_many"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """The outcome of one check of `check_many`: either `result` or `error` is set.

    `domain` is the domain as given to `check_many`. `error` is an `OptionError` for an invalid domain, a
    `ResolverError` if the resolver did not answer, or any other exception of this check.
    """

    domain: str
    result: Result | None = None
    error: Exception | None = None


@asynccontextmanager
async def check_many(
    domains: Iterable[str | Options],
    network: Network | None = None,
    *,
    resolver_name: str = "",
    limits: ConnectionLimits | None = None,
    rules: frozenset[str] | None = None,
    extra_rules: Collection[Rule] = (),
    max_checks: int = 20,
    evidence: EvidenceBudget | None = None,
) -> AsyncIterator[AsyncIterator[CheckOutcome]]:
    """Check domains concurrently; iterate over the outcomes in the order in which the checks finish:

        async with check_many(["example.com", Options(domain="example.net")]) as outcomes:
            async for outcome in outcomes:
                print(outcome.domain, outcome.error or outcome.result.status)

    `domains` may be a long or endless iterator: at most `max_checks` domains are taken from it at a time, and
    no more while nobody reads the outcomes. A domain name has the default options. All checks share `limits`
    and a DNS cache in front of the resolver of `network`, by default a `Network` with the system's resolvers;
    `resolver_name`, `rules` and `extra_rules` are those of `check`. The evidence of all checks whose outcome
    was not read yet stays within `evidence`, by default 64 MiB: each waits for 1 MiB, and takes 8 at most.

    Outcomes come in the order of completion, so that a slow domain delays no other; `CheckOutcome.domain`
    names the domain. An exception in one check is the error of its outcome and ends no other check. Leaving
    the block, by `break`, an exception or cancellation, cancels the checks that are still running. It is a
    context manager and not a generator, because an abandoned generator could not cancel them.

    Raises `ResolverUnavailable` if the system has no resolver, `ValueError` if `max_checks` is below 1, and
    any exception of `domains` itself.
    """
    if max_checks < 1:
        raise ValueError(f"max_checks is {max_checks}: give at least 1")
    network = network or Network()
    budget = evidence or EvidenceBudget()
    check_domain = partial(
        check_with,
        resolver=SharedResolver([network.resolver]),
        runner=network,
        resolver_name=resolver_name,
        limits=limits or ConnectionLimits(),
        rules=rules,
        extra_rules=extra_rules,
        find_sources=network.find_sources,
    )
    pending = iter(domains)
    sender, outcomes = anyio.create_memory_object_stream[CheckOutcome](0)

    async def work(sender: MemoryObjectSendStream[CheckOutcome]) -> None:
        async with sender:
            for domain in pending:
                part = await budget.wait_for_part()
                try:
                    await sender.send(await outcome_of(domain, part))
                finally:
                    part.close()

    async def outcome_of(domain: str | Options, part: EvidenceBudget) -> CheckOutcome:
        name = domain if isinstance(domain, str) else domain.domain
        try:
            options = Options(domain=domain) if isinstance(domain, str) else domain
            return CheckOutcome(domain=name, result=await check_domain(options, evidence=part))
        except Exception as error:  # noqa: BLE001 - no check may end the others
            return CheckOutcome(domain=name, error=error)

    failure: Exception | None = None
    try:
        async with outcomes, anyio.create_task_group() as group:
            async with sender:
                for _ in range(max_checks):
                    group.start_soon(work, sender.clone())
            yield outcomes
            group.cancel_scope.cancel()
    except ExceptionGroup as errors:
        # the task group wraps the exception of the caller's block, or the one of `domains`
        if len(errors.exceptions) > 1:
            raise
        failure = errors.exceptions[0]
    if failure is not None:
        raise failure
