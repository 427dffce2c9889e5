"""The plan tells what would be sent, in numbers that hold."""

import pytest

from checker_smtp.probes.options import OptionError
from checker_smtp.scan.domain_list import Entry
from checker_smtp.scan.dry_run import dry_run
from checker_smtp.scan.settings import ScanSettings
from tests.apps.scan.fake_internet import settings

LISTED = [Entry(f"d{n}.test") for n in range(250)] + [
    Entry("a b", "bad-name", "no"),
    Entry("c.test", "stop-list", "no"),
]

PLAN = """\
250 domains to check; 1 bad names and 1 on the stop list will only be reported.

DNS          250 questions for MX; A and AAAA of each MX host, PTR and back for each address
connections  13, if one server has all of the domains, to one for each address of each domain
             (at most 32); more where a server is out of order
at once      100, with one address 2, with one network 8, with one provider 20
pause        1.5 s between two connections to one address

each connection    EHLO probe.test; STARTTLS and EHLO again where offered; QUIT
each domain        MAIL FROM:<>; RCPT TO:<postmaster@DOMAIN>; RSET
each domain        MAIL FROM:<postmaster@probe.test>; RCPT TO:<postmaster@DOMAIN>; RSET
each server once   MAIL FROM:<postmaster@probe.test>; RCPT TO:<postmaster@example.com>; RSET
                   DATA is never sent.

time         at most 3 minutes, if each domain has a server of its own, 2.1 hours
             if one has all of them; and so long only if nobody answers before its time is over
"""


def test_the_plan() -> None:
    assert dry_run(LISTED, settings(delay=1.5)) == PLAN


def test_the_plan_follows_the_options() -> None:
    given = {"test_null_sender": False, "test_open_relay": False, "retry_deferred": 5.0}
    text = dry_run(LISTED, settings(reuse=False, given=given))
    assert "connections  250, if" in text
    assert "MAIL FROM:<>" not in text
    assert "example.com" not in text
    assert text.endswith("second visit 5 minutes later, where a server asks for one\n")


def test_the_plan_of_an_empty_list() -> None:
    assert dry_run([], settings()).startswith("0 domains to check; 0 bad names")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, 0)
            for name in (
                "concurrency",
                "per_session",
                "per_address",
                "per_network",
                "per_provider",
                "batch_size",
            )
        ),
        *((name, -1.0) for name in ("delay", "server_cache_ttl", "retry_delay")),
        *((name, float("nan")) for name in ("delay", "server_cache_ttl", "retry_delay")),
        *((name, float("inf")) for name in ("delay", "server_cache_ttl", "retry_delay")),
    ],
)
def test_settings_that_cannot_be(name: str, value: float) -> None:
    with pytest.raises(
        OptionError, match=rf"^{name} is .*: give (a number, at least 1|seconds, at least 0)$"
    ):
        ScanSettings(options=settings().options, **{name: value})  # type: ignore[arg-type]
