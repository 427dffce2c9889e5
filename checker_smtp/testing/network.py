"""A resolver and a runner as one backend, which is what a check is given."""

from typing import TypeVar

from checker_smtp.probes.ports import DnsAnswer, Resolver, Runner
from smtp_sansio import Script

__all__ = ["FakeNetwork"]

_T = TypeVar("_T")


class FakeNetwork:
    """A backend of `resolver` and `runner`. One that is None must not be used: it raises `AssertionError`.

    >>> from checker_smtp.testing import FakeResolver, RuleServer
    >>> network = FakeNetwork(FakeResolver("example.test MX 0 ."), RuleServer())
    """

    def __init__(self, resolver: Resolver | None = None, runner: Runner | None = None) -> None:
        self.resolver = resolver
        self.runner = runner

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Let the resolver answer."""
        if self.resolver is None:
            raise AssertionError(f"{name} {rdtype} was queried: no DNS query was expected")
        return await self.resolver.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[_T]) -> _T:
        """Let the runner run `script`."""
        if self.runner is None:
            script.close()
            raise AssertionError(f"{script} was run: no connection was expected")
        return await self.runner.run(script)
