"""Mail servers that the caller names in place of MX records, such as those to be before a zone is changed."""

import ipaddress
from dataclasses import replace

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.observation import GIVEN_WITH_REQUEST, MxTarget
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus

__all__ = ["address_target", "given_answer", "require_addresses"]


def given_answer(options: Options) -> DnsAnswer:
    """Return the answer to the MX question that was not asked, in presentation format (RFC 1035 §5.1)."""
    return DnsAnswer(
        name=options.domain,
        rdtype="MX",
        status=DnsStatus.ANSWER,
        records=tuple(f"{options.domain}. 0 IN MX 0 {server}." for server in options.mx),
        detail=GIVEN_WITH_REQUEST,
    )


def address_target(options: Options, text: str) -> MxTarget | None:
    """Return the target of a server that is given by its address, None for a host name."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    reason = why_not_public(text, options.allow_targets)
    target = MxTarget(preference=0, target=text, not_public=((text, reason),) if reason else ())
    if ip.version == 4:
        return replace(target, ipv4=(text,), ipv4_status=DnsStatus.ANSWER, ipv6_status=DnsStatus.NODATA)
    return replace(target, ipv6=(text,), ipv6_status=DnsStatus.ANSWER, ipv4_status=DnsStatus.NODATA)


def require_addresses(target: MxTarget) -> None:
    """Raise `OptionError` for a server that does not resolve: nothing could be said about it."""
    if target.ipv4 or target.ipv6 or target.translated:
        return
    statuses = dict.fromkeys(status for status in (target.ipv4_status, target.ipv6_status) if status)
    why = ", ".join(status.upper() for status in statuses)
    raise OptionError(
        "mx",
        f"the mail server {target.target!r} has no address ({why}): "
        "give a name that resolves, or the address itself",
    )
