"""A case without the names, addresses and mailboxes of its domain.

Names are those of the options, of the DNS answers, and of the greetings and replies to EHLO. The domains of
others that a server names in its texts stay: blocklists, its software, its help pages.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Final

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.probes.registered_domain import registered_domain
from smtp_sansio import Certificate, Connect, Effect, Outcome, Received, Secured, Send, Transcript, Upgrade

from .case import Case
from .pseudonyms import Pseudonyms

__all__ = ["anonymize"]

_RECORD: Final = re.compile(r"(\S+) [0-9]+ IN (MX|CNAME|PTR|A|AAAA) (?:[0-9]+ )?(\S+)").fullmatch
# the name with which a server greets or replies to EHLO (RFC 5321 §4.1.1.1, §4.2)
_SERVER_NAME: Final = re.compile(r"^2[0-9]{2}[ -]((?:[\w-]+\.)+[\w-]+)", re.ASCII | re.MULTILINE)


def anonymize(case: Case, salt: bytes) -> Case:
    """Return `case` under pseudonyms that follow from `salt`; its findings have to be computed anew."""
    texts = list(_texts(case))
    token = sha256(f"{case.seed}".encode()).hexdigest()[:16]
    given = Pseudonyms(salt, set(_domains(case)), kept=(f"nobody-{token}",), texts=texts)
    dns = tuple(_answer(answer, given) for answer in case.dns)
    sessions = tuple(_session(one, given) for one in case.sessions)
    return replace(
        case,
        dns=dns,
        sessions=sessions,
        resolver=given.text(case.resolver),
        options=_options(case.options, given),
        expected=(),
    )


def _domains(case: Case) -> Iterator[str]:
    """Yield the registered domains that belong to the checked domain or to the client."""
    options = case.options
    names = [
        options.domain,
        options.helo_name,
        options.test_probe_address.rpartition("@")[2],
        *options.controls,
    ]
    for answer in case.dns:
        for record in answer.records:
            if (match := _RECORD(record)) is not None and answer.rdtype != "NS":
                names += match[1], match[3]
    for one in case.sessions:
        names += [effect.server_name for effect, _ in one if isinstance(effect, Upgrade)]
        received = "".join(o.data.decode("latin-1") for _, o in one if isinstance(o, Received))
        names += _SERVER_NAME.findall(received)
    for name in (*names, *options.mx):
        bare = name.lower().removesuffix(".")
        if not bare.endswith(".arpa"):
            yield registered_domain(bare) or (bare if "." in bare and not bare[-1].isdigit() else "")


def _texts(case: Case) -> Iterator[str]:
    yield " ".join((*case.options.allow_targets, *case.options.mx, case.resolver))
    for answer in case.dns:
        yield " ".join((answer.name, *answer.records, answer.detail))
    for one in case.sessions:
        yield one.dumps()


def _options(options: Options, given: Pseudonyms) -> Options:
    local, _, domain = options.test_probe_address.rpartition("@")
    kept = tuple(network for network in options.allow_targets if why_not_public(network.partition("/")[0]))
    return replace(
        options,
        domain=given.name(options.domain),
        helo_name=given.name(options.helo_name),
        helo_reason=given.text(options.helo_reason),
        test_probe_address=f"{given.mailbox(local)}@{given.name(domain)}",
        controls=tuple(map(given.name, options.controls)),
        mx=tuple(given.address(given.name(name)) for name in options.mx),
        rule_options=tuple(map(given.text, options.rule_options)),
        allow_targets=(*kept, *given.networks),
    )


def _answer(answer: DnsAnswer, given: Pseudonyms) -> DnsAnswer:
    return replace(
        answer,
        name=given.name(answer.name),
        records=tuple(map(given.text, answer.records)),
        detail=given.text(answer.detail),
    )


def _session(transcript: Transcript, given: Pseudonyms) -> Transcript:
    made, run = Transcript(), list[tuple[Effect, Received]]()
    for effect, outcome in transcript:
        if isinstance(outcome, Received) and outcome.data:
            run.append((effect, outcome))
            continue
        _note_run(made, run, given)
        made.note(_effect(effect, given), _outcome(outcome, given))
    _note_run(made, run, given)
    return made


def _note_run(made: Transcript, run: list[tuple[Effect, Received]], given: Pseudonyms) -> None:
    """Note what was received in a row and forget it; a piece of which nothing is left would be an end."""
    pieces = given.pieces([outcome.data.decode("latin-1") for _, outcome in run])
    for (effect, outcome), piece in zip(run, pieces, strict=True):
        if piece:
            made.note(_effect(effect, given), replace(outcome, data=piece.encode("latin-1")))
    run.clear()


def _effect(effect: Effect, given: Pseudonyms) -> Effect:
    match effect:
        case Connect():
            return replace(effect, host=given.address(effect.host))
        case Send():
            return replace(effect, data=given.text(effect.data.decode("latin-1")).encode("latin-1"))
        case Upgrade():
            return replace(effect, server_name=given.name(effect.server_name))
        case _:
            return effect


def _outcome(outcome: Outcome, given: Pseudonyms) -> Outcome:
    if not isinstance(outcome, Secured) or outcome.certificate is None:
        return outcome
    shown = outcome.certificate
    certificate: Certificate = replace(
        shown,
        sha256=given.digest(shown.sha256),
        common_name=given.text(shown.common_name),
        dns_names=tuple(map(given.text, shown.dns_names)),
        issuer=given.text(shown.issuer),
    )
    return replace(outcome, certificate=certificate)
