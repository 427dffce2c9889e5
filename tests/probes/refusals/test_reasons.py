"""Refusals in the wording of real servers: each has its reason, and blames the client or does not."""

import pytest

from checker_smtp.probes.refusals import Reason
from tests.probes.refusals.replies import from_file, read

CLIENT = from_file("replies_client.txt")
DOMAIN = from_file("replies_domain.txt")
DEFERRED = from_file("replies_deferred.txt")


def test_refusals_of_the_client() -> None:
    for expected, reply in CLIENT:
        refusal = read(reply)
        policy_alone = expected == "policy"
        assert refusal.blames_client is not (policy_alone or "mail too quickly" in reply), (reply, refusal)
        mark = "!" if refusal.reason is Reason.POLICY and refusal.blames_client else ""
        assert f"{refusal.reason}{mark}" in expected.split("|"), (reply, refusal)
        assert not refusal.may_be_critical, reply


def test_refusals_of_the_domain() -> None:
    for expected, reply in DOMAIN:
        refusal = read(reply)
        assert refusal.reason in expected.split("|"), (reply, refusal)
        assert not refusal.blames_client, (reply, refusal)


def test_deferrals() -> None:
    for expected, reply in DEFERRED:
        refusal = read(reply)
        assert f"{refusal.reason}{'+' if refusal.is_lasting else ''}" in expected.split("|"), (reply, refusal)
        assert not refusal.may_be_critical, reply
        assert not refusal.blames_client, (reply, refusal)


@pytest.mark.slow
def test_words_are_of_the_reply_or_its_code() -> None:
    for _, reply in CLIENT + DOMAIN + DEFERRED:
        words = read(reply).words
        one_line = " ".join(reply.split())
        codes = (reply[:3], f"{reply[0]}.")
        assert words in one_line or words.startswith(codes) or words.split()[0] in one_line, (reply, words)
