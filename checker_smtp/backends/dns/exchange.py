"""One question to one server, as scripts: over UDP, and over TCP where the answer was truncated.

A question is a script like an SMTP session: connect, send, receive. So it runs on the same driver, and its
failures have the same names.

Not here: other servers and second tries, which `server` and `resolver` have.
"""

from checker_smtp.probes.ports import DnsStatus
from smtp_sansio import Connect, Done, Failed, FailureKind, Receive, Received, Script, Send

from .messages import Question, Response

__all__ = ["over_tcp", "over_udp"]

# Datagrams that are no response to the question, until the server is not listened to any more.
_MAX_STRAYS = 32


def over_udp(question: Question, address: str, port: int, server: str, timeout: float) -> Script[Response]:
    """Ask over UDP in `timeout` seconds; a failure is a response too, `TIMEOUT` or `UNUSABLE`.

    `server` is the name of the server at `address` and `port` in details.
    """
    outcome = yield Connect(address, port, timeout)
    if isinstance(outcome, Done):
        outcome = yield Send(question.wire, timeout)
    strays = 0
    while not isinstance(outcome, Failed) and strays < _MAX_STRAYS:
        outcome = yield Receive(timeout - outcome.at)
        if isinstance(outcome, Received):
            if (response := question.read(outcome.data)) is not None:
                return response
            strays += 1
    if strays:
        return Response(DnsStatus.UNUSABLE, detail=f"{server} sent messages that do not answer the question")
    return _no_response(outcome, server)


def over_tcp(question: Question, address: str, port: int, server: str, timeout: float) -> Script[Response]:
    """Ask over TCP for the whole of a truncated answer, as `over_udp` does; any failure is `UNUSABLE`."""
    outcome = yield Connect(address, port, timeout)
    if isinstance(outcome, Done):
        outcome = yield Send(len(question.wire).to_bytes(2, "big") + question.wire, timeout)
    data = bytearray()
    while not isinstance(outcome, Failed):
        outcome = yield Receive(timeout - outcome.at)
        if isinstance(outcome, Received):
            data += outcome.data
            size = 2 + int.from_bytes(data[:2], "big")
            if len(data) >= max(size, 3):
                return _whole(question.read(bytes(data[2:size])), server)
            if not outcome.data:
                return _cut_short(f"{server} closed the connection")
    match outcome.kind:
        case FailureKind.TIMEOUT:
            return _cut_short(f"{server} did not answer")
        case FailureKind.REFUSED:
            return _cut_short(f"{server} refused the connection")
        case _:
            return _cut_short(f"{server} was not reached: {outcome.detail}")


def _whole(response: Response | None, server: str) -> Response:
    if response is None:
        return _cut_short(f"{server} answered another question")
    return _cut_short(f"{server} cut it short as well") if response.truncated else response


def _cut_short(reason: str) -> Response:
    return Response(DnsStatus.UNUSABLE, detail=f"the answer was cut short (truncated), and over TCP {reason}")


def _no_response(outcome: object, server: str) -> Response:
    if not isinstance(outcome, Failed) or outcome.kind is FailureKind.TIMEOUT:
        return Response(DnsStatus.TIMEOUT, detail=f"no answer from {server}")
    return Response(DnsStatus.UNUSABLE, detail=f"{server} was not reached: {outcome.detail}")
