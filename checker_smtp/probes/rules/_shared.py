"""The records of two codes that any rule may use: this client was refused; the question was not tested."""

from ._finding import Code, Severity
from ._reproduction import RepeatSession

__all__ = ["NOT_TESTED", "REFUSED_US"]

REFUSED_US = Code(
    "smtp.refused_us",
    Severity.INFO,
    title="The server refuses this checker, which says nothing about the domain",
    why="The refusal is about the address, the name or the rate of this client. Other senders may be "
    "welcome.",
    fix="Repeat the check from an address with a matching PTR record and a good reputation, with a "
    "helo_name that resolves to it; or look into the server's log for the reason.",
    reference="RFC 3463 §3.8",
    reproduce=RepeatSession(),
    badge="Refuses this checker",
)
NOT_TESTED = Code(
    "smtp.not_tested",
    Severity.INFO,
    title="This could not be tested from here",
    why="Nothing is known either way; it is no fault of the domain.",
    fix="Repeat the check, from another network if need be.",
    reference="RFC 5321 §4.5.4.1",
    reproduce=RepeatSession(),
    badge="Not fully tested",
)
