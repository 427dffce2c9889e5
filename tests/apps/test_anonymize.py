"""`anonymize`: nothing of the original names is left, and the verdict is the same."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp import Options, Recording, RunContext, anonymous_case, check, replay
from checker_smtp.anonymous_case import write_anonymous_case
from checker_smtp.backends.recording.anonymize import anonymize
from checker_smtp.backends.recording.case import CaseError, read_case
from checker_smtp.backends.recording.pseudonyms import Pseudonyms
from checker_smtp.probes.registered_domain import registered_domain
from checker_smtp.testing import FakeNetwork, FakeResolver, RuleServer
from smtp_sansio import Received, Transcript
from tests.apps.command import run
from tests.probes.refusals.replies import from_file, read
from tests.probes.refusals.test_corpus import CORPUS, REPLIES

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDERS = sorted(filter(Path.is_dir, FIXTURES.iterdir()))
ZONE = """
    corp-example.com                   MX    10 mx1.corp-example.com.
    corp-example.com                   MX    20 backup.hosting-firm.net.
    mx1.corp-example.com               A     198.41.0.7
    mx1.corp-example.com               AAAA  2001:500:88:200::7
    backup.hosting-firm.net            A     198.41.0.9
    7.0.41.198.in-addr.arpa            CNAME 7.0/25.0.41.198.in-addr.arpa.
    7.0/25.0.41.198.in-addr.arpa       PTR   mx1.corp-example.com.
    9.0.41.198.in-addr.arpa            PTR   static-198-41-0-9.hosting-firm.net.
    static-198-41-0-9.hosting-firm.net A     198.41.0.9
    7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.8.8.0.0.0.0.5.0.1.0.0.2.ip6.arpa PTR mx1.corp-example.com.
