"""The names with which a rule of one's own is written.

    from checker_smtp.rules import Code, HoldSession, Input, Severity, any_greeted, reply_evidence, rule

A rule is a function from an `Observation` to findings, decorated by `rule`; it sees what the check saw and
asks nothing itself. docs/rules.md shows one. Give it to `check(…, extra_rules=[…])`, or install it: a module
that holds one rule, named by an entry point of the group `checker_smtp.rules`, is a rule everywhere.
"""

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Session, Transaction
from checker_smtp.probes.rules import (
    Code,
    Evidence,
    Finding,
    HoldSession,
    Input,
    OpenPort,
    Outcome,
    QueryDns,
    QueryReverse,
    ReadOctets,
    RegistryError,
    RepeatSession,
    RepeatTransactions,
    Rule,
    Severity,
    StartTlsHandshake,
    Urgency,
)
from checker_smtp.probes.rules._reading import any_greeted, dns_evidence, reply_evidence
from checker_smtp.probes.rules._rule import RuleOption, rule

__all__ = [
    "Code",
    "Endpoint",
    "Evidence",
    "Finding",
    "HoldSession",
    "Input",
    "Observation",
    "OpenPort",
    "Outcome",
    "QueryDns",
    "QueryReverse",
    "ReadOctets",
    "RegistryError",
    "RepeatSession",
    "RepeatTransactions",
    "ReplySeen",
    "Rule",
    "RuleOption",
    "Session",
    "Severity",
    "StartTlsHandshake",
    "Transaction",
    "Urgency",
    "any_greeted",
    "dns_evidence",
    "reply_evidence",
    "rule",
]
