"""The questions of one connection: which transactions, in which order, for which options."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checker_smtp.probes.observation import Purpose, Transaction
from checker_smtp.probes.options import Options

__all__ = [
    "TRANSACTIONS",
    "TransactionRow",
    "has_shared_transaction",
    "own_transactions",
    "shared_transactions",
    "transactions_for",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRow:
    """One transaction: its purpose, the options that want it, its sender and its recipient.

    `is_shared` is true for options under which the transaction names no domain, so that one reply serves
    every domain of the address.
    """

    purpose: Purpose
    is_wanted: Callable[[Options], bool]
    sender: Callable[[Options], str]
    recipient: Callable[[Options], str]
    is_shared: Callable[[Options], bool] = lambda _: False


def _is_relay_shared(options: Options) -> bool:
    """Return True unless the relay probe would be addressed to the tested domain, which has another one."""
    return options.probe_address == options.test_probe_address


def _postmaster(options: Options) -> str:
    return f"postmaster@{options.domain}"


TRANSACTIONS = (
    TransactionRow(
        purpose="null-sender",
        is_wanted=lambda options: options.test_null_sender,
        sender=lambda _: "",
        recipient=_postmaster,
    ),
    TransactionRow(
        purpose="postmaster",  # the control of the null sender as well
        is_wanted=lambda options: options.test_null_sender or options.test_postmaster,
        sender=lambda options: options.sender,
        recipient=_postmaster,
    ),
    TransactionRow(
        purpose="relay",
        is_wanted=lambda options: options.test_open_relay,
        sender=lambda options: options.sender,
        recipient=lambda options: options.probe_address,
        is_shared=_is_relay_shared,
    ),
)
"""The transactions in the order in which they are sent. Each is MAIL, RCPT, RSET: no message is ever sent."""


def transactions_for(options: Options) -> tuple[Transaction, ...]:
    """Return all transactions for one domain, without replies, in order."""
    return own_transactions(options) + shared_transactions([options])


def own_transactions(options: Options) -> tuple[Transaction, ...]:
    """Return the transactions of which the replies say something about this domain only."""
    return tuple(
        _transaction(row, options)
        for row in TRANSACTIONS
        if row.is_wanted(options) and not row.is_shared(options)
    )


def shared_transactions(domains: Iterable[Options]) -> tuple[Transaction, ...]:
    """Return the transactions of which the replies serve several of these domains.

    The options of the domains differ in the domain only, so the first that shares any transaction decides.
    """
    first = next(filter(has_shared_transaction, domains), None)
    if first is None:
        return ()
    return tuple(
        _transaction(row, first) for row in TRANSACTIONS if row.is_wanted(first) and row.is_shared(first)
    )


def has_shared_transaction(options: Options) -> bool:
    """Return True where a transaction of this domain serves others as well."""
    return any(row.is_wanted(options) and row.is_shared(options) for row in TRANSACTIONS)


def _transaction(row: TransactionRow, options: Options) -> Transaction:
    return Transaction(purpose=row.purpose, sender=row.sender(options), recipient=row.recipient(options))
