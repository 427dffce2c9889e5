"""The greeting shows the version of the software, which an operator may not want to show."""

import re
from collections.abc import Iterator

from checker_smtp.rules import (
    Code,
    Finding,
    HoldSession,
    Input,
    Observation,
    RuleOption,
    Severity,
    any_greeted,
    reply_evidence,
    rule,
)

VERSION = re.compile(r"\b(Exim|Haraka|Postfix|Sendmail)[ /](\d+\.\d+[\w.]*)")
SHOWN = Code(
    "example.greeting.version",
    Severity.INFO,
    title="The greeting shows the version of the software",
    why="Programs that look for a vulnerable version find the server by its greeting.",
    fix="Leave the version out of the greeting: `smtpd_banner` in Postfix, `smtp_banner` in Exim.",
    reference="RFC 5321 §4.3.1",
    reproduce=HoldSession(until="greeting"),
    badge="Shows its version",
)

ALLOWED = RuleOption("example.greeting_version.allowed", "", "A version that may be shown, such as 4.96.")


@rule(
    "example.greeting_version",
    Severity.INFO,
    "Checks that the greeting does not show the version of the software.",
    order=55,
    codes=(SHOWN,),
    needs=Input.SESSION,
    tested=any_greeted,
    options=(ALLOWED,),
)
def greeting_version(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose greeting has a name and a version such as Exim 4.96."""
    allowed = ALLOWED.value(observation)
    for endpoint in observation.endpoints:
        greeting = endpoint.main.greeting
        if greeting is None or not greeting.positive:
            continue
        if (shown := VERSION.search(greeting.text)) and shown[2] != allowed:
            message = f"The greeting names the software with its version: {shown[0]}."
            yield SHOWN.finding(endpoint.subject, message, *reply_evidence(endpoint, greeting))
