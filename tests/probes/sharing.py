"""Five domains at one address, probed together and alone."""

from dataclasses import dataclass, replace

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.rules import apply_rules
from checker_smtp.testing import RuleServer
from tests.probes.fuzzing import result_of
from tests.probes.observations import observation
from tests.probes.sessions import endpoint_of, probe_endpoint
from tests.probes.world import options

ADDRESS, NAME, SEED = "192.0.2.7", "mx.example.org", 7
NAMES = ("alfa.test", "bravo.test", "charlie.test", "delta.test", "echo.test")
CHECKS = [options(name) for name in NAMES]
RELAY = "RCPT TO:<postmaster@example.com>"
MIXED = {"postmaster@bravo.test": "550 5.1.1 no such user", "postmaster@delta.test": "450 4.2.0 greylisted"}


@dataclass
class Shared:
    """A probe of many domains, and the sessions of each."""

    probe: EndpointProbe
    sessions: dict[str, tuple[Session, ...]]


def shared(host: RuleServer, checks: list[Options] = CHECKS, most: int = 10) -> Shared:
    """Probe the domains of all checks together."""
    probe = EndpointProbe(host, checks[0], ADDRESS, NAME, SEED, max_domains=most)
    return Shared(probe, result_of(probe.run(checks)))


def alone(host: RuleServer, check: Options) -> tuple[Session, ...]:
    """Probe one domain, at a server of its own."""
    return result_of(probe_endpoint(check, replace(host, received=[]), ADDRESS, NAME, SEED))


def verdicts(sessions: tuple[Session, ...]) -> list[tuple[str, ...]]:
    """Return the findings without the positions of their evidence."""
    found = apply_rules(observation(endpoint_of(sessions)))
    return [(f.code, f.severity, f.outcome, f.subject, f.message) for f in found]


def check_sessions(check: Options, sessions: tuple[Session, ...], others: list[Options]) -> None:
    """Require what holds of every session, at any server."""
    assert sessions
    for session in sessions:
        for reply in session.replies:
            got = str(session.transcript[reply.entry]["got"])
            assert reply.raw in got or reply.raw.endswith(got)
        if session.end is not None:
            assert session.end.entry == max(len(session.transcript) - 1, 0)
        text = repr(session).replace(check.probe_address, "")
        for other in others:
            if other.domain != check.domain:
                assert f"postmaster@{other.domain}" not in text
    purposes = [session.purpose for session in sessions]
    assert purposes.count("continued") <= 2
    purposes = [purpose for purpose in purposes if purpose != "continued"]
    assert len(set(purposes)) == len(purposes)
