"""A case written and read again is the same, and a broken one is told in a sentence that helps."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from checker_smtp.backends.recording.case import (
    Case,
    CaseError,
    Header,
    read_case,
    require_empty,
    write_case,
)
from checker_smtp.backends.recording.player import ReplayMismatch
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.backends.recording.replay_backend import Replay
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Script,
    Send,
    Transcript,
    tap,
)
from tests.runtimes.peer import ScriptedPeer
from tests.runtimes.session_script import SessionOutcome, probe_session
from tests.runtimes.test_conformance import WHOLE

HEADER = Header(
    version="0.1.0",
    run_at="2025-01-31T12:00:00Z",
    seed=2**63 - 1,
    seconds=1.5,
    resolver="192.0.2.53",
    options=Options(
        domain="mx.test", timeout=1e-3, ipv6=False, allow_targets=("192.0.2.0/24", "2001:db8::/32")
    ),
)
ANSWERS = (
    DnsAnswer(name="mx.test", rdtype="A", status=DnsStatus.NXDOMAIN, seconds=0.25),
    DnsAnswer(name="mx.test", rdtype="MX", status=DnsStatus.ANSWER, records=("mx.test. 1 IN MX 0 .",)),
    DnsAnswer(name="z.test", rdtype="A", status=DnsStatus.SERVFAIL, detail="SERVFAIL \u00fc"),
    DnsAnswer(name="z.test", rdtype="A", status=DnsStatus.TIMEOUT, detail="no answer"),
)
EXPECTED = (("smtp.mx.none", ""), ("smtp.open_relay", "192.0.2.7:25"))


def session(host: str, *received: bytes) -> Transcript:
    transcript = Transcript()
    transcript.note(Connect(host, 25, 0), Done(0.031))
    for octets in received:
        transcript.note(Receive(0), Received(0.094, octets))
    return transcript


@pytest.fixture
def case() -> Case:
    refused = Transcript()
    refused.note(Connect("192.0.2.8", 25, 0), Failed(0.001, FailureKind.REFUSED, "Connection refused"))
    sessions = (session("192.0.2.7", b"220 caf\xe9\r\n"), refused, session("2001:db8::7", b"\x00\x1b"))
    return Case.from_header(HEADER, ANSWERS, sessions, EXPECTED)


def same(one: Case, other: Case) -> bool:
    def facts(case: Case) -> list[object]:
        texts = [transcript.dumps() for transcript in case.sessions]
        return [
            case.version,
            case.run_at,
            case.seed,
            case.seconds,
            case.resolver,
            case.options,
            case.dns,
            texts,
            case.expected,
        ]

    return facts(one) == facts(other)


def test_round_trip(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "case"
    write_case(folder, case)
    assert sorted(path.name for path in folder.iterdir()) == [
        "1-192.0.2.7.jsonl",
        "2-192.0.2.8.jsonl",
        "3-2001_db8__7.jsonl",
        "case.toml",
        "dns.jsonl",
        "expected.json",
    ]
    assert same(read_case(folder), case)
    again = tmp_path / "again"
    write_case(again, read_case(folder))
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_what_is_written(case: Case, tmp_path: Path) -> None:
    write_case(tmp_path, case)
    assert (
        (tmp_path / "case.toml")
        .read_text()
        .startswith(
            'version = "0.1.0"\n'
            'run_at = "2025-01-31T12:00:00Z"\n'
            "seed = 9223372036854775807\n"
            "seconds = 1.5\n"
            'resolver = "192.0.2.53"\n'
            "format = 1\n"
            "\n"
            "[options]\n"
            'domain = "mx.test"\n'
            "timeout = 0.001\n"
            'helo_name = "mx-checker.happydomain.org"\n'
            "test_null_sender = true\n"
            "test_postmaster = true\n"
            "test_open_relay = true\n"
            'test_probe_address = "postmaster@example.com"\n'
            "port = 25\n"
            "ipv4 = true\n"
            "ipv6 = false\n"
            'allow_targets = [\n    "192.0.2.0/24",\n    "2001:db8::/32",\n]\n'
        )
    )
    assert (tmp_path / "dns.jsonl").read_text().splitlines()[1] == (
        '{"name": "mx.test", "rdtype": "MX", "status": "answer", '
        '"records": ["mx.test. 1 IN MX 0 ."], "seconds": 0.0, "detail": ""}'
    )
    assert (tmp_path / "expected.json").read_text() == (
        "[\n"
        '  {"code": "smtp.mx.none", "subject": ""},\n'
        '  {"code": "smtp.open_relay", "subject": "192.0.2.7:25"}\n'
        "]\n"
    )


def test_a_case_without_anything(tmp_path: Path) -> None:
    empty = Case.from_header(HEADER, (), (), ())
    write_case(tmp_path, empty)
    assert same(read_case(tmp_path), empty)


@pytest.mark.parametrize("text", ['"', "\\", "\x7f", "\n", "\x00", "\U0001f4ec", "\u00fc", "# ="])
def test_any_text_survives_toml(text: str, tmp_path: Path) -> None:
    write_case(tmp_path, Case.from_header(replace(HEADER, resolver=text), (), (), ()))
    assert read_case(tmp_path).resolver == text


def test_answers_are_sorted_and_repeated_questions_keep_their_order(case: Case, tmp_path: Path) -> None:
    write_case(tmp_path, Case.from_header(HEADER, (ANSWERS[2], ANSWERS[1], ANSWERS[3], ANSWERS[0]), (), ()))
    assert read_case(tmp_path).dns == ANSWERS


@pytest.fixture
def folder(case: Case, tmp_path: Path) -> Path:
    write_case(tmp_path / "case", case)
    return tmp_path / "case"


Break = Callable[[Path], object]


def put(name: str, text: str | bytes) -> Break:
    data = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / name).write_bytes(data)


def edit(name: str, old: str, new: str) -> Break:
    def do(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return do


def gone(name: str) -> Break:
    return lambda folder: (folder / name).unlink()


def moved(name: str, to: str) -> Break:
    return lambda folder: (folder / name).rename(folder / to)


OPTION_KEYS = ", ".join(field.name for field in fields(Options))
PARTS = "a case has case.toml, dns.jsonl, expected.json and a file for each connection"
RFC3339 = "give a time such as 2025-01-31T12:00:00Z (RFC 3339)"
DNS_KEYS = "name, rdtype, status, records, seconds, detail"
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            gone("case.toml"),
            f"/case.toml is missing: {PARTS}",
        ),
        (
            gone("dns.jsonl"),
            f"/dns.jsonl is missing: {PARTS}",
        ),
        (
            put("notes.txt", "x"),
            "/notes.txt does not belong to a case: connections are called as in 1-192.0.2.7.jsonl",
        ),
        (
            put("1-192.0.2.9.jsonl", "x"),
            "/1-192.0.2.9.jsonl has the number of 1-192.0.2.7.jsonl: give it another",
        ),
        (gone("2-192.0.2.8.jsonl"), " has no connection 2: number them from 1 to 2"),
        (
            moved("2-192.0.2.8.jsonl", "2-192.0.2.1.jsonl"),
            "/2-192.0.2.1.jsonl is a connection to another address: call it 2-192.0.2.8.jsonl",
        ),
        (
            put("2-192.0.2.8.jsonl", ""),
            "/2-192.0.2.8.jsonl: nothing is in it: delete the file, and number the others anew",
        ),
        (put("dns.jsonl", b"\xff"), "/dns.jsonl is no text in UTF-8"),
        (edit("case.toml", "seed = ", "seed "), "/case.toml, line 3: this is no TOML: "),
        (
            edit("case.toml", "seed = 9223372036854775807\n", ""),
            "/case.toml: Object missing required field `seed`",
        ),
        (edit("case.toml", "seed = ", 'seed = "x" #'), "/case.toml, line 3: seed: Expected `int`, got `str`"),
        (
            edit("case.toml", "2025-01-31T12:00:00Z", "yesterday"),
            f"/case.toml, line 2: run_at is 'yesterday': {RFC3339}",
        ),
        (
            edit("case.toml", "T12:00:00Z", "T12:00:00"),
            f"/case.toml, line 2: run_at is '2025-01-31T12:00:00': {RFC3339}",
        ),
        (
            edit("case.toml", "seconds = 1.5", "seconds = nan"),
            "/case.toml, line 4: seconds is nan: give the duration of the check",
        ),
        (
            edit("case.toml", "timeout = 0.001", "timeout = 0"),
            "/case.toml, line 10: timeout is 0: give seconds, more than 0, at most 3600",
        ),
        (
            edit("case.toml", "timeout =", "time ="),
            f"/case.toml, line 10: there is no 'time' here: the keys are {OPTION_KEYS}",
        ),
        (
            edit("case.toml", '"192.0.2.0/24"', "7"),
            "/case.toml, line 19: allow_targets[0]: Expected `str`, got `int`",
        ),
        (
            edit("case.toml", "[options]", "[option]"),
            "/case.toml: Object missing required field `domain`",
        ),
        (edit("dns.jsonl", "{", ""), "/dns.jsonl, line 1: this is no JSON: "),
        (
            edit("dns.jsonl", '{"name": "mx.test", "rdtype": "MX"', "[1]\n{"),
            "/dns.jsonl, line 2: give the keys",
        ),
        (
            edit("dns.jsonl", '"status": "answer"', '"status": "yes"'),
            "/dns.jsonl, line 2: status: Invalid enum value 'yes'",
        ),
        (
            edit("dns.jsonl", '"records": ["mx.test', '"record": ["mx.test'),
            f"/dns.jsonl, line 2: there is no 'record' here: the keys are {DNS_KEYS}",
        ),
        (
            edit("dns.jsonl", '"seconds": 0.25', '"seconds": NaN'),
            "/dns.jsonl, line 1: this is no JSON: invalid character",
        ),
        (put("dns.jsonl", "[" * 100_000), "/dns.jsonl, line 1: this is nested too deeply"),
        (
            edit("1-192.0.2.7.jsonl", '"receive"', '"data"'),
            "/1-192.0.2.7.jsonl, line 2: this is no transcript entry: ValueError(",
        ),
        (
            edit("1-192.0.2.7.jsonl", "0.094", "-1"),
            "/1-192.0.2.7.jsonl, line 2: at is -1.0: give seconds since the session began",
        ),
        (
            put("1-192.0.2.7.jsonl", "[" * 100_000),
            "/1-192.0.2.7.jsonl, line 1: this is no transcript entry: ",
        ),
        (put("expected.json", "[\n {]"), "/expected.json, line 2: this is no JSON: "),
        (
            put("expected.json", "{}"),
            '/expected.json: give a list of findings, each {"code": "…", "subject": "…"}',
        ),
        (put("expected.json", "[7]"), "/expected.json: give the keys code, subject here, not 7"),
        (
            put("expected.json", '[{"code": 1, "subject": ""}]'),
            "/expected.json: code: Expected `str`, got `int`",
        ),
        (
            put("expected.json", f"[{LONG}]"),
            "/expected.json, line 1: this is no JSON: Integer value out of range",
        ),
        (put("case.toml", f"seed = {LONG}"), "/case.toml: this is no TOML: "),
        (put("case.toml", "seed = " + "[" * 100_000), "/case.toml: this is nested too deeply"),
    ],
)
def test_broken_cases(folder: Path, broken: Break, message: str) -> None:
    broken(folder)
    with pytest.raises(CaseError) as raised:
        read_case(folder)
    assert str(raised.value).startswith(f"{folder}{message}")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_no_case_at_all(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"none is no case, which is a folder: No such file or directory$"):
        read_case(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match=r"file is no case, which is a folder: Not a directory$"):
        read_case(tmp_path / "file")


def test_a_file_that_is_a_folder(folder: Path) -> None:
    (folder / "dns.jsonl").unlink()
    (folder / "dns.jsonl").mkdir()
    with pytest.raises(CaseError, match=r"dns.jsonl cannot be read: Is a directory$"):
        read_case(folder)


def test_hidden_files_are_overlooked(folder: Path) -> None:
    (folder / ".gitkeep").write_text("")
    assert read_case(folder).seed == HEADER.seed


def test_a_place_for_a_case(folder: Path, tmp_path: Path) -> None:
    require_empty(tmp_path / "a" / "b" / "c")
    assert not (tmp_path / "a").exists()
    (tmp_path / "empty").mkdir()
    require_empty(tmp_path / "empty")
    with pytest.raises(CaseError, match=r"case is not empty: name a folder that is, or does not exist yet$"):
        require_empty(folder)
    file = folder / "case.toml"
    for path in (file, file / "below"):
        with pytest.raises(
            CaseError, match=r"case.toml is a file: name a folder that is empty, or does not exist"
        ):
            require_empty(path)


def test_a_place_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CaseError, match=r"cannot be written to: name another folder$"):
        require_empty(tmp_path / "new")


def test_what_cannot_be_written_whole_is_not_written(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_text = Path.write_text

    def full(self: Path, text: str, encoding: str, newline: str) -> int:
        if self.name == "dns.jsonl":
            raise OSError(28, "whatever")
        return write_text(self, text, encoding=encoding, newline=newline)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CaseError, match=r"could not be written: No space left on device$"):
        write_case(tmp_path, case)
    assert list(tmp_path.iterdir()) == []


_T = TypeVar("_T")


class PeerBackend:
    """A backend: one answer to every question, and a server of its own for every session."""

    def __init__(self, play: str) -> None:
        self._play = play
        self.peers: list[ScriptedPeer] = []

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:  # noqa: ARG002
        await anyio.lowlevel.checkpoint()
        return DnsAnswer(name=name, rdtype=rdtype, status=DnsStatus.NODATA, seconds=0.001 * len(self.peers))

    async def run(self, script: Script[_T]) -> _T:
        self.peers.append(ScriptedPeer(self._play))
        return await run_anyio(script, dial=self.peers[-1].dial)


BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_recorded_and_replayed(backend: str, tmp_path: Path) -> None:
    lab = PeerBackend(WHOLE)
    recording = Recording(lab)

    async def record() -> tuple[DnsAnswer, SessionOutcome, SessionOutcome]:
        return (
            await recording.resolve("mx.test", "MX"),
            await recording.run(probe_session()),
            await recording.run(probe_session()),
        )

    recorded = anyio.run(record, backend=backend)
    write_case(tmp_path, recording.case(HEADER, [*reversed(EXPECTED)]))
    case = read_case(tmp_path)
    assert case.expected == EXPECTED
    assert same(case, recording.case(HEADER, EXPECTED))

    async def replay() -> tuple[DnsAnswer, SessionOutcome, SessionOutcome]:
        replay = Replay(case)
        assert replay.unused() == ("mx.test MX", "1-192.0.2.7.jsonl", "2-192.0.2.7.jsonl")
        told = (
            await replay.resolve("MX.test", "MX"),
            await replay.run(probe_session()),
            await replay.run(probe_session()),
        )
        assert replay.unused() == ()
        return told

    assert anyio.run(replay, backend=backend) == recorded
    for peer in lab.peers:
        peer.join()


@BACKENDS
def test_a_session_cancelled_is_recorded_as_far_as_it_came(backend: str) -> None:
    lab = PeerBackend("S: 220 mx.test\nC: EHLO probe.test\nSILENT")
    recording = Recording(lab)

    async def main() -> None:
        waiting = anyio.Event()

        def note(effect: Effect, _: Outcome) -> None:
            if isinstance(effect, Send):
                waiting.set()

        async with anyio.create_task_group() as group:
            group.start_soon(recording.run, tap(probe_session(), note))
            await waiting.wait()
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    (transcript,) = recording.case(HEADER, ()).sessions
    _, receive, send = (outcome for _, outcome in transcript)
    assert receive == Received(receive.at, b"220 mx.test\r\n")
    assert send == Done(send.at)
    lab.peers[0].join()


def replayed(case: Case, *calls: Callable[[Replay], Awaitable[object]]) -> tuple[str, ...]:
    replay = Replay(case)

    async def main() -> None:
        for call in calls:
            await call(replay)

    anyio.run(main)
    return replay.unused()


def connecting(host: str) -> Script[None]:
    outcome = yield Connect(host, 25, 1)
    if isinstance(outcome, Done):
        yield Receive(1)


def test_what_was_not_asked_for_is_told(case: Case) -> None:
    left = replayed(
        case,
        lambda replay: replay.resolve("mx.test", "MX"),
        lambda replay: replay.run(connecting("192.0.2.8")),
    )
    assert left == ("mx.test A", "z.test A", "1-192.0.2.7.jsonl", "3-2001_db8__7.jsonl")


def test_repeated_questions_get_their_answers_in_order_and_then_the_last(case: Case) -> None:
    replay = Replay(case)

    async def main() -> list[DnsStatus]:
        return [(await replay.resolve("z.test", "A")).status for _ in range(3)]

    assert anyio.run(main) == [DnsStatus.SERVFAIL, DnsStatus.TIMEOUT, DnsStatus.TIMEOUT]


@pytest.mark.parametrize(
    ("script", "where", "asked"),
    [
        (
            connecting("192.0.2.9"),
            "no connection to 192.0.2.9 is left, line 1",
            "connect to 192.0.2.9 port 25",
        ),
        (probe_session(), "1-192.0.2.7.jsonl, line 3", "send 'EHLO probe.test\\r\\n'"),
    ],
)
def test_mismatches(case: Case, script: Script[object], where: str, asked: str) -> None:
    with pytest.raises(ReplayMismatch) as raised:
        replayed(case, lambda replay: replay.run(script))
    assert str(raised.value) == (
        f"{where}: the script does not do what was recorded\n  recorded: nothing more\n  asked:    {asked}"
    )


def test_a_question_that_was_not_recorded(case: Case) -> None:
    with pytest.raises(ReplayMismatch) as raised:
        replayed(case, lambda replay: replay.resolve("mx.test", "AAAA"))
    assert str(raised.value) == "dns.jsonl: mx.test AAAA is asked for, and was not recorded"


def test_a_session_that_connects_nowhere() -> None:
    def idle() -> Script[int]:
        yield from ()
        return 7

    case = Case.from_header(HEADER, (), (), ())

    async def main() -> int:
        return await Replay(case).run(idle())

    assert anyio.run(main) == 7
