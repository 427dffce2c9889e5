"""`/collect`: a check is run, what was seen is handed over, and the TLS checker is told where to look."""

from collections.abc import Mapping

import anyio.to_thread
import msgspec

from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import RULES
from checker_smtp.probes.tls_checker import tls_targets

from .checks import Checks
from .definition import KEY
from .schemas import BodyError, CollectRequest
from .static_mx import MxSet, read_static_mx
from .truncation import encode_observation

__all__ = ["collect", "enabled_rules", "precheck", "read_options"]

_SOME_DOMAIN = "example.com"


async def collect(checks: Checks, request: CollectRequest, client: str) -> bytes:
    """The answer to `request`, as JSON.

    Raises `BodyError`, `OptionError`, and what `Checks.run` raises.
    """
    if request.key not in ("", KEY):
        raise BodyError(f"the key {request.key[:40]!r} is not collected here: ask for {KEY!r}")
    options, mx = read_options(checks, request.options or {})
    result = await checks.run(options, client=client, rules=enabled_rules(request.enabled_rules), mx=mx)
    # what a hostile server said may be large
    return await anyio.to_thread.run_sync(_answer, result)


def read_options(checks: Checks, given: Mapping[str, object]) -> tuple[Options, MxSet | None]:
    """The options of a check, and the MX set to be used in place of the published one.

    Raises `OptionError`.
    """
    options = checks.options(given)
    found = read_static_mx(given.get("service"), options.domain)
    if found is None:
        return options, None
    domain, mx = found
    return checks.options({**given, "domain": domain}), mx


def precheck(checks: Checks, given: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with options, by rule: one that cannot be used stops every rule."""
    # which domain it will be may not be known yet
    domain = given.get("domain") or _SOME_DOMAIN
    try:
        read_options(checks, {**given, "domain": domain})
    except OptionError as error:
        return dict.fromkeys(RULES, str(error))
    return {}


def enabled_rules(switches: Mapping[str, bool] | None) -> frozenset[str] | None:
    """The names of the rules that are on; None where none is off."""
    on = frozenset(name for name in RULES if (switches or {}).get(name, True))
    return None if len(on) == len(RULES) else on


def _answer(result: Result) -> bytes:
    entries = [
        {
            "type": "tls.endpoint.v1",
            "ref": target.ref,
            "payload": {
                "host": target.host,
                "port": target.port,
                "starttls": "smtp",
                "require_starttls": False,
            },
        }
        for target in tls_targets(result.observation)
    ]
    answer: dict[str, object] = {"data": msgspec.Raw(encode_observation(result.observation))}
    if entries:
        answer["entries"] = entries
    return msgspec.json.encode(answer)
