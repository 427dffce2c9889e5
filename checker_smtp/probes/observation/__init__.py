"""What was seen, and nothing about what it means.

Plain frozen data that goes to JSON and back without loss, so that any stored observation can be judged
again by newer rules. Octets are kept as latin-1 text (one character is one octet); names are in A-labels
without the final dot; times are seconds. Properties only spare readers from spelling out the obvious;
whatever takes judgement is in the rules.
"""

from .dns import Mx, MxTarget, ReverseDns
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
from .session import Ending, Entry, Irregularity, Keyword, Purpose, ReplySeen, Session, Tls, Transaction

__all__ = [
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
]
