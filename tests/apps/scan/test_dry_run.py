"""The dry run reports what would be sent, in numbers that hold."""

import pytest

from checker_smtp.probes.options import OptionError
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.dry_run import dry_run
from checker_smtp.scan.settings import ScanSettings
from tests.apps.scan.fake_internet import listed, settings

LISTED = [
    *listed(f"d{n}.test" for n in range(250)),
    DomainScan(number=250, name="a b", not_checked="bad-name", reason="no"),
    DomainScan(number=251, name="c.test", not_checked="stop-list", reason="no"),
]

REPORT = """\
250 domains to check; 1 invalid and 1 excluded names are only reported.

DNS          250 MX queries; A and AAAA of each MX host; PTR of each address, and back
connections  13 if one server has all of the domains, up to one for each address of
             each domain (at most 32); more where a session fails
             at most 2 more for a domain at an address that closes after a refusal
             at most 1 more for each address and domain of its MX host, where own recipients
             are refused without a clear reason: RCPT TO:<postmaster@(that MX host's domain)>
at once      100: 2 with one address, 8 with one network, 20 with one provider
delay        1.5 s between two connections to one address

each connection    EHLO probe.test; STARTTLS and EHLO again where offered; QUIT
each domain        MAIL FROM:<>; RCPT TO:<postmaster@DOMAIN>; RSET
each domain        MAIL FROM:<postmaster@probe.test>; RCPT TO:<postmaster@DOMAIN>; RSET
each server once   MAIL FROM:<postmaster@probe.test>; RCPT TO:<postmaster@example.com>; RSET
                   DATA is never sent.

time         at most 3 minutes if each domain has a server of its own,
             2.1 hours if one has all of them;
             reached only if every session times out
"""


def test_the_report() -> None:
    assert dry_run(LISTED, settings(delay=1.5)) == REPORT


def test_the_report_follows_the_options() -> None:
    given = {"test_null_sender": False, "test_open_relay": False, "retry_deferred": 5.0}
    text = dry_run(LISTED, settings(reuse=False, given=given))
    assert "connections  250 if" in text
    assert "MAIL FROM:<>" not in text
    assert "example.com" not in text
    assert text.endswith("retry        5 minutes later, for deferred domains\n")


def test_the_controls_are_counted_where_own_recipients_are_asked() -> None:
    assert "at most 1 more for a domain at an address, where" in dry_run(LISTED, settings(reuse=False))
    asked_nothing = {"test_null_sender": False, "test_postmaster": False}
    text = dry_run(LISTED, settings(given=asked_nothing))
    assert "at most 1 more" not in text
    assert "at most 2 more" in text


def test_an_empty_list() -> None:
    assert dry_run([], settings()).startswith("0 domains to check; 0 invalid")


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
def test_settings_out_of_range(name: str, value: float) -> None:
    with pytest.raises(
        OptionError, match=rf"^{name} is .*: give (a number, at least 1|seconds, at least 0)$"
    ):
        ScanSettings(options=settings().options, **{name: value})  # type: ignore[arg-type]
