"""The contract of a driver as data: what a server does, what a script asks for, and what it must receive."""

from dataclasses import dataclass
from typing import Final

from smtp_sansio import FailureKind, Receive, Send, Upgrade

from .driver_scripts import LONG, SHORT, RuleScript, clock, collect, effects, session

__all__ = ["RULES", "DriverRule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverRule:
    """One rule: `sentence` for people, the server's `steps` (see `SocketPeer`), the script, its result.

    The script has to return one of `expected`. `server_names` is the SNI that the server must have received
    (None: it received none), where the rule is about that; where `is_left` it must have seen the client
    close.
    """

    name: str
    sentence: str
    steps: str
    script: RuleScript
    expected: tuple[list[str], ...]
    server_names: tuple[str | None, ...] = ()
    is_left: bool = False


IN_CLEAR: Final = """
    S: 220 mx.test ESMTP
    C: EHLO probe.test
    S: 250-mx.test
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 Go ahead
"""
UNDER_TLS: Final = """
    TLS
    C: EHLO probe.test
    S: 250-mx.test
    S: 250 8BITMIME
    C: MAIL FROM:<>
    S: 250 2.1.0 Ok
    C: RCPT TO:<postmaster@mx.test>
    S: 550 5.1.1 No such user
    C: QUIT
    S: 221 2.0.0 Bye
"""
_OPENED: Final = ["220 mx.test ESMTP", "250 STARTTLS", "220 Go ahead"]
_WHOLE: Final = [*_OPENED, "250 8BITMIME", "250 2.1.0 Ok", "550 5.1.1 No such user", "221 2.0.0 Bye"]
_MUCH: Final = 16_000_000
_UPGRADE: Final = Upgrade("mx.test", LONG)
_TIMED_OUT: Final = "failed: timeout"
_AT_END: Final = "received b''"
_GO_AHEAD: Final = "received b'220 Go ahead\\r\\n'"
_LATE: Final = (
    "An effect that takes longer than its timeout is Failed with the kind in its field late, and one with "
    "the timeout 0 is so at once, with nothing done on the network."
)
_TIMEOUT: Final = "An effect that takes longer than its timeout ends as Failed with the kind timeout."
_END: Final = "The end of the stream is Received without octets, and octets before it are received first."
_FAILURE: Final = "A failure of the network is the outcome Failed, with the kind that its cause has."
_NAME_SENT: Final = "The name of an Upgrade is sent as SNI, and an empty one is not."
_TLS: Final = "A handshake that fails is the outcome Failed, with the kind tls, reset or closed."
_INJECTION: Final = (
    "Octets that came in the clear behind the 220 of STARTTLS are reported, never kept and never read as if"
    " they had come under TLS (CVE-2011-0411)."
)


def _rule(
    name: str,
    sentence: str,
    steps: str,
    script: RuleScript,
    *expected: list[str],
    is_left: bool = False,
    server_names: tuple[str | None, ...] = (),
) -> DriverRule:
    return DriverRule(
        name=name,
        sentence=sentence,
        steps=steps,
        script=script,
        expected=expected,
        server_names=server_names,
        is_left=is_left,
    )


RULES: Final[tuple[DriverRule, ...]] = (
    _rule("session", "A session over TLS runs to its end.", IN_CLEAR + UNDER_TLS, session(), _WHOLE),
    _rule(
        "octet-by-octet",
        "Octets are given to the script in order, however they are split.",
        "DRIP\n" + IN_CLEAR + UNDER_TLS,
        session(),
        _WHOLE,
    ),
    _rule(
        "all-octets",
        "A Receive gives all the octets that the transport has now, not one line of them.",
        "S: 220-mx.test\nS: 220 ESMTP\nSILENT",
        effects(Receive(LONG)),
        ["done", "received b'220-mx.test\\r\\n220 ESMTP\\r\\n'"],
    ),
    _rule(
        "half-line",
        "A Receive ends as soon as there are octets: it does not wait for the end of a line.",
        "RAW: 220 m\nSILENT",
        effects(Receive(LONG)),
        ["done", "received b'220 m'"],
    ),
    _rule(
        "injection",
        _INJECTION,
        IN_CLEAR + "S: 250 injected" + UNDER_TLS,
        session(),
        [*_OPENED, "aborted: starttls.plaintext"],
        [*_OPENED, "failed: tls"],
    ),
    _rule(
        "injection-held",
        _INJECTION,
        # the driver may read while the server does not, but has to report at Upgrade what it has read
        f"S: 220 Go ahead\nC: NOOP\nS: 250 injected\nEAT {_MUCH}\nTLS\nSILENT",
        effects(Receive(LONG), Send(b"NOOP\r\n", LONG), Send(bytes(_MUCH), LONG), _UPGRADE),
        ["done", _GO_AHEAD, "done", "done", "failed: tls"],
        ["done", _GO_AHEAD, "done", "done", "received b'250 injected\\r\\n'"],
    ),
    _rule(
        "injection-late",
        _INJECTION,
        IN_CLEAR + "HELLO\nS: 250 injected\nSILENT",
        session(),
        [*_OPENED, "failed: tls"],
    ),
    _rule("connect-timeout", _TIMEOUT, "FULL", effects(connecting=SHORT), [_TIMED_OUT]),
    _rule("greeting-timeout", _TIMEOUT, "SILENT", effects(Receive(SHORT)), ["done", _TIMED_OUT]),
    _rule("no-time", _TIMEOUT, "SILENT", effects(Receive(0)), ["done", _TIMED_OUT]),
    _rule(
        "late",
        _LATE,
        "SILENT",
        effects(Receive(SHORT, FailureKind.CHECK_BUDGET), Receive(0, FailureKind.EVIDENCE)),
        ["done", "failed: check-budget", "failed: evidence"],
    ),
    _rule(
        "not-performed",
        _LATE,
        "C: NOOP\nS: 250 ok\nSILENT",
        effects(
            Send(b"QUIT\r\n", 0, FailureKind.EVIDENCE),
            Upgrade("", 0, FailureKind.CHECK_BUDGET),
            Send(b"NOOP\r\n", LONG),
            Receive(LONG),
        ),
        ["done", "failed: evidence", "failed: check-budget", "done", "received b'250 ok\\r\\n'"],
    ),
    _rule("send-timeout", _TIMEOUT, "STALL", effects(Send(bytes(_MUCH), SHORT)), ["done", _TIMED_OUT]),
    _rule(
        "handshake-timeout",
        _TIMEOUT,
        "HELLO\nRAW: \\x16\\x03\\x03\nSILENT",
        effects(Upgrade("mx.test", SHORT)),
        ["done", _TIMED_OUT],
    ),
    _rule(
        "timeout-under-tls",
        _TIMEOUT,
        "TLS\nSILENT",
        effects(_UPGRADE, Receive(SHORT)),
        ["done", "secured", _TIMED_OUT],
    ),
    _rule(
        "after-timeout",
        "A Receive that timed out loses nothing: the next one gives what has arrived since.",
        "S: 220 mx.test\nC: NOOP\nS: 250 ok\nSILENT",
        effects(Receive(LONG), Receive(SHORT), Send(b"NOOP\r\n", LONG), Receive(LONG)),
        ["done", "received b'220 mx.test\\r\\n'", _TIMED_OUT, "done", "received b'250 ok\\r\\n'"],
    ),
    _rule("end", _END, "RAW: 25", effects(*[Receive(LONG)] * 2), ["done", "received b'25'", _AT_END]),
    _rule(
        "end-under-tls",
        _END,
        "TLS\nRAW: 25",
        effects(_UPGRADE, *[Receive(LONG)] * 2),
        ["done", "secured", "received b'25'", _AT_END],
    ),
    _rule("refused", _FAILURE, "REFUSED", effects(), ["failed: refused"]),
    _rule(
        "reset",
        _FAILURE,
        "RESET",
        effects(Send(b"NOOP\r\n", LONG), Receive(LONG)),
        ["done", "done", "failed: reset"],
    ),
    _rule("reset-in-handshake", _TLS, "RESET", effects(_UPGRADE), ["done", "failed: reset"]),
    _rule("close-in-handshake", _TLS, "EAT", effects(_UPGRADE), ["done", "failed: closed"]),
    _rule(
        "no-tls",
        _TLS,
        "HELLO\nRAW: HTTP/1.1 400 Bad Request\\r\\n\nSILENT",
        effects(_UPGRADE),
        ["done", "failed: tls"],
    ),
    _rule(
        "alert",
        _TLS,
        "HELLO\nRAW: \\x15\\x03\\x03\\x00\\x02\\x02\\x28\nSILENT",
        effects(_UPGRADE),
        ["done", "failed: tls"],
    ),
    _rule(
        "server-name",
        _NAME_SENT,
        "TLS\nSILENT",
        effects(_UPGRADE),
        ["done", "secured"],
        server_names=("mx.test",),
    ),
    _rule(
        "no-server-name",
        _NAME_SENT,
        "TLS\nSILENT",
        effects(Upgrade("", LONG)),
        ["done", "secured"],
        server_names=(None,),
    ),
    _rule(
        "odd-server-name",
        "A server name that is no host name is not sent, and the handshake goes ahead without one.",
        "TLS\nSILENT",
        effects(Upgrade("m\u00fc .test", LONG)),
        ["done", "secured"],
        server_names=(None,),
    ),
    _rule(
        "much-under-tls",
        "Under TLS every octet is received, also those that the TLS layer has read and not given out yet.",
        "TLS\nS: " + "x" * 40_000,
        collect,
        ["40002 octets", _AT_END],
    ),
    _rule(
        "send-all",
        "A Send writes all of its octets.",
        f"EAT {_MUCH}\nS: 250 ok\nSILENT",
        effects(Send(bytes(_MUCH), LONG), Receive(LONG)),
        ["done", "done", "received b'250 ok\\r\\n'"],
    ),
    _rule(
        "clock",
        "The time of an outcome is in seconds since the script began, rounded to milliseconds.",
        "S: 220 mx.test\nSILENT",
        clock,
        ["in order"],
    ),
    _rule(
        "close",
        "When the script has ended the connection is closed.",
        "SILENT",
        effects(),
        ["done"],
        is_left=True,
    ),
)
