"""Observations that hypothesis draws: any mixture of facts, possible or not, as a stored one may hold.

Only what every observation keeps to is kept to: addresses occur once, and so does each purpose at an address;
evidence numbers point into the transcript; names and failures are printable; TLS follows on a STARTTLS that
was accepted; a null MX has a preference and no targets.
"""

from dataclasses import replace
from functools import partial

from hypothesis import strategies as st

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.observation import (
    Control,
    Coverage,
    Ending,
    Endpoint,
    FamilyCoverage,
    Irregularity,
    Keyword,
    Mx,
    MxTarget,
    Observation,
    ReverseDns,
    Session,
    Settings,
    Tls,
    TlsIssue,
    TlsProbe,
    Transaction,
)
from checker_smtp.probes.ports import DnsStatus
from smtp_sansio import DeviationKind, FailureKind
from tests.probes.observations import CONTROL, reply, settings
from tests.probes.world import answer, options

ENTRIES = tuple({"do": "receive", "got": f"250 {n}\r\n", "at": n * 1.5} for n in range(12))
ADDRESSES = ("192.0.2.7", "192.0.2.8", "2001:db8::7", "2001:db8::8")
NAMES = st.sampled_from(["mx.example.org", "b.test", "192.0.2.1", "0", "a\\032b.test", "x" * 63 + ".test"])
STEPS = [
    "connect",
    "greeting",
    "EHLO",
    "HELO",
    "STARTTLS",
    "TLS",
    "EHLO after STARTTLS",
    "MAIL",
    "RCPT",
    "QUIT",
]
KINDS = [*map(str, FailureKind), "syntax.reply", "limit.line", "starttls.plaintext"]
PURPOSES = [
    "main",
    "helo-only",
    "without-sni",
    "without-tls",
    "one-by-one",
    "continued",
    "relay-control",
    "served-control",
]
KEYWORDS = ["STARTTLS", "PIPELINING", "8BITMIME", "AUTH", "XXXXXXXA", "SIZE", "\x1b[31m"]
REPLIES = [
    *[
        "220 mx",
        "250 ok",
        "250 2.1.5 ok",
        "251 ok",
        "354 go",
        "421 4.3.2 closing",
        "450 4.2.0 later",
        "454 no",
    ],
    *[
        "452 4.2.2 full",
        "502 what?",
        "521 no mail",
        "530 5.7.0 TLS first",
        "550 no",
        "550 5.1.1 no such user",
    ],
    *["550 5.1.8 sender address rejected", "550 5.4.1 Recipient address rejected: Access denied", "552 full"],
    *[
        "550 5.7.1 policy",
        "554 5.7.1 Client host [203.0.113.9] blocked using zen.test",
        "554 Relay access denied",
    ],
    *[
        "550 Access denied|550 \x1b[31m\x00\xff",
        "550 your\x85IP",
        "999 what?",
        "000 what?",
        "599 5.2.2 what?",
    ],
]


def _irregularities(n: int) -> list[Irregularity]:
    kinds = list(DeviationKind)[n % 7 :: 7] if n % 3 == 0 else []
    return [
        Irregularity(kind=str(k), line=1, offset=n, excerpt="\x1b\n", reference=k.reference) for k in kinds
    ]


# Drawn whole, not piece by piece, which hypothesis would take minutes for.
_REPLIES = [
    reply(text, entry=n % len(ENTRIES), at=n * 0.7, deviations=_irregularities(n))
    for n, text in enumerate(REPLIES * 4)
]
# each a thing of its own: evidence goes by identity
maybe_reply = st.sampled_from([None] * len(REPLIES) + _REPLIES).map(lambda seen: seen and replace(seen))
_PARAMETERS = ((), ("PLAIN",), ("login", "SCRAM-SHA-1"), ("\x1b[31m", "é", "="))
_KEYWORDS = [Keyword(keyword=k, parameters=p) for k in KEYWORDS for p in _PARAMETERS]
keywords = st.lists(st.sampled_from(_KEYWORDS), max_size=3).map(tuple)
endings = st.builds(
    Ending,
    step=st.sampled_from(STEPS),
    kind=st.sampled_from(KINDS),
    detail=st.sampled_from(["", "tlsv1 unrecognized name", "no route to host"]),
    at=st.floats(0, 100),
    entry=st.integers(0, len(ENTRIES) - 1),
    excerpt=st.sampled_from(["", "<html>\r\n\x1b"]),
)
handshakes = st.sampled_from(
    [Tls(version=v, cipher="X", server_name="", at=0.0) for v in ("TLSv1.3", "TLSv1", "SSLv3", "")]
)
PLANS = [
    transactions_for(options(test_null_sender=null, test_postmaster=postmaster, test_open_relay=relay))
    for null in (True, False)
    for postmaster in (True, False)
    for relay in (True, False)
]


@st.composite
def transactions(draw: st.DrawFn) -> tuple[Transaction, ...]:
    """Draw the transactions of some plan, answered in part."""
    return tuple(
        replace(t, mail=draw(maybe_reply), rcpt=draw(maybe_reply), rset=draw(maybe_reply))
        for t in draw(st.sampled_from([*PLANS, (CONTROL,)]))
    )


