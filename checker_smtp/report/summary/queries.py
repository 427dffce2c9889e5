"""The `jq` commands that list the domains of a bucket.

Each condition says in jq what the tally says in Python, so that a command prints as many domains as the page
counts. Values came from servers and files: they are written as JSON in ASCII, without apostrophes, so that
shell, jq and terminal all treat them as text.
"""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.probes.rules import Severity
from checker_smtp.report.advice.software import MAX_READ, SIGNS

from .tally import IPv6

__all__ = [
    "Queries",
    "has_code",
    "has_ipv6",
    "has_provider",
    "has_server",
    "has_software",
    "has_status",
    "has_tls",
    "no_answer",
    "no_tls",
]

_ENDPOINTS = ".observation.endpoints[]?"
_READY = "any(.sessions[] | .ehlo, .helo | values; .code / 100 | floor == 2)"
_IPV6 = {
    IPv6.NOT_TESTED: ".settings.ipv6 | not",
    IPv6.REACHED: ".settings.ipv6 and .coverage.ipv6.connected > 0",
    IPv6.UNTESTABLE: ".settings.ipv6 and (.coverage.ipv6 | .connected == 0 and .published > 0 "
    "and .published == .untestable)",
    IPv6.UNREACHED: ".settings.ipv6 and (.coverage.ipv6 | .connected == 0 "
    "and (.published == 0 or .published != .untestable)) and any(.mx.records[]; .ipv6 != [])",
    IPv6.NONE: ".settings.ipv6 and all(.mx.records[]; .ipv6 == []) and any(.mx.records[]; .ipv4 != [])",
    IPv6.NO_ADDRESS: ".settings.ipv6 and all(.mx.records[]; .ipv6 == [] and .ipv4 == [])",
}


@dataclass(frozen=True, slots=True)
class Queries:
    """Commands for the results at `path`, `-` for standard input; `tolerant` commands skip broken lines.

    A path that ends in `/` is a folder of parts, compressed as its extension says.
    """

    path: str
    tolerant: bool

    def domains(self, condition: str) -> str:
        """Return the command that prints the domains for which `condition` holds, one a line."""
        return self._command("-r", f"select({condition}) | .observation.domain")

    def not_checked(self, kind: str) -> str:
        """Return the command that prints the names not checked and why, as JSON: they may hold anything."""
        return self._command("-ac", f"select(.not_checked == {_text(kind)}) | [.domain, .reason]")

    def _command(self, options: str, program: str) -> str:
        if self.tolerant:
            options, program = f"{options}R", f"fromjson? | ({program})?"
        jq = f"jq {options} '{program}'"
        if self.path == "-":
            return jq
        file = shlex.quote(f"./{self.path}" if self.path.startswith("-") else self.path)
        path = self.path.removesuffix("/")
        if path != self.path:
            file += "part-*"
        if path.endswith(".gz"):
            return f"gzip -dc {file} | {jq}"
        if path.endswith(".zst"):
            return f"zstd -dc {file} | {jq}"
        return f"{jq} {file}"


def has_status(status: str) -> str:
    return f".status == {_text(status)}"


def has_code(code: str, severity: Severity) -> str:
    return f"any(.findings[]?; .code == {_text(code)} and .severity == {_text(severity)})"


def has_tls(version: str) -> str:
    return f"any({_ENDPOINTS}; first(.sessions[].tls | values).version == {_text(version)})"


def no_tls() -> str:
    return f"any({_ENDPOINTS}; {_READY} and all(.sessions[]; .tls == null))"


def no_answer() -> str:
    return f".observation != null and all({_ENDPOINTS}; {_READY} | not)"


def has_provider(provider: str) -> str:
    condition = f". == {_text(provider)}"
    # a name without a registered domain is its own provider, but not that of the names below it
    if provider_of(f"x.{provider}") == provider:
        condition += f" or endswith({_text('.' + provider)})"
    return f"any(.observation.mx.records[]?.target | ascii_downcase; {condition})"


def has_ipv6(state: IPv6) -> str:
    return f".observation | values | {_IPV6[state]}"


def has_server(address: str, port: int) -> str:
    return f"any({_ENDPOINTS}; .address == {_text(address)} and .port == {port})"


def has_software(software: str) -> str:
    """Return the condition for this software; empty for a server that does not identify it."""
    wanted = f"== [{_text(software)}]" if software else "== []"
    return f"any({_ENDPOINTS} | select({_READY}); [{_recognised()}] {wanted})"


@cache
def _recognised() -> str:
    """Return the jq form of `report.software`: greeting, then EHLO, then other replies if they agree."""
    greeting, ehlo, reply = (_first_sign(source) for source in ("greeting", "EHLO", "reply"))
    return (
        f"first((.sessions[].greeting | values | {greeting}), "
        f"(.sessions[] | .ehlo, .helo, .ehlo_tls | values | {ehlo}), "
        "([.sessions[] | .starttls, .quit, (.transactions[] | .mail, .rcpt, .rset), .unsolicited[] "
        f"| values | {reply}] | unique | select(length == 1)[]))"
    )


def _first_sign(source: str) -> str:
    signs: Iterable[tuple[str, str]] = (
        (software, pattern.pattern) for software, where, pattern in SIGNS if where == source
    )
    table = ", ".join(f"[{_text(software)}, {_text(pattern)}]" for software, pattern in signs)
    lines = f'(.text[:{MAX_READ}] | split("\\n"))'
    return f"{lines} as $lines | first(({table}) | select(.[1] as $sign | any($lines[]; test($sign))) | .[0])"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=True).replace("'", "\\u0027")