"""
OPTIONS = Options(
    domain="corp-example.com",
    helo_name="probe.our-network.org",
    test_probe_address="jane.doe@our-network.org",
    source_addresses=("198.41.0.10", "2001:500:88:200::10"),
)
SECRETS = (
    "corp-example",
    "hosting-firm",
    "our-network",
    "jane.doe",
    "198.41.0",
    "500:88",
    "198-41-0-9",
    "41.198",
    "8.8.0.0",
)


def texts(folder: Path) -> str:
    return "".join(f"{path.name}\n{path.read_text('utf-8')}" for path in sorted(folder.iterdir()))


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[RuleServer], Path]:
    """Records a check of a domain with public addresses, of which all names are its own."""

    def record(server: RuleServer) -> Path:
        recording = Recording(FakeNetwork(FakeResolver(ZONE), server))

        async def main() -> None:
            context = RunContext(run_at="2026-01-31T12:00:00Z", seed=7)
            result = await check(OPTIONS, recording, context=context, resolver_name="198.41.0.4")
            recording.save(tmp_path / "case", OPTIONS, result, seed=7)

        anyio.run(main)
        return tmp_path / "case"

    return record


@pytest.mark.parametrize(
    "server",
    [
        RuleServer(host="mx1.corp-example.com", local_domains=("corp-example.com",)),
        RuleServer(host="MX1.CORP-EXAMPLE.COM", relays=True, fault="injection"),
        RuleServer(
            host="gw7.corp-example.com",
            rcpt_replies={
                "postmaster@corp-example.com": "554 5.7.1 Client host [198.41.0.4] blocked using "
                "zen.spamhaus.org; from=<jane.doe@our-network.org> helo=<probe.our-network.org>"
            },
        ),
        RuleServer(host="mx1.corp-example.com", fault="handshake"),
    ],
    ids=["healthy", "injection", "blocked", "handshake"],
)
def test_nothing_is_left_of_public_names_and_addresses(
    recorded: Callable[[RuleServer], Path], tmp_path: Path, server: RuleServer
) -> None:
    folder, target = recorded(server), tmp_path / "anonymous"
    anyio.run(write_anonymous_case, folder, target)
    left = texts(target).lower()
    assert [secret for secret in SECRETS if secret in left] == []
    before, after = anyio.run(replay, folder), anyio.run(replay, target)
    assert after.status == before.status
    assert (after.mail.state, after.mail.reason) == (before.mail.state, before.mail.reason)
    assert sorted(f.code for f in after.findings) == sorted(f.code for f in before.findings)
    assert read_case(target).expected == tuple(sorted((f.code, f.subject) for f in after.findings))
    assert "spamhaus.org" in left or "spamhaus" not in texts(folder)
    assert {endpoint.address for endpoint in after.observation.endpoints} <= {
        *read_case(target).options.allow_targets,
        *(network.partition("/")[0] for network in read_case(target).options.allow_targets),
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_verdict_of_every_fixture_stays_and_its_domain_is_gone(folder: Path, tmp_path: Path) -> None:
    anyio.run(write_anonymous_case, folder, tmp_path / "case")
    before, after = anyio.run(replay, folder), anyio.run(replay, tmp_path / "case")
    assert (after.status, after.mail.state, after.mail.reason) == (
        before.status,
        before.mail.state,
        before.mail.reason,
    )
    assert [f.code for f in after.findings] == [f.code for f in before.findings]
    options = read_case(folder).options
    for name in (options.domain, options.helo_name):
        label = registered_domain(name).partition(".")[0]
        assert label not in texts(tmp_path / "case").lower()


OTHERS = (
    "554 5.7.1 Client host [198.41.0.4] blocked using zen.spamhaus.org; ask helpdesk@partner-firm.co.uk",
    "550 5.1.1 relay.partner-firm.co.uk[198.41.0.88] said: no such user, see http://help.partner-firm.co.uk/x.php",
    "450 4.2.0 try mailstore7.partner-firm.local or https://lists.provider-firm.de/?for=partner-firm.co.uk",
)


@pytest.mark.parametrize("reply", OTHERS)
def test_nothing_is_left_of_the_names_of_others_in_what_a_server_says(
    recorded: Callable[[RuleServer], Path], tmp_path: Path, reply: str
) -> None:
    """They show whose server it is; a blocklist says why mail was refused, and is known to everybody."""
    server = RuleServer(host="mx1.corp-example.com", rcpt_replies={"postmaster@corp-example.com": reply})
    folder, target = recorded(server), tmp_path / "anonymous"
    anyio.run(write_anonymous_case, folder, target)
    left = texts(target).lower()
    assert [one for one in ("partner-firm", "provider-firm", "198.41", "helpdesk") if one in left] == []
    assert ("zen.spamhaus.org" in left) == ("spamhaus" in reply)
    before, after = anyio.run(replay, folder), anyio.run(replay, target)
    assert [(f.code, f.outcome) for f in after.findings] == [(f.code, f.outcome) for f in before.findings]


def test_a_name_that_was_cut_by_a_read_is_found(tmp_path: Path) -> None:
    case = read_case(FIXTURES / "postfix-healthy")
    cut = Transcript()
    for effect, outcome in case.sessions[0]:
        if isinstance(outcome, Received) and outcome.data.startswith(b"220"):
            cut.note(effect, replace(outcome, data=b"220 mx.dev-healthy.test at backup.partner-"))
            cut.note(effect, replace(outcome, data=b"firm.org ESMTP\r\n"))
        else:
            cut.note(effect, outcome)
    anonymous = anonymize(replace(case, sessions=(cut,)), b"salt")
    said = b"".join(o.data for _, o in anonymous.sessions[0] if isinstance(o, Received))
    assert re.match(rb"220 mx\.anon[0-9a-f]{6}\.test at [a-z]+\.anon[0-9a-f]{6}\.org ESMTP\r\n", said)


@pytest.mark.parametrize("name", [*REPLIES, *(f"corpus/{name}" for name in CORPUS)])
def test_every_known_refusal_says_the_same_without_its_names(name: str) -> None:
    case = replace(read_case(FIXTURES / "postfix-healthy"), dns=(), sessions=())
    for _, reply in from_file(name):
        before, after = read(reply), read(anonymize(replace(case, resolver=reply), b"salt").resolver)
        assert (after.reason, after.blames_client) == (before.reason, before.blames_client), reply


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("zen.spamhaus.org", r"zen\.spamhaus\.org"),
        ("sender.office.com", r"sender\.office\.com"),
        # whose list it is stays unknown, and that it is one is why mail was refused
        ("dnsbl.partner-firm.org", r"dnsbl\.anon[0-9a-f]{6}\.org"),
        ("office.megacorp", r"office\.megacorp"),
        ("mail3.office.corp", r"mail3\.anon[0-9a-f]{6}\.corp"),
    ],
)
def test_a_name_that_refusals_are_known_by_is_kept(host: str, kept: str) -> None:
    case = replace(read_case(FIXTURES / "postfix-healthy"), dns=(), resolver=f"see http://{host}/?")
    assert re.fullmatch(rf"see http://{kept}/\?", anonymize(case, b"salt").resolver)


def test_words_and_files_are_no_names_of_others() -> None:
    text = "550 5.7.1 Message rejected.To unblock: see main-page.html, ask.php or example.org; Exim 4.96.x"
    case = replace(read_case(FIXTURES / "postfix-healthy"), dns=(), resolver=text)
    assert anonymize(case, b"salt").resolver == text


WHOLE = (
    "220-mx1.corp-example.com [198.41.0.7]\r\n"
    "220 jane@corp-example.com IPv6:2001:500::7 12:34:56 Exim 4.96\r\n"
)


def pseudonyms() -> Pseudonyms:
    return Pseudonyms(b"salt", {"corp-example.com"}, (), ["192.0.2.1"])


@given(st.lists(st.integers(0, len(WHOLE)), max_size=40).map(sorted))
def test_pieces_are_those_of_the_whole_wherever_it_was_cut(cuts: list[int]) -> None:
    borders = [0, *cuts, len(WHOLE)]
    pieces = [WHOLE[start:end] for start, end in pairwise(borders)]
    given_ = pseudonyms()
    assert "".join(given_.pieces(pieces)) == given_.text(WHOLE)


def test_a_text_under_pseudonyms() -> None:
    """192.0.2.1 occurs in the case, so it is nobody's pseudonym."""
    given_ = pseudonyms()
    domain = given_.name("corp-example.com")
    assert re.fullmatch(r"anon[0-9a-f]{6}\.com", domain)
    text = given_.text(WHOLE)
    assert re.fullmatch(
        rf"220-mx1\.{domain} \[192\.0\.2\.2\]\r\n"
        rf"220 [b-t]{{4}}@{domain} IPv6:2001:db8::1 12:34:56 Exim 4\.96\r\n",
        text,
    )
    assert given_.text("198.41.0.7 2001:500:0:0::7 10.0.0.1 ::1") == "192.0.2.2 2001:db8::1 10.0.0.1 ::1"
    assert given_.name("MX1.CORP-EXAMPLE.COM.") == f"mx1.{domain}.".upper()
    assert given_.name("7.0/25.0.41.198.in-addr.arpa") == "2.0/25.2.0.192.in-addr.arpa"
    assert given_.name("0.41.198.in-addr.arpa") == "0.41.198.in-addr.arpa"
    assert given_.name("8.b.d.0.1.0.0.2.ip6.arpa") == "8.b.d.0.1.0.0.2.ip6.arpa"
    assert (
        given_.text("see https://www.spamhaus.org/ for 421 4.7.0")
        == "see https://www.spamhaus.org/ for 421 4.7.0"
    )


