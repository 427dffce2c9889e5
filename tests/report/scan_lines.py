"""Lines as a scan writes them, from results built by hand."""

import json
from dataclasses import replace

from checker_smtp.probes.observation import Endpoint, MxTarget, Observation, Session
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding
from checker_smtp.report.document import dump
from checker_smtp.report.summary.tally import Tally
from tests.report.results import endpoint, observation, reply, result, session

__all__ = ["checked", "line", "no_address", "not_checked", "speaking", "tallied"]


def line(of_check: Result, **more: object) -> bytes:
    """A check's document in one line; `more` are further members of it."""
    return json.dumps({**json.loads(dump(of_check)), **more}).encode() + b"\n"


def not_checked(domain: str, why: str = "bad-name", reason: str = "It is no name.") -> bytes:
    document = {"version": 1, "domain": domain, "not_checked": why, "reason": reason}
    return json.dumps(document).encode() + b"\n"


def checked(
    domain: str,
    *findings: Finding,
    status: str = "ok",
    endpoints: tuple[Endpoint, ...] = (),
    targets: tuple[str, ...] = (),
    **other: object,
) -> bytes:
    """The line of a domain; `targets` are its MX names, `other` further fields of its observation."""
    seen = replace(observation(*endpoints), domain=domain)
    if targets:
        seen = _served_by(seen, *targets)
    return line(result(replace(seen, **other), findings, status))  # type: ignore[arg-type]


def _served_by(seen: Observation, *targets: str) -> Observation:
    (first,) = seen.mx.records
    records = tuple(replace(first, target=target) for target in targets)
    return replace(seen, mx=replace(seen.mx, records=records))


def no_address(target: str) -> MxTarget:
    return MxTarget(preference=10, target=target, ipv4_status=DnsStatus.NODATA, ipv6_status=DnsStatus.NODATA)


def speaking(
    greeting: str, *, tls: str = "TLSv1.3", after: float = 0.02, address: str = "192.0.2.1"
) -> Endpoint:
    """Return an endpoint that sends `greeting` `after` seconds."""
    held: Session = session(tls=tls)
    return endpoint(address, replace(held, greeting=reply(220, greeting, 0.01 + after, 1)))


def tallied(*lines: bytes) -> Tally:
    tally = Tally()
    for one in lines:
        tally.add(one)
    return tally
