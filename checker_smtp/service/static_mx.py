"""An MX set that was given, not asked for: a zone can be checked before it is published.

The host's `service` option holds the records as its editor has them. They are read into names and numbers
here, and written again in the presentation format of a DNS answer, so nothing else can get into one. Only
the domain's own MX question is answered from them; where the targets lead is asked of the DNS as ever.
"""

from typing import Annotated, TypeAlias, TypeVar

import dns.exception
import dns.name
import msgspec

from checker_smtp.backends.recording.record_backend import Backend
from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import Script

__all__ = ["SERVICE_TYPE", "MxSet", "StaticMxBackend", "read_static_mx"]

SERVICE_TYPE = "svcs.MXs"
"""The host's type of a service that holds an MX set."""

MxSet: TypeAlias = tuple[tuple[int, str], ...]
"""Preference and target of each record; targets are absolute names in presentation format."""

# more than any mail provider publishes, and more than are ever looked at
_MAX_RECORDS = 100
_T = TypeVar("_T")
_Text = Annotated[str, msgspec.Meta(max_length=1024)]


class StaticMxBackend:
    """A backend that answers the MX question of `domain` with `mx`, and passes everything else on."""

    def __init__(self, backend: Backend, domain: str, mx: MxSet) -> None:
        self._backend = backend
        self._answer = DnsAnswer(
            name=domain,
            rdtype="MX",
            status=DnsStatus.ANSWER if mx else DnsStatus.NODATA,
            records=tuple(f"{domain}. 0 IN MX {preference} {target}" for preference, target in mx),
            detail="given with the request, not asked for in the DNS",
        )

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """The set, or what the backend answers."""
        if (name, rdtype) == (self._answer.name, "MX"):
            return self._answer
        return await self._backend.resolve(name, rdtype)

    async def run(self, script: Script[_T]) -> _T:
        """Have the backend run `script`."""
        return await self._backend.run(script)


class _Record(msgspec.Struct):
    # the host's numbers may arrive as floats
    preference: Annotated[float, msgspec.Meta(ge=0, le=65535, multiple_of=1)] = msgspec.field(
        name="Preference", default=0
    )
    target: _Text = msgspec.field(name="Mx", default="")


class _Records(msgspec.Struct):
    mx: Annotated[list[_Record], msgspec.Meta(max_length=_MAX_RECORDS)] | None = None


class _Service(msgspec.Struct):
    kind: _Text = msgspec.field(name="_svctype", default=SERVICE_TYPE)
    below: _Text | None = msgspec.field(name="_domain", default="")
    records: _Records | None = msgspec.field(name="Service", default=None)


def read_static_mx(service: object, domain: str) -> tuple[str, MxSet] | None:
    """The domain that the host's `service` option is of, and its MX set; None where it has none.

    `domain` is the host's domain, below which the service may stand. Raises `OptionError`.
    """
    if service is None or service == "":
        return None
    try:
        read = msgspec.convert(service, _Service)
    except msgspec.ValidationError as error:
        raise _wrong(f"it is not as the host fills it in ({error})") from None
    if read.kind != SERVICE_TYPE:
        raise _wrong(f"it is of the type {read.kind[:40]!r}, and only {SERVICE_TYPE} has MX records")
    if read.records is None or read.records.mx is None:
        return None
    owner = _owner(read.below or "", domain)
    origin = dns.name.from_text(owner)
    return owner, tuple((int(record.preference), _target(record, origin)) for record in read.records.mx)


def _owner(below: str, domain: str) -> str:
    """The service's own domain: the host gives it relative to `domain`, `@` or nothing for that itself."""
    apex = host_name("domain", domain)
    name = below.lower().removesuffix(".")
    if name in ("", "@", apex):
        return apex
    return host_name("service", name if name.endswith(f".{apex}") else f"{name}.{apex}")


def _target(record: _Record, origin: dns.name.Name) -> str:
    if not record.target:
        raise _wrong("a record has no target (Mx)")
    try:
        return dns.name.from_text(record.target, origin).to_text()
    except (dns.exception.DNSException, UnicodeError) as error:
        raise _wrong(f"the target {record.target[:80]!r} is no name ({error})") from None


def _wrong(why: str) -> OptionError:
    return OptionError("service", f"service cannot be used: {why}")
