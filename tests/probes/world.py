"""Options, DNS answers and dialogues as the tests of the probes need them."""

from typing import TypeVar

from checker_smtp.probes.dns import is_control
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import CHECKER_VERBS, FakeResolver, play_dialogue
from smtp_sansio import Script

T = TypeVar("T")


def options(domain: str = "example.org", **given: object) -> Options:
    """Return options for the tests: documentation networks count as public, names are short."""
    usual: dict[str, object] = {
        "helo_name": "probe.test",
        "allow_targets": ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"),
    }
    return Options(domain=domain, **(usual | given))  # type: ignore[arg-type]


def answer(name: str, rdtype: str, *records: str, status: DnsStatus = DnsStatus.ANSWER) -> DnsAnswer:
    """Return an answer word by word, for records that no zone could hold."""
    return DnsAnswer(name=name, rdtype=rdtype, status=status, records=records)


def questions(resolver: FakeResolver) -> list[tuple[str, str]]:
    """Return what `resolver` was asked about the domain, without the control questions."""
    return [(name, rdtype) for name, rdtype in resolver.asked if not is_control(name, rdtype)]


def act(script: Script[T], text: str) -> T:
    """Run `script` against one dialogue, in which only a check's commands are sent."""
    return play_dialogue(script, text, verbs=CHECKER_VERBS)
