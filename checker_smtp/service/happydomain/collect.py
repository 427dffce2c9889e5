"""`/collect`: run a check, return its observation, and list the endpoints for the TLS checker."""

from collections.abc import Mapping

import anyio.to_thread
import msgspec

from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import RULES
from checker_smtp.probes.tls_checker import tls_targets
from checker_smtp.service.checks import Checks

from .definition import KEY
from .schemas import BodyError, CollectRequest
from .static_mx import MxSet, StaticMxBackend, read_static_mx
from .truncation import encode_observation

__all__ = ["collect", "enabled_rules", "precheck", "read_options"]

_EXAMPLE_DOMAIN = "example.com"


async def collect(checks: Checks, request: CollectRequest, client: str) -> bytes:
    """Run the check in `request` and return the response as JSON.

    Raises `BodyError`, `OptionError`, and what `Checks.run` raises.
    """
    if request.key not in ("", KEY):
        raise BodyError(f"the key {request.key[:40]!r} is not collected here: ask for {KEY!r}")
    options, mx = read_options(checks, request.options or {})
    backend = None if mx is None else StaticMxBackend(checks.network(options), options.domain, mx)
    rules = enabled_rules(request.enabled_rules)
    with checks.hold_evidence() as evidence:
        result = await checks.run(
            options, client=client, evidence=evidence, is_host=True, rules=rules, backend=backend
        )
        # in a thread, because the replies of a hostile server may be large
        return await anyio.to_thread.run_sync(_encode_response, result)


def read_options(checks: Checks, given: Mapping[str, object]) -> tuple[Options, MxSet | None]:
    """Return the options of a check, and the MX set to use in place of the published one, if any.

    Raises `OptionError`.
    """
    options = checks.options(given)
    static_mx = read_static_mx(given.get("service"), options.domain)
    if static_mx is None:
        return options, None
    domain, mx = static_mx
    return checks.options({**given, "domain": domain}), mx


def precheck(checks: Checks, given: Mapping[str, object]) -> dict[str, str]:
    """Return the error in the options for each rule; an invalid option stops every rule."""
    # the host may ask before it knows the domain
    domain = given.get("domain") or _EXAMPLE_DOMAIN
    try:
        read_options(checks, {**given, "domain": domain})
    except OptionError as error:
        return dict.fromkeys(RULES, str(error))
    return {}


def enabled_rules(switches: Mapping[str, bool] | None) -> frozenset[str] | None:
    """Return the names of the enabled rules, None for all of them."""
    enabled = frozenset(name for name in RULES if (switches or {}).get(name, True))
    return None if len(enabled) == len(RULES) else enabled


def _encode_response(result: Result) -> bytes:
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
    response: dict[str, object] = {"data": msgspec.Raw(encode_observation(result.observation))}
    if entries:
        response["entries"] = entries
    return msgspec.json.encode(response)
