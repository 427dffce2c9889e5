"""Documents as large as `serve` takes them: 5,500 endpoints, and everything that a check may have."""

import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from benchmarks.figures import Requirement
from benchmarks.hostile.service import Answer, Service, running_service
from checker_smtp.probes.check import MAX_ENDPOINTS
from checker_smtp.probes.dns import MAX_TARGETS
from checker_smtp.probes.tls_checker import MAX_ISSUES

__all__ = ["run"]

_MOST_SECONDS = 0.3
_ROUNDS = 5


def run() -> Iterator[Requirement]:
    """Yield the requirements on the processor time of a document, and on a small one beside it."""
    with running_service() as service:
        yield _refused(service, _with_endpoints(5500))
        whole = _whole()
        for name, post in (("report", service.report), ("evaluate", service.evaluate)):
            yield _cost(service, name, post, whole)
        yield _beside(service, whole)


def _refused(service: Service, observation: object) -> Requirement:
    before = service.processor
    answer = service.report(observation)
    seconds = service.processor - before
    return Requirement(
        f"seconds of CPU for 5,500 endpoints in one document, at most {_MOST_SECONDS:g}",
        f"{seconds:.2f} (status {answer.status})",
        seconds <= _MOST_SECONDS and answer.status == 400,
    )


def _cost(service: Service, name: str, post: Callable[[object], Answer], observation: object) -> Requirement:
    # the first request loads the templates
    post(observation)
    before = service.processor
    statuses = {post(observation).status for _ in range(_ROUNDS)}
    seconds = (service.processor - before) / _ROUNDS
    return Requirement(
        f"seconds of CPU for /{name} of a document at its bounds, at most {_MOST_SECONDS:g}",
        f"{seconds:.2f} (status {statuses})",
        seconds <= _MOST_SECONDS and statuses == {200},
    )


def _beside(service: Service, whole: object) -> Requirement:
    small = _with_endpoints(1)
    alone = min(service.report(small).seconds for _ in range(_ROUNDS))
    first = 0
    slowest = 0.0
    for _ in range(_ROUNDS):
        ended: list[float] = []
        large = threading.Thread(target=lambda ended=ended: ended.append(service.report(whole).seconds))
        large.start()
        answer = service.report(small)
        first += not ended
        slowest = max(slowest, answer.seconds)
        large.join()
    return Requirement(
        f"small documents of {_ROUNDS} that are answered before the large one beside them",
        f"{first} (the slowest after {slowest:.2f} s; alone {alone:.2f} s)",
        first == _ROUNDS,
    )


def _with_endpoints(number: int) -> dict[str, Any]:
    """Return an observation with `number` endpoints at one address, each with a fault."""
    end = {"step": "", "kind": "reset", "detail": "", "at": 0, "entry": 0}
    endpoint = {
        "address": "192.0.2.1",
        "port": 25,
        "targets": ["mx.test"],
        "reverse": None,
        "sessions": [{"purpose": "main", "connected_at": 0, "end": end}],
    }
    settings = {"timeout": 12, "helo_name": "a.test", "sender": "p@a.test", "probe_address": "p@b.test"}
    tests = dict.fromkeys(("test_null_sender", "test_postmaster", "test_open_relay", "ipv4", "ipv6"), True)
    return {
        "domain": "a.test",
        "run_at": "2026-11-28T12:00:00Z",
        "settings": {**settings, **tests, "port": 25},
        "mx": {"status": "answer", "records": [{"preference": 10, "target": "mx.test"}]},
        "coverage": {"ipv4": {}, "ipv6": {}},
        "dns": [{"name": "a.test", "rdtype": "MX", "status": "answer"}],
        "endpoints": [endpoint] * number,
    }


def _whole() -> dict[str, Any]:
    """Return an observation with as much as a check may have of what costs most."""
    seen = _with_endpoints(1)
    names = [f"m{number}.test" for number in range(MAX_TARGETS)]
    reply = {"code": 550, "text": "5.1.1 no", "raw": "550 5.1.1 no\r\n", "at": 0.1, "entry": 3}
    asked = {"sender": "p@a.test", "recipient": "postmaster@a.test", "mail": reply, "rcpt": reply}
    purposes = ("null-sender", "postmaster", "relay", "relay-control", "served-control")
    session = {
        **seen["endpoints"][0]["sessions"][0],
        "greeting": {**reply, "code": 220},
        "ehlo": {**reply, "code": 250},
        "transactions": [{**asked, "purpose": purpose} for purpose in purposes],
    }
    reverse = {"status": "answer", "names": names[:10], "unsettled": names[:10]}
    endpoint = {**seen["endpoints"][0], "targets": names, "reverse": reverse, "sessions": [session] * 4}
    seen["endpoints"] = [{**deepcopy(endpoint), "address": f"192.0.2.{n}"} for n in range(MAX_ENDPOINTS)]
    private = [[f"10.0.0.{number}", "private"] for number in range(50)]
    addresses = [address for address, _ in private]
    seen["mx"]["records"] = [
        {"preference": 10, "target": name, "ipv4": addresses, "not_public": private} for name in names
    ]
    seen["dns"] = [{"name": names[n % 50], "rdtype": "A", "status": "servfail"} for n in range(2000)]
    issues = [{"code": f"issue{n}", "severity": "warn", "message": "m"} for n in range(MAX_ISSUES // 50)]
    seen["tls_probes"] = [{"endpoint": f"{name}:25", "issues": issues} for name in names]
    return seen
