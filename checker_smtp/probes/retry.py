"""The retry of a server that deferred: by greylisting, or by a 4yz before any question."""

from dataclasses import replace

from .observation import Purpose, Session, Transaction
from .options import Options
from .refusals import Reason, Step, read_refusal

__all__ = ["is_deferred", "merge_retry", "retry_options"]

# A server that defers a recipient for these reasons does not relay: a second answer would be the same.
_NOT_RELAYED = (Reason.NOT_SERVED, Reason.LOGIN)


def is_deferred(sessions: tuple[Session, ...]) -> bool:
    """Return True where a question, or the greeting or EHLO, got a 4yz that a retry may settle."""
    return _is_deferred_at_start(sessions) or bool(_deferred_purposes(sessions))


def retry_options(options: Options, first: tuple[Session, ...]) -> Options:
    """Return the options of a retry, which asks again only what was deferred, or all if nothing was asked.

    Mail to postmaster is the control of the null sender, and is asked for together with it.
    """
    if _is_deferred_at_start(first):
        return options
    deferred = _deferred_purposes(first)
    return replace(
        options,
        test_null_sender=options.test_null_sender and "null-sender" in deferred,
        test_postmaster="postmaster" in deferred,
        test_open_relay=options.test_open_relay and "relay" in deferred,
    )


def merge_retry(first: tuple[Session, ...], retry: tuple[Session, ...]) -> tuple[Session, ...]:
    """Return the sessions of both attempts; the answers of the retry count, where there are any."""
    if retry[0].greeting is None or not _is_deferred_at_start(first):
        return first + retry
    # the first attempt asked nothing: the questions belong to the retry
    return retry + tuple(replace(session, transactions=()) for session in first)


def _deferred_purposes(sessions: tuple[Session, ...]) -> set[Purpose]:
    final = {t.purpose: t for s in sessions for t in s.transactions if t.verdict is not None}
    return {purpose for purpose, transaction in final.items() if _may_be_settled(transaction)}


def _may_be_settled(transaction: Transaction) -> bool:
    verdict = transaction.verdict
    if verdict is None or not verdict.transient:
        return False
    if transaction.purpose != "relay":
        return True
    step = Step.MAIL if verdict is transaction.mail else Step.RCPT
    refusal = read_refusal(
        verdict.code, verdict.enhanced_code, verdict.text, step=step, sender=transaction.sender
    )
    return refusal.reason not in _NOT_RELAYED


def _is_deferred_at_start(sessions: tuple[Session, ...]) -> bool:
    """Return True where the last reply before any question is a 4yz."""
    main = sessions[0]
    last = next((reply for reply in (main.helo, main.ehlo, main.greeting) if reply is not None), None)
    return last is not None and last.transient