@st.composite
def sessions(draw: st.DrawFn, purpose: str) -> Session:
    """One connection, of which anything may have been heard."""
    starttls = draw(maybe_reply)
    secured = starttls is not None and starttls.positive and draw(st.booleans())
    return Session(
        purpose=purpose,
        connected_at=draw(st.sampled_from([None, 0.0, 0.0, 11.5])),
        greeting=draw(maybe_reply),
        ehlo=draw(maybe_reply),
        helo=draw(maybe_reply),
        capabilities=draw(keywords),
        starttls=starttls,
        tls=draw(handshakes) if secured else None,
        ehlo_tls=draw(maybe_reply),
        capabilities_tls=draw(keywords),
        transactions=draw(transactions()),
        quit=draw(maybe_reply),
        unsolicited=tuple(filter(None, [draw(maybe_reply)])) if draw(st.booleans()) else (),
        end=draw(st.none() | endings),
        transcript=ENTRIES,
    )


names = st.lists(NAMES, max_size=3, unique=True).map(tuple)
statuses = st.sampled_from(DnsStatus)
reverses = st.builds(
    ReverseDns, status=statuses, names=names, total=st.integers(0, 9), confirmed_by=names, unsettled=names
)


@st.composite
def endpoints(draw: st.DrawFn) -> tuple[Endpoint, ...]:
    """Up to three endpoints, each address once."""
    more = st.lists(st.sampled_from(PURPOSES[1:]), max_size=2, unique=True)
    return tuple(
        Endpoint(
            address=address,
            port=25,
            targets=(draw(NAMES),),
            reverse=draw(st.none() | reverses),
            sessions=tuple(draw(sessions(purpose)) for purpose in ("main", *draw(more))),
        )
        for address in draw(st.lists(st.sampled_from(ADDRESSES), max_size=3, unique=True))
    )


targets = st.builds(
    MxTarget,
    preference=st.integers(0, 65535),
    target=NAMES,
    ttl=st.integers(0, 2**31),
    literal=st.sampled_from(["", "", "192.0.2.1"]),
    ipv4=st.sampled_from([(), ("192.0.2.7",), ("192.0.2.7", "192.0.2.8")]),
    ipv6=st.sampled_from([(), ("2001:db8::7",)]),
    ipv4_status=st.none() | statuses,
    ipv6_status=st.none() | statuses,
    aliases=names,
    alias_problem=st.sampled_from(["", "loop", "dangling"]),
    not_public=st.sampled_from([(), (("10.0.0.1", "private (RFC 1918)"), ("::1", "loopback (RFC 4291)"))]),
)
some_targets = st.lists(targets, max_size=3).map(tuple)
mx_sets = st.one_of(
    st.builds(
        Mx,
        status=statuses,
        records=some_targets,
        error=st.sampled_from(["", "said so"]),
        null_preferences=st.sampled_from([(), (0,)]),
        implicit_mx=st.booleans(),
        address_status=st.lists(statuses, max_size=2).map(tuple),
    ),
    st.builds(
        Mx,
        status=st.just(DnsStatus.ANSWER),
        null_mx=st.just(True),
        null_preferences=st.sampled_from([(0,), (10,), (0, 5)]),
    ),
)
issues = st.sampled_from(
    [
        TlsIssue(code=code, severity=severity, message=f"It is {severity}.")
        for code in ("expired", "weak_tls_version")
        for severity in ("info", "warn", "crit")
    ]
)
probes = st.builds(
    TlsProbe, endpoint=st.just("mx.example.org:25"), issues=st.lists(issues, max_size=3).map(tuple)
)
DNS = tuple(
    answer(name, rdtype, f"{name}. 300 IN {rdtype} x")
    for name in ("example.org", "mx.example.org", "b.test", "7.2.0.192.in-addr.arpa")
    for rdtype in ("MX", "A", "AAAA", "PTR")
)
all_settings: st.SearchStrategy[Settings] = st.builds(
    settings,
    test_null_sender=st.booleans(),
    test_postmaster=st.booleans(),
    test_open_relay=st.booleans(),
    ipv4=st.booleans(),
    ipv6=st.booleans(),
)
families = st.builds(partial(FamilyCoverage, published=1), connected=st.integers(0, 1))
observations: st.SearchStrategy[Observation] = st.builds(
    Observation,
    domain=st.just("example.org"),
    run_at=st.just("2026-11-22T09:00:00Z"),
    settings=all_settings,
    mx=mx_sets,
    endpoints=endpoints(),
    coverage=st.builds(Coverage, ipv4=families, ipv6=families),
    dns=st.just(DNS),
    seconds=st.floats(0, 1000),
    tls_probes=st.lists(probes, max_size=2).map(tuple),
    skipped=st.sampled_from([(), ("192.0.2.99:25",)]),
    probe_hosts=names,
    controls=st.lists(
        st.builds(
            Control,
            host=NAMES,
            address=st.sampled_from(ADDRESSES),
            port=st.just(25),
            outcome=st.sampled_from(["connected", "timeout", "refused"]),
        ),
        max_size=2,
    ).map(tuple),
)
