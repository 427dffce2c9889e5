"""The threat model agrees with the program: its figures are those of the code, and its tests exist."""

import base64
import re
from inspect import signature
from pathlib import Path

import pytest

from checker_smtp.probes.check import MAX_ENDPOINTS
from checker_smtp.probes.dns import MAX_PTR_NAMES, MAX_TARGETS
from checker_smtp.probes.evidence_budget import CHECK_LIMIT, PROCESS_LIMIT
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.options import Options
from checker_smtp.probes.rules import mx_sanity
from checker_smtp.probes.tls_checker import MAX_ISSUES
from checker_smtp.report import bounds
from checker_smtp.service import checks
from checker_smtp.service.admission import client_key
from checker_smtp.service.http import request_limits, timeouts
from checker_smtp.service.http.open_connections import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_CLIENT
from checker_smtp.service.http.request_head import MAX_HEAD
from checker_smtp.service.running_checks import RunningCheck
from checker_smtp.service.settings import ServiceSettings
from smtp_sansio import Policy, Transcript

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
KIB, MIB = 1024, 1024 * 1024

POLICY, SERVICE = Policy(), ServiceSettings()
CONNECTIONS = {name: one.default for name, one in signature(ConnectionLimits).parameters.items()}


def minute(rate: str) -> int:
    """Return the number of a rate for each minute."""
    number, period = rate.split("/")
    assert period == "minute"
    return int(number)


NETWORK = client_key("2001:db8::1").removeprefix("2001:db8::")
# one for each paragraph; its lines end anywhere in the text
WRITTEN = f"""
{POLICY.max_line // KIB} KiB a line, {POLICY.max_reply_lines} lines and {POLICY.max_reply // KIB} KiB a reply,
{POLICY.max_session // MIB} MiB a session, {POLICY.max_unsolicited} unsolicited replies

after {Transcript.MAX_READS} reads in a row

a megabyte from each of {MAX_ENDPOINTS} addresses

a check keeps {CHECK_LIMIT // MIB} MiB of evidence

a whole check takes {Options(domain="a.test").check_budget:g} s ({SERVICE.check_budget:g} s in `serve`)

{MAX_TARGETS} MX targets, {MAX_ENDPOINTS} endpoints and {MAX_PTR_NAMES} names of an address; of the private
addresses of a target {mx_sanity._MAX_ADDRESSES} are reported

at most {CONNECTIONS["total"]} connections at a time and {CONNECTIONS["per_address"]} to one address

{minute(SERVICE.rate_address)} checks a minute visit one address, and {minute(SERVICE.rate_provider)}
the MX hosts of one registered domain

{minute(SERVICE.rate_client)} a minute for a client (an IPv4 address or an IPv6 {NETWORK}),
{minute(SERVICE.rate_domain)} a minute for a domain, {SERVICE.max_checks} at a time

the checks in flight share {PROCESS_LIMIT // MIB} MiB of evidence; at the end of that new ones get 503

{MAX_CONNECTIONS_PER_CLIENT} of {MAX_CONNECTIONS} for a client

{MAX_HEAD // KIB} KiB and {timeouts._REQUEST_TIMEOUT:g} s for the header,
{request_limits.MAX_FORM // KIB} KiB ({request_limits.MAX_BODY // MIB} MiB for the protocol) and
{request_limits._BODY_TIMEOUT:g} s for the body,
{timeouts._WRITE_TIMEOUT:g} s for reading the response

its name has 128 random bits; {SERVICE.keep_octets // MIB} MiB are kept for an hour in memory, or with
`--store` for {SERVICE.keep:g} days in {SERVICE.keep_mib // KIB} GiB

{MAX_ENDPOINTS} endpoints with {bounds.MAX_SESSIONS} sessions each, {MAX_TARGETS} MX targets,
{bounds._MAX_ANSWERS} DNS answers, {MAX_ISSUES} issues of the TLS checker, {bounds.MAX_FINDINGS} findings

{checks._DOCUMENT_THREADS} documents share the processor
"""
FIGURES = [" ".join(figure.split()) for figure in WRITTEN.split("\n\n")]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_that_of_the_code(figure: str) -> None:
    assert figure in " ".join(TEXT.split())


def test_no_figure_is_written_that_no_test_reads_from_the_code() -> None:
    assert SERVICE.keep_days * 24 == 1
    name = RunningCheck(Options(domain="a.test"), client="", owner="").name
    assert len(base64.urlsafe_b64decode(name + "==")) * 8 == 128
    text = " ".join(TEXT.split())
    for figure in FIGURES:
        text = text.replace(figure, "")
    assert re.findall(r"(?<!IPv)\b\d+\b", re.sub(r"\[\w+\]\([^\s)]+\)", "", text)) == []


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"\[(test_\w+)\]\(([^\s)]+)\)", TEXT)
    assert len(named) > 40
    for test, path in named:
        assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), (test, path)


def test_each_row_of_a_table_names_its_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(rows) > 30
    for row in rows:
        assert row.startswith(("| it tries", "| the visitor tries")) or "](tests/" in row.split("|")[-2], row
