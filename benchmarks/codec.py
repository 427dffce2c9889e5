"""Reading one DNS answer: the fast codec beside the full one, which is dnspython.

Theory: beside the system calls, reading is most of what a question costs, so the fast codec is worth its
lines only if it is many times as fast. The answers are those of `dns_far_end`, with two records or one, and
both codecs give the same records as text. `dns` has what remains of the difference in a whole question.
"""

from collections.abc import Callable
from functools import partial
from itertools import repeat
from time import process_time

from checker_smtp.backends.dns import codec_fast, codec_full

from .dns_far_end import RECORDS, respond
from .figures import Requirement, in_turns, table

__all__ = ["run"]

_ROUNDS = 7
_ANSWERS = 500
_LEAST = 10.0


def run() -> list[Requirement]:
    """Print microseconds an answer for each codec and type; compare the sums."""
    measures = {}
    for rdtype in RECORDS:
        _, _, section = codec_full.encode_question("mx1.example.org", rdtype)
        query = codec_fast.HEADER.pack(1, 0x0100, 1, 0, 0, 0) + section
        answer = respond(query)
        measures["fast", rdtype] = partial(_seconds, codec_fast.decode_message, answer, section, rdtype)
        measures["full", rdtype] = partial(_seconds, codec_full.decode_message, answer, query, rdtype)
    seconds = in_turns(_ROUNDS, measures)
    print(f"{_ANSWERS} answers, median of {_ROUNDS} runs: microseconds of CPU time each")
    cells = ([codec, *(_cell(seconds[codec, rdtype]) for rdtype in RECORDS)] for codec in ("full", "fast"))
    print(table(["codec", *RECORDS], cells))
    full, fast = (sum(seconds[codec, rdtype] for rdtype in RECORDS) for codec in ("full", "fast"))
    times = full / fast
    return [Requirement(f"at least {_LEAST:g} × as fast", f"{times:.1f} ×", times >= _LEAST)]


def _cell(seconds: float) -> str:
    return f"{seconds / _ANSWERS * 1e6:.1f}"


def _seconds(
    decode: Callable[[bytes, bytes], codec_fast.DnsMessage | None], answer: bytes, asked: bytes, rdtype: str
) -> float:
    message = decode(answer, asked)
    assert message is not None
    assert sum(len(rrset.data) for rrset in message.answer) == RECORDS[rdtype]
    began = process_time()
    for _ in repeat(None, _ANSWERS):
        decode(answer, asked)
    return process_time() - began
