"""The faults that end a connection before its questions are answered, and the connection that comes next."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from checker_smtp.probes.observation import Session

from .retry_conditions import broken_by_tls, dropped_at_ehlo, out_of_step, sni_refused
from .session import SessionSpec

__all__ = ["FALLBACKS", "Fallback"]


@dataclass(frozen=True, slots=True)
class Fallback:
    """A fault, and the specification of the connections that come after it."""

    applies: Callable[[Session], bool]
    change: Callable[[SessionSpec], SessionSpec]


FALLBACKS = (
    Fallback(dropped_at_ehlo, lambda spec: replace(spec, purpose="helo-only", ehlo=False)),
    Fallback(sni_refused, lambda spec: replace(spec, purpose="without-sni", server_name="")),
    Fallback(broken_by_tls, lambda spec: replace(spec, purpose="without-tls", starttls=False)),
    Fallback(out_of_step, lambda spec: replace(spec, purpose="one-by-one", pipelining=False)),
)
"""Tried from the top for every connection with questions, where the row changes the specification at all.
After a fallback only the rows below it are left for the same domains: one connection per row at most, and one
fault never hides the others."""
