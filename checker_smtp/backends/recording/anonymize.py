"""A case without names, addresses and mailboxes.

Every name goes: those of the options, of the DNS answers and certificates, and all that a server names in its
texts, because a partner or a provider shows whose server it is. Two kinds stay: domains for documentation,
and those that the words of refusals know, such as a blocklist; they say why mail was refused, and are
in the source of this package already.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Final

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.probes.refusals import is_known_page
from checker_smtp.probes.registered_domain import has_public_suffix, registered_domain
from smtp_sansio import Certificate, Connect, Effect, Outcome, Received, Secured, Send, Transcript, Upgrade

from .case import Case
from .pseudonyms import Pseudonyms

__all__ = ["anonymize"]

_RECORD: Final = re.compile(r"(\S+) [0-9]+ IN (MX|CNAME|PTR|A|AAAA) (?:[0-9]+ )?(\S+)").fullmatch
# the name with which a server greets or replies to EHLO (RFC 5321 §4.1.1.1, §4.2)
_SERVER_NAME: Final = re.compile(r"^2[0-9]{2}[ -]((?:[\w-]+\.)+[\w-]+)", re.ASCII | re.MULTILINE)
# a name anywhere in a text, behind the code of a reply too
_HOST: Final = re.compile(
    r"(?:(?<=^[2-5][0-9]{2}-)|(?<![\w.-]))(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?(?![\w-])",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
# a sentence that ends without a blank before the next one, as in "rejected.To unblock it"
_is_end_of_sentence: Final = re.compile(r".*[a-z]\.[A-Z][a-z]*").fullmatch
# top-level domains inside of a network (RFC 6762, appendix G)
_INTERNAL: Final = tuple(
    f".{name}" for name in ("corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private")
)


def anonymize(case: Case, salt: bytes) -> Case:
    """Return `case` under pseudonyms that follow from `salt`; its findings have to be computed anew."""
    texts = tuple(_texts(case))
    token = sha256(f"{case.seed}".encode()).hexdigest()[:16]
    given = Pseudonyms(
        salt, {*_domains(case), *_domains_of_others(texts)}, kept=(f"nobody-{token}",), texts=texts
    )
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
        names += _SERVER_NAME.findall(_received(one))
    for name in (*names, *options.mx):
        bare = name.lower().removesuffix(".")
        if not bare.endswith(".arpa"):
            yield registered_domain(bare) or (bare if "." in bare and not bare[-1].isdigit() else "")


def _domains_of_others(texts: Iterable[str]) -> set[str]:
    """Return the registered domains of all names in `texts`, but for those that refusals are known by."""
    names = {match[0] for text in texts for match in _HOST.finditer(text)}
    hosts = {name.lower() for name in names if not _is_end_of_sentence(name)}
    hosts = {host for host in hosts if has_public_suffix(host) or host.endswith(_INTERNAL)}
    known = {registered_domain(host) for host in hosts if _is_known(host)}
    return {registered_domain(host) for host in hosts} - known


def _is_known(host: str) -> bool:
    """Return whether the words of refusals know the host by its domain, and not by the kind of a label only.

    They know sender.office.com, and of dnsbl.example.org no more than that it is a list.
    """
    if is_known_page(f"{registered_domain(host)}/"):
        return True
    return is_known_page(host) and not any(is_known_page(f"{label}.") for label in host.split("."))


def _texts(case: Case) -> Iterator[str]:
    options = case.options
    yield " ".join(
        (
            *options.allow_targets,
            *options.mx,
            *options.source_addresses,
            case.resolver,
            options.helo_reason,
        )
    )
    for answer in case.dns:
        yield " ".join((answer.name, *answer.records, answer.detail))
    for one in case.sessions:
        yield from (effect.host for effect, _ in one if isinstance(effect, Connect))
        yield from (effect.data.decode("latin-1") for effect, _ in one if isinstance(effect, Send))
        yield _received(one)
        for _, outcome in one:
            if isinstance(outcome, Secured) and (shown := outcome.certificate) is not None:
                yield " ".join((shown.common_name, *shown.dns_names, shown.issuer))


def _received(transcript: Transcript) -> str:
    """Return what the server said, whole: a name may be cut where a read ended."""
    return "".join(
        outcome.data.decode("latin-1") for _, outcome in transcript if isinstance(outcome, Received)
    )


def _options(options: Options, given: Pseudonyms) -> Options:
    local, _, domain = options.test_probe_address.rpartition("@")
    kept = tuple(network for network in options.allow_targets if why_not_public(network.partition("/")[0]))
    return replace(
        options,
        domain=given.name(options.domain),
        helo_name=given.name(options.helo_name),
        helo_reason=given.text(options.helo_reason),
        source_addresses=tuple(map(given.address, options.source_addresses)),
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
