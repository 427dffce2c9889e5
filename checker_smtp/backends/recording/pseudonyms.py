"""Pseudonyms for names, addresses and mailboxes, the same one wherever they occur.

Relations stay: what was below a domain is below its pseudonym, public suffixes and labels such as `mx` are
kept, and so are addresses that are not public. A public address becomes one for documentation (RFC 5737,
RFC 3849). The pseudonym of a registered domain is `anon` and six digits, so that it is nobody else's.
"""

import hashlib
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import chain
from typing import Final, TypeAlias

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.refusals import is_known_page

from .case import CaseError

__all__ = ["KEPT_DOMAINS", "Pseudonyms"]

_Address: TypeAlias = IPv4Address | IPv6Address

KEPT_DOMAINS: Final = ("example.com", "example.net", "example.org", "happydomain.org", "root-servers.net")
"""Domains for documentation (RFC 2606), those of the default options, and the root's."""

_KEPT_MAILBOXES: Final = ("abuse", "hostmaster", "mailer-daemon", "postmaster", "webmaster")
_is_usual = re.compile(
    r"(?:[0-9]+|_.*|(?:mx|mail|smtp|relay|in|inbound|ns|www|localhost)[0-9]{0,2})"
).fullmatch
_POOLS: Final = {
    4: tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))),
    6: (ip_network("2001:db8::/32"),),
}
_REVERSE: Final = (".in-addr.arpa", ".ip6.arpa")
# the code of a reply that has more lines is no part of the name behind it; no match begins within a path,
# because one began before it: a long path takes linear time
_START: Final = r"(?:(?<=^[2-5][0-9]{2}-)|(?<![\w.-])(?<!\w/)(?!^[2-5][0-9]{2}-))"
_TOKEN: Final = re.compile(
    rf"{_START}(?P<mailbox>[\w.+-]+)(?=@[\w\[])"
    rf"|{_START}(?P<name>(?:[a-z0-9_](?:[a-z0-9_/-]*[a-z0-9_])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9-]*[a-z0-9])"
    r"|(?P<ip4>(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[\w]))"
    r"|(?<![\w:.])(?:IPv6:)?(?P<ip6>(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:]))",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)


