"""Refusals in the wording of real servers: each has its reason, and blames the client or does not."""

import pytest

from checker_smtp.probes.refusals import Reason
from tests.probes.refusals.replies import from_file, read

CLIENT = from_file("replies_client.txt")
DOMAIN = from_file("replies_domain.txt")
DEFERRED = from_file("replies_deferred.txt")


@pytest.mark.parametrize(("expected", "reply"), CLIENT)
def test_refusals_of_the_client(expected: str, reply: str) -> None:
    refusal = read(reply)
    policy_alone = expected == "policy"
    assert refusal.blames_client is not (policy_alone or "mail too quickly" in reply), refusal
    mark = "!" if refusal.reason is Reason.POLICY and refusal.blames_client else ""
    assert f"{refusal.reason}{mark}" in expected.split("|"), refusal
    assert not refusal.may_be_critical


@pytest.mark.parametrize(("expected", "reply"), DOMAIN)
def test_refusals_of_the_domain(expected: str, reply: str) -> None:
    refusal = read(reply)
    assert refusal.reason in expected.split("|"), refusal
    assert not refusal.blames_client, refusal


@pytest.mark.parametrize(("expected", "reply"), DEFERRED)
def test_deferrals(expected: str, reply: str) -> None:
    refusal = read(reply)
    assert f"{refusal.reason}{'+' if refusal.is_lasting else ''}" in expected.split("|"), refusal
    assert not refusal.may_be_critical
    assert not refusal.blames_client, refusal


@pytest.mark.slow
@pytest.mark.parametrize("reply", [reply for _, reply in CLIENT + DOMAIN + DEFERRED])
def test_words_are_of_the_reply_or_its_code(reply: str) -> None:
    words = read(reply).words
    one_line = " ".join(reply.split())
    codes = (reply[:3], f"{reply[0]}.")
    assert words in one_line or words.startswith(codes) or words.split()[0] in one_line, words
