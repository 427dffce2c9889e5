"""Observations: the facts of a check, without any verdict.

Plain frozen data that goes to JSON and back without loss, so that newer rules can evaluate any stored
observation again. Octets are kept as latin-1 text (one character is one octet); names are in A-labels without
the final dot; times are seconds. Properties are abbreviations only: verdicts are made by the rules.
"""

from .dns import GIVEN_WITH_REQUEST, Mx, MxTarget, ReverseDns
from .observation import (
    Control,
    Coverage,
    Endpoint,
    FamilyCoverage,
    Observation,
    Settings,
    TlsIssue,
    TlsProbe,
)
from .session import (
    EHLO_KEYWORDS,
    Ending,
    Entry,
    Irregularity,
    Keyword,
    Purpose,
    ReplySeen,
    Session,
    Tls,
    Transaction,
    limit_words,
)

__all__ = [
    "EHLO_KEYWORDS",
    "GIVEN_WITH_REQUEST",
    "Control",
    "Coverage",
    "Ending",
    "Endpoint",
    "Entry",
    "FamilyCoverage",
    "Irregularity",
    "Keyword",
    "Mx",
    "MxTarget",
    "Observation",
    "Purpose",
    "ReplySeen",
    "ReverseDns",
    "Session",
    "Settings",
    "Tls",
    "TlsIssue",
    "TlsProbe",
    "Transaction",
    "limit_words",
]