class Pseudonyms:
    """The pseudonyms of one case: names below `domains`, public addresses, and mailboxes but `kept`.

    `salt` decides them. `texts` are searched for addresses for documentation, which are not given twice.
    """

    def __init__(
        self, salt: bytes, domains: Iterable[str], kept: Iterable[str], texts: Iterable[str]
    ) -> None:
        self._salt = salt
        self._kept = frozenset((*_KEPT_MAILBOXES, *kept))
        self._domains = {domain for domain in domains if domain and domain not in KEPT_DOMAINS}
        self._labels: dict[str, str] = {}
        for domain in sorted(self._domains):
            self._labels[domain.partition(".")[0]] = f"anon{self.digest(domain)[:6]}"
        self._most_labels = max((domain.count(".") + 1 for domain in self._domains), default=0)
        self._suffixes = set(chain.from_iterable(d.split(".")[1:] for d in self._domains))
        self._addresses: dict[_Address, _Address] = {}
        used = {match["ip4"] or match["ip6"] for text in texts for match in _TOKEN.finditer(text)}
        self._free = {
            version: (one for network in pools for one in network.hosts() if str(one) not in used)
            for version, pools in _POOLS.items()
        }

    def text(self, text: str) -> str:
        """Return `text` with every name, address and mailbox in it replaced."""
        return _TOKEN.sub(self._replaced, text)

    def name(self, name: str) -> str:
        """Return the pseudonym of a host name or of a name of the reverse DNS, with its final dot."""
        bare = name.removesuffix(".").lower()
        if bare.endswith(_REVERSE):
            return self._reverse(bare) + "." * name.endswith(".")
        if "/" in name:
            # the address of a page without what is before the host
            return "/".join(map(self.name, name.split("/")))
        labels = bare.split(".")
        end = self._end_of_domain(labels)
        if end == 0:
            return name
        # behind the domain there may be the end of the name of a file, such as html
        given = ".".join((*map(self._label, labels[:end]), *labels[end:])) + "." * name.endswith(".")
        return given.upper() if name.isupper() else given

    def _end_of_domain(self, labels: list[str]) -> int:
        """Return the number of labels up to the end of the last of the domains among them, 0 for none."""
        for end in range(len(labels), 0, -1):
            for start in range(max(0, end - self._most_labels), end):
                if ".".join(labels[start:end]) in self._domains:
                    return end
        return 0

    def address(self, text: str) -> str:
        """Return the pseudonym of an address in any form; other text and other addresses as they are."""
        try:
            address = ip_address(text)
        except ValueError:
            return text
        return text if why_not_public(text) else str(self._public(address))

    def mailbox(self, local: str) -> str:
        """Return the pseudonym of a local part."""
        return local if local.lower() in self._kept else self._scrambled(local.lower())

    @property
    def networks(self) -> tuple[str, ...]:
        """The addresses that were given, as networks of one: they have to be allowed as targets."""
        return tuple(str(ip_network(address)) for address in self._addresses.values())

    def pieces(self, pieces: list[str]) -> list[str]:
        """Return what was received in pieces, each for one given; one inside a name may become empty."""
        found: list[str] = []
        start = 0
        matches = [(m.start(), m.end(), self._replaced(m)) for m in _TOKEN.finditer("".join(pieces))]
        for piece in pieces:
            end = start + len(piece)
            found.append(_part(piece, start, [one for one in matches if one[0] < end and one[1] > start]))
            start = end
        return found

    def _replaced(self, match: re.Match[str]) -> str:
        if match["mailbox"]:
            return self.mailbox(match["mailbox"])
        if match["name"]:
            return self.name(match["name"])
        address = match["ip4"] or match["ip6"]
        return match[0].removesuffix(address) + self.address(address)

    def _label(self, label: str) -> str:
        if label not in self._labels:
            is_kept = label in self._suffixes or _is_usual(label) or is_known_page(f"{label}.")
            self._labels[label] = label if is_kept else self._scrambled(label)
        return self._labels[label]

    def _scrambled(self, text: str) -> str:
        """Return other letters for the letters and other digits for the digits of `text`."""
        digest = iter(self.digest(text) * (len(text) // 64 + 1))
        kinds = ((character, int(next(digest), 16)) for character in text)
        return "".join(
            str(number % 10)
            if character.isdigit()
            else "bcdfghjklmnpqrst"[number]
            if character.isalpha()
            else character
            for character, number in kinds
        )

    def _reverse(self, name: str) -> str:
        """Return the name of the reverse DNS for another address; those of networks are without one."""
        labels = name.split(".")[:-2]
        if name.endswith(_REVERSE[1]):
            if len(labels) != 32:
                return name
            nibbles = "".join(reversed(labels))
            address = ":".join(nibbles[start : start + 4] for start in range(0, 32, 4))
            other = ip_address(self.address(str(ip_address(address))))
            return other.reverse_pointer if other.version == 6 else name
        if len(labels) < 4:
            return name
        # between host and network there may be a delegation (RFC 2317)
        host, *delegation, third, second, first = labels
        *net, last = self.address(".".join((first, second, third, host))).split(".")
        return ".".join((last, *delegation, *reversed(net))) + _REVERSE[0]

    def _public(self, address: _Address) -> _Address:
        if address not in self._addresses:
            free = next(self._free[address.version], None)
            if free is None:
                raise CaseError("this case has more public addresses than there are pseudonyms for them")
            self._addresses[address] = free
        return self._addresses[address]

    def digest(self, text: str) -> str:
        """Return a digest that follows from `text` and the salt."""
        return hashlib.sha256(self._salt + text.encode()).hexdigest()


def _part(piece: str, start: int, matches: list[tuple[int, int, str]]) -> str:
    """Return a piece that begins at `start` of the whole, with its share of each replacement."""
    parts: list[str] = []
    position = start
    for begin, end, replacement in matches:
        parts.append(piece[position - start : max(begin, position) - start])
        position = min(end, start + len(piece))
        first, last = max(begin, start) - begin, position - begin
        parts.append(replacement[first : None if position == end else last])
    return "".join(parts) + piece[position - start :]
