"""Can this domain receive mail correctly?

    import anyio
    from checker_smtp import Options, check

    result = anyio.run(check, Options(domain="example.com"))
    for finding in result.findings:
        print(finding.severity, finding.code, finding.message)

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker_smtp.probes.check import ResolverError
    from checker_smtp.probes.limits import ConnectionLimits
    from checker_smtp.probes.options import OptionError, Options
    from checker_smtp.probes.result import Result

    from .api import RunContext, check, replay

__all__ = [
    "ConnectionLimits",
    "OptionError",
    "Options",
    "ResolverError",
    "Result",
    "RunContext",
    "__version__",
    "check",
    "replay",
]

__version__ = "0.1.0"

_HOMES = {
    "ConnectionLimits": "checker_smtp.probes.limits",
    "RunContext": "checker_smtp.api",
    "OptionError": "checker_smtp.probes.options",
    "Options": "checker_smtp.probes.options",
    "ResolverError": "checker_smtp.probes.check",
    "Result": "checker_smtp.probes.result",
    "check": "checker_smtp.api",
    "replay": "checker_smtp.api",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
