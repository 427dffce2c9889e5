"""The quality of the encryption: the protocol version agreed on here, and the findings of the TLS checker.

Certificates are another checker's work; its issues are added as `smtp.tls.<code>`, in its words and with its
severities. The version is reported here, because the session of this check negotiated it.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation

from ._finding import Code, Evidence, Finding, Severity
from ._reproduction import StartTlsHandshake
from ._rule import Input, rule

WEAK_VERSION = Code(
    "smtp.tls.weak_tls_version",
    Severity.WARN,
    title="The TLS version is withdrawn",
    why="Many senders refuse TLS below 1.2; their mail travels in the clear or not at all.",
    fix="Allow TLS 1.2 and 1.3 (Postfix: `smtpd_tls_protocols = >=TLSv1.2`; Exim: `openssl_options` or "
    "`tls_require_ciphers`), and update the TLS library.",
    reference="RFC 8996 §4, §5",
    reproduce=StartTlsHandshake(flag="-tls1_2"),
    badge="Old TLS",
    is_weak_tls=True,
)
TLS_CHECKER = Code(
    "smtp.tls.",
    Severity.CRIT,
    title="The TLS checker found a weakness",
    why="",
    fix="",
    reference="",
    reproduce=StartTlsHandshake(flag="-showcerts"),
    badge="TLS issues",
    source="the TLS checker",
)

_WITHDRAWN = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")


@rule(
    "smtp.tls_quality",
    Severity.CRIT,
    "Checks that the TLS version is not withdrawn, and adds the findings of the TLS checker.",
    order=160,
    codes=(WEAK_VERSION,),
    foreign=(TLS_CHECKER,),
    needs=Input.TLS,
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
        is_known = issue.severity in list(Severity)
        yield TLS_CHECKER.finding(
            subject,
            issue.message,
            severity=Severity(issue.severity) if is_known else Severity.WARN,
            fix=issue.fix,
            suffix=issue.code,
        )


def _version(endpoint: Endpoint) -> str:
    return next((s.tls.version for s in endpoint.sessions if s.tls is not None), "")
