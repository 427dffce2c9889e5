"""Many replies, each with the verdict of an operator: a refusal of the client never accuses the domain.

Labels: U the client, by words that say so; P a policy, or nothing that could be relied on; M the mailbox;
F a full one; R relaying or the domain; L login; G TLS; V a rate; T any 4yz, "T+" one that waiting does not
change, "T-" one that it may.
"""

from itertools import chain
from pathlib import Path

import pytest

from checker_smtp.probes.refusals import Reason, Refusal, load_words
from checker_smtp.probes.refusals.text import mask_mentions, mentions, normalize, split_quotation
from tests.probes.refusals.replies import from_file, parts_of, read

CORPUS = sorted(path.name for path in Path(__file__).with_name("corpus").glob("*.txt"))
REPLIES = ("replies_client.txt", "replies_deferred.txt", "replies_domain.txt")
VAGUE = frozenset((Reason.POLICY, Reason.UNCLEAR))
EXPECTED = {
    "M": Reason.MAILBOX,
    "F": Reason.MAILBOX_FULL,
    "R": Reason.NOT_SERVED,
    "L": Reason.LOGIN,
    "G": Reason.TLS,
    "V": Reason.RATE,
}


def is_right(label: str, refusal: Refusal) -> bool:
    """Return whether a refusal was read as its label says."""
    if label in EXPECTED:
        return refusal.reason is EXPECTED[label] and not refusal.blames_client
    if label == "U":
        return refusal.blames_client and not refusal.may_be_critical
    if label == "P":
        return refusal.reason in VAGUE and not refusal.blames_client
    right = {"T": True, "T+": refusal.is_lasting, "T-": not refusal.is_lasting}
    return right[label] and not refusal.may_be_critical


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPUS)
def test_corpus(name: str) -> None:
    wrong = [
        (label, reply, refusal)
        for label, reply in from_file(f"corpus/{name}")
        if not is_right(label, refusal := read(reply))
    ]
    assert not wrong


@pytest.mark.slow
def test_each_phrase_stands_in_a_reply() -> None:
    texts: list[str] = []
    pages: list[str] = []
    for name in [*(f"corpus/{name}" for name in CORPUS), *REPLIES]:
        for _, reply in from_file(name):
            plain = normalize(parts_of(reply)[2])
            outside, _, inside = split_quotation(plain) or ("", 0, "")
            masked = [mask_mentions(text) for text in (plain, outside, normalize(inside))]
            texts += [text.masked for text in masked]
            pages += [mentions(text).lower() for text in masked]
    unused = [
        (group.name, phrase.expression)
        for group in chain.from_iterable(load_words().values())
        for phrase in group.phrases
        if not any(map(phrase.search, pages if group.stage == "page" else texts))
    ]
    assert not unused