def test_a_long_path_takes_linear_time() -> None:
    """A match was tried from each of its parts to its end; this took minutes."""
    path = "1/" * 500_000
    assert pseudonyms().text(path) == path


def test_more_addresses_than_pseudonyms_are_refused() -> None:
    text = " ".join(f"198.41.{net}.{host}" for net in range(4) for host in range(200))
    with pytest.raises(CaseError, match="more public addresses than there are pseudonyms"):
        pseudonyms().text(text)


def test_the_command_names_the_folder_and_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    done = run("anonymize", FIXTURES / "postfix-healthy", tmp_path / "case")
    assert (done.code, done.out.strip()) == (0, str(tmp_path / "case"))
    again = run("anonymize", FIXTURES / "postfix-healthy", tmp_path / "case")
    assert (again.code, again.out) == (3, "")
    assert again.err.endswith("is not empty: name a folder that is, or does not exist yet\n")
    missing = run("anonymize", tmp_path / "missing")
    assert missing.code == 3
    assert "missing is no case, which is a folder" in missing.err


def test_the_folder_may_be_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name in its path: `.` was a traceback."""
    case = tmp_path / "case"
    shutil.copytree(FIXTURES / "postfix-healthy", case)
    monkeypatch.chdir(case)
    done = run("anonymize", ".")
    assert (done.code, done.out.strip()) == (0, f"{tmp_path}/case-anonymous")
    assert run("anonymize", "/").code == 3


def test_a_case_whose_findings_depend_on_its_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = read_case(FIXTURES / "postfix-open-relay")
    monkeypatch.setattr(anonymous_case, "anonymize", lambda *_: other)
    with pytest.raises(CaseError, match="has other findings without its names: it cannot be made anonymous"):
        anyio.run(write_anonymous_case, FIXTURES / "postfix-healthy", tmp_path / "case")
    assert not (tmp_path / "case").exists()
