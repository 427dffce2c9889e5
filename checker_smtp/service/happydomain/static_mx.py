"""An MX set from the request in place of the published one, to check a zone before it is published.

The host's `service` option contains the records in its editor. They are parsed into names and numbers, and
written in the presentation format of a DNS answer (RFC 1035 §5.1), so that nothing else can get into one.
Only the MX query of the domain is answered from them; the addresses of the targets come from the DNS.
"""

import struct
from typing import Annotated, TypeAlias, TypeVar

import dns.exception
import dns.name
import msgspec

from checker_smtp.probes.observation import GIVEN_WITH_REQUEST
from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.probes.ports import Backend, DnsAnswer, DnsStatus
from smtp_sansio import Script

__all__ = ["SERVICE_TYPE", "MxSet", "StaticMxBackend", "read_static_mx"]

SERVICE_TYPE = "svcs.MXs"
"""The host's type of a service with an MX set."""

MxSet: TypeAlias = tuple[tuple[int, str], ...]
"""Preference and target of each record; targets are absolute names in presentation format."""

# more than any mail provider publishes, and more than a check looks up
_MAX_RECORDS = 100
_T = TypeVar("_T")
_Text = Annotated[str, msgspec.Meta(max_length=1024)]


class StaticMxBackend:
    """A backend that answers the MX query of `domain` with `mx` and passes all else to `backend`."""

    def __init__(self, backend: Backend, domain: str, mx: MxSet) -> None:
        self._backend = backend
        self._answer = DnsAnswer(
            name=domain,
            rdtype="MX",
            status=DnsStatus.ANSWER if mx else DnsStatus.NODATA,
            records=tuple(f"{domain}. 0 IN MX {preference} {target}" for preference, target in mx),
            detail=GIVEN_WITH_REQUEST,
        )

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Return the given MX set for its domain, else the answer of the backend."""
        if (name, rdtype) == (self._answer.name, "MX"):
            return self._answer
        return await self._backend.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` with the backend."""
        return await self._backend.run(script)


class _Record(msgspec.Struct):
    # JSON encoders may write the host's numbers as floats
    preference: Annotated[float, msgspec.Meta(ge=0, le=65535, multiple_of=1)] = msgspec.field(
        name="Preference", default=0
    )
    target: _Text = msgspec.field(name="Mx", default="")


class _Records(msgspec.Struct):
    mx: Annotated[list[_Record], msgspec.Meta(max_length=_MAX_RECORDS)] | None = None


class _Service(msgspec.Struct):
    service_type: _Text = msgspec.field(name="_svctype", default=SERVICE_TYPE)
    subdomain: _Text | None = msgspec.field(name="_domain", default="")
    records: _Records | None = msgspec.field(name="Service", default=None)


def read_static_mx(service: object, domain: str) -> tuple[str, MxSet] | None:
    """Return the domain of the host's `service` option and its MX set, None if it has no MX set.

    `domain` is the host's domain; the service may belong to a subdomain. Raises `OptionError`.
    """
    if service is None or service == "":
        return None
    try:
        parsed = msgspec.convert(service, _Service)
    except msgspec.ValidationError as error:
        raise _error(f"it is not the host's service object ({error})") from None
    if parsed.service_type != SERVICE_TYPE:
        raise _error(
            f"it is of the type {parsed.service_type[:40]!r}, and only {SERVICE_TYPE} has MX records"
        )
    if parsed.records is None or parsed.records.mx is None:
        return None
    owner = _owner(parsed.subdomain or "", domain)
    origin = dns.name.from_text(owner)
    return owner, tuple((int(record.preference), _target(record, origin)) for record in parsed.records.mx)


def _owner(subdomain: str, domain: str) -> str:
    """Return the service's domain, given relative to `domain`; `@` or empty text is `domain` itself."""
    apex = host_name("domain", domain)
    name = subdomain.lower().removesuffix(".")
    if name in ("", "@", apex):
        return apex
    return host_name("service", name if name.endswith(f".{apex}") else f"{name}.{apex}")


def _target(record: _Record, origin: dns.name.Name) -> str:
    if not record.target:
        raise _error("a record has no target (Mx)")
    try:
        return dns.name.from_text(record.target, origin).to_text()
    # struct.error: dnspython before 2.9, at an escape above \255
    except (dns.exception.DNSException, UnicodeError, struct.error) as error:
        raise _error(f"the target {record.target[:80]!r} is not a name ({error})") from None


def _error(reason: str) -> OptionError:
    return OptionError("service", f"service cannot be used: {reason}")
