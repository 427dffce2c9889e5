"""Parsers for the records of an answer in presentation format (`name ttl IN type data`).

Only an answer that says so has records, and only those at the end of its alias chain count: what else came
with it is evidence and nothing more.
"""

import ipaddress
import re
from dataclasses import replace

from checker_smtp.probes.addresses import Address
from checker_smtp.probes.ports import DnsAnswer, DnsStatus

from .chain import AliasChain, follow_aliases

__all__ = [
    "count_omitted",
    "has_alias_beside",
    "normalize_name",
    "parse_addresses",
    "parse_aliases",
    "parse_literal",
    "parse_mx",
    "parse_records",
    "unescape",
]

_escape = re.compile(r"\\(?:([0-9]{3})|(.))", re.DOTALL)
_is_number = re.compile(r"[0-9]{1,10}").fullmatch


def parse_records(answer: DnsAnswer) -> tuple[tuple[int, str], ...]:
    """Return (ttl, data) of the records that answer the question; malformed lines are skipped."""
    if answer.status is not DnsStatus.ANSWER:
        return ()
    end = (answer.name, *parse_aliases(answer).names)[-1]
    return tuple((ttl, data) for owner, ttl, data in _rows(answer, answer.rdtype) if owner == end)


def count_omitted(answer: DnsAnswer) -> int:
    """Return how many records that answer the question were left out; what was not asked for goes first."""
    last = _rows(replace(answer, records=answer.records[-1:]), answer.rdtype)
    end = (answer.name, *parse_aliases(answer).names)[-1]
    return answer.omitted if any(owner == end for owner, _, _ in last) else 0


def _rows(answer: DnsAnswer, rdtype: str) -> list[tuple[str, int, str]]:
    rows = (record.split(maxsplit=4) for record in answer.records)
    return [
        (normalize_name(row[0]), int(row[1]), row[4])
        for row in rows
        if len(row) == 5 and _is_number(row[1]) and row[3].upper() == rdtype
    ]


def normalize_name(name: str) -> str:
    """Return `name` in lower case without the final dot; the root is `.`."""
    name = name.lower()
    return name if name == "." else name.removesuffix(".")


def parse_addresses(answer: DnsAnswer) -> tuple[str, ...]:
    """Return the addresses of an answer to A or AAAA, in numerical order."""
    read = (_address(answer.rdtype, data) for _, data in parse_records(answer))
    return tuple(str(ip) for ip in sorted({ip for ip in read if ip is not None}, key=int))


def _address(rdtype: str, data: str) -> Address | None:
    """Return the address of a record; None for a malformed one or one with a scope of this machine."""
    try:
        ip = ipaddress.IPv4Address(data) if rdtype == "A" else ipaddress.IPv6Address(data)
    except ValueError:
        return None
    return None if "%" in data else ip


def parse_mx(answer: DnsAnswer) -> list[tuple[int, str, int]]:
    """Return (preference, target, ttl) of the MX records, the most preferred first."""
    rows = ((data.split(), ttl) for ttl, data in parse_records(answer))
    return sorted(
        (int(fields[0]), normalize_name(fields[1]), ttl)
        for fields, ttl in rows
        if len(fields) == 2 and _is_number(fields[0])
    )


def parse_aliases(answer: DnsAnswer) -> AliasChain:
    """Return the chain of aliases behind the name in the question, up to the name whose records count."""
    owners = {owner for owner, _, _ in _rows(answer, answer.rdtype)}
    steps = [
        {owner: normalize_name(data) for owner, _, data in _rows(answer, rdtype)}
        for rdtype in ("CNAME", "DNAME")
    ]
    return follow_aliases(answer.name, owners, *steps)


def has_alias_beside(answer: DnsAnswer) -> bool:
    """Return whether the name in the question has records of its own and an alias as well."""
    aliased = any(owner == answer.name for owner, _, _ in _rows(answer, "CNAME"))
    return aliased and not parse_aliases(answer).names


def unescape(name: str) -> str:
    """Return the octets of a name in presentation format (RFC 1035 §5.1), each as one character."""
    return _escape.sub(lambda match: chr(int(match[1])) if match[1] else match[2], name)


def parse_literal(target: str) -> str:
    """Return the IP address that an MX target spells instead of a host name; empty for a name.

    Understands dotted, shortened, hexadecimal, octal and plain-number IPv4, IPv6, and both in brackets.
    """
    text = unescape(target).strip("[]").removeprefix("ipv6:")
    if ":" in text:
        try:
            return str(ipaddress.IPv6Address(text.partition("%")[0]))
        except ValueError:
            return ""
    parts = text.split(".")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return ""
    if len(parts) > 4:
        return ""
    *head, last = numbers
    if any(n > 255 for n in head) or last >= 256 ** (5 - len(parts)):
        return ""
    high = sum(n << (24 - 8 * i) for i, n in enumerate(head))
    return str(ipaddress.IPv4Address(high + last))


def _number(part: str) -> int:
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]+", part) or len(part) > 12:
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part, 16)
    return int(part, 8 if part.startswith("0") and part != "0" and not re.search("[89]", part) else 10)
