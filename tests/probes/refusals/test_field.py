"""Labelled replies of real servers, where they are at hand: nobody is accused who is not at fault."""

import json
from pathlib import Path

import pytest

from checker_smtp.probes.refusals import Reason
from tests.probes.refusals.replies import read

REPLIES = Path(__file__).parents[3] / ".." / "shared" / "replies" / "dev.json"

# Names no client, and Sendmail says the same of a recipient: `policy`, which needs a control, accuses nobody.
UNDECIDED = {"550 5.7.1 <root@nijo.example.jp>... Access denied"}

EXPECTED = {"M": Reason.MAILBOX, "F": Reason.MAILBOX_FULL, "R": Reason.NOT_SERVED}


def test_labelled_replies() -> None:
    if not REPLIES.exists():
        pytest.skip("the labelled replies are not beside this repository")
    wrong = []
    for label, reply in json.loads(REPLIES.read_text(encoding="utf-8")):
        refusal = read(reply)
        if label == "U":
            right = refusal.blames_client or (reply in UNDECIDED and refusal.reason is Reason.POLICY)
        elif label == "T":
            right = not refusal.may_be_critical
        else:
            right = refusal.reason is EXPECTED[label] and not refusal.blames_client
        if not right:
            wrong.append((label, reply, refusal))
    assert not wrong
