"""How good the encryption is: the protocol version met here, and what the TLS checker found.

Certificates are another checker's work; its issues are folded in under `smtp.tls.<code>`, worded and graded
as it did. The version is ours to tell, because this session negotiated it.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation

from ._finding import Evidence, Finding, Outcome, Severity, code, rule

WEAK_VERSION = code(
    "smtp.tls.weak_tls_version",
    Severity.WARN,
    title="The encryption is of a version that is withdrawn",
    why="Many senders refuse TLS below 1.2; their mail travels in the clear or not at all.",
    fix="Allow TLS 1.2 and 1.3 (Postfix: `smtpd_tls_protocols = >=TLSv1.2`; Exim: `openssl_options` or "
    "`tls_require_ciphers`), and update the TLS library.",
    reference="RFC 8996 §4, §5",
)

_WITHDRAWN = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")


@rule(
    "smtp.tls_quality",
    Severity.CRIT,
    "Tells the TLS version, and folds in what the TLS checker found.",
    WEAK_VERSION,
    tested=lambda o: bool(o.tls_probes) or any(_version(endpoint) for endpoint in o.endpoints),
)
def tls_quality(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        number, version = next(
            ((n, s.tls.version) for n, s in enumerate(endpoint.sessions) if s.tls is not None), (0, "")
        )
        if version in _WITHDRAWN:
            yield WEAK_VERSION.finding(
                endpoint.subject,
                f"The best protocol version that the server speaks is {version}.",
                Evidence(source="session", where=endpoint.subject, quote=version, session=number),
            )
    issues = dict.fromkeys(
        (probe.endpoint, issue) for probe in observation.tls_probes for issue in probe.issues
    )
    for subject, issue in issues:
        known = issue.severity in list(Severity)
        yield Finding(
            code=f"smtp.tls.{issue.code}",
            severity=Severity(issue.severity) if known else Severity.WARN,
            outcome=Outcome.FAIL,
            rule="",
            subject=subject,
            message=issue.message,
            fix=issue.fix,
            reference="",
        )


def _version(endpoint: Endpoint) -> str:
    return next((s.tls.version for s in endpoint.sessions if s.tls is not None), "")
