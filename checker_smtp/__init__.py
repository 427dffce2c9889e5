"""Check whether a domain can receive mail correctly.

    import anyio
    from checker_smtp import Options, check

    result = anyio.run(check, Options(domain="example.com"))
    for finding in result.findings:
        print(finding.severity, finding.code, finding.message)

The public names are those in `__all__`. Each one is imported on its first use, so `import checker_smtp` loads
no other module.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker_smtp.backends.dns.cache import SharedResolver
    from checker_smtp.backends.dns.resolver import DnsResolver, ResolverUnavailable
    from checker_smtp.backends.network import Network
    from checker_smtp.backends.recording.case import CaseError
    from checker_smtp.backends.recording.player import ReplayMismatch
    from checker_smtp.backends.recording.record_backend import Recording
    from checker_smtp.backends.tracing import TracingBackend
    from checker_smtp.probes.check import ResolverError
    from checker_smtp.probes.evidence_budget import EvidenceBudget
    from checker_smtp.probes.limits import ConnectionLimits
    from checker_smtp.probes.observation import Observation
    from checker_smtp.probes.options import OptionError, Options
    from checker_smtp.probes.ports import Backend, DnsAnswer, DnsStatus, Resolver, Runner
    from checker_smtp.probes.result import Result, evaluate
    from checker_smtp.probes.rules import Finding

    from .api import RunContext, check, check_blocking, render, replay
    from .concurrent_checks import CheckOutcome, check_many

__all__ = [
    "Backend",
    "CaseError",
    "CheckOutcome",
    "ConnectionLimits",
    "DnsAnswer",
    "DnsResolver",
    "DnsStatus",
    "EvidenceBudget",
    "Finding",
    "Network",
    "Observation",
    "OptionError",
    "Options",
    "Recording",
    "ReplayMismatch",
    "Resolver",
    "ResolverError",
    "ResolverUnavailable",
    "Result",
    "RunContext",
    "Runner",
    "SharedResolver",
    "TracingBackend",
    "__version__",
    "check",
    "check_blocking",
    "check_many",
    "evaluate",
    "render",
    "replay",
]

__version__ = "0.1.0"

_MODULES = {
    "Backend": "probes.ports",
    "CaseError": "backends.recording.case",
    "CheckOutcome": "concurrent_checks",
    "ConnectionLimits": "probes.limits",
    "DnsAnswer": "probes.ports",
    "DnsResolver": "backends.dns.resolver",
    "DnsStatus": "probes.ports",
    "EvidenceBudget": "probes.evidence_budget",
    "Finding": "probes.rules",
    "Network": "backends.network",
    "Observation": "probes.observation",
    "OptionError": "probes.options",
    "Options": "probes.options",
    "Recording": "backends.recording.record_backend",
    "ReplayMismatch": "backends.recording.player",
    "Resolver": "probes.ports",
    "ResolverError": "probes.check",
    "ResolverUnavailable": "backends.dns.resolver",
    "Result": "probes.result",
    "RunContext": "api",
    "Runner": "probes.ports",
    "SharedResolver": "backends.dns.cache",
    "TracingBackend": "backends.tracing",
    "check": "api",
    "check_blocking": "api",
    "check_many": "concurrent_checks",
    "evaluate": "probes.result",
    "render": "api",
    "replay": "api",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
