"""The text of a self-test: the network of this machine, and its effect on the verdicts of its checks."""

from collections.abc import Iterator
from typing import NamedTuple

from checker_smtp.probes.dns import Soundness
from checker_smtp.probes.selftest import FamilyView, SelfTest
from checker_smtp.report.terminal import Terminal

__all__ = ["Remark", "build_remarks", "render_selftest"]


# for who can run it again, so not on the page of the service
_NO_CONTROL = (
    "Outgoing connections to port 25 were not tested. Name a mail server to connect to: "
    "--control MX_OF_A_FRIEND."
)


class Remark(NamedTuple):
    """One result of the self-test in a sentence; `good` is False if it makes a check unreliable."""

    good: bool
    text: str


def build_remarks(selftest: SelfTest) -> tuple[Remark, ...]:
    """Return the remarks on the resolver, routes and PTR names, the EHLO name, and port 25 if it was tested.

    Without a resolver nothing else can be said.
    """
    resolver = Remark(*_resolver(selftest.resolver))
    if not selftest.resolver.is_alive:
        return (resolver,)
    families = [Remark(*remark) for family in selftest.families for remark in _family(family)]
    return (resolver, *families, Remark(*_helo(selftest)), *map(Remark._make, _controls(selftest)))


def render_selftest(selftest: SelfTest, terminal: Terminal) -> str:
    """Return the self-test as text, a line for each remark."""
    style = {True: ("good", "ok    "), False: ("warn", "note  ")}
    remarks = build_remarks(selftest)
    if selftest.resolver.is_alive and not selftest.controls:
        remarks += (Remark(True, _NO_CONTROL),)
    return "".join(
        terminal.lines(remark.text, style[remark.good][0], first=style[remark.good][1]) for remark in remarks
    )


def _resolver(resolver: Soundness) -> tuple[bool, str]:
    other = "Name another one: --resolver 9.9.9.9."
    if not resolver.is_alive:
        return (
            False,
            f"The resolver cannot be used ({resolver.failure}), so nothing else was tested. {other}",
        )
    if resolver.fault:
        return False, f"The resolver gives untrue answers: {resolver.fault}. No check can rely on it. {other}"
    failing = [answer for answer in resolver.answers if not answer.status.known and resolver.explains(answer)]
    if failing:
        types = ", ".join(answer.rdtype for answer in failing)
        return False, f"The resolver fails for records of type {types}, whatever the name. {other}"
    refused = [f"{answer.name} {answer.rdtype}" for answer in resolver.answers if not answer.status.known]
    if refused:
        return True, f"The resolver answers, but not for {', '.join(refused)}."
    return True, "The resolver answers, and denies a name that does not exist."


def _family(view: FamilyView) -> Iterator[tuple[bool, str]]:
    name, address, reverse = f"IPv{view.family}", view.address, view.reverse
    if not address:
        yield False, f"{name}: no route from here. Endpoints over {name} cannot be tested."
        return
    if view.not_public:
        other = "Servers see another address; its reverse DNS cannot be tested from here."
        yield True, f"{name}: there is a route, from {address}, which is {view.not_public}. {other}"
        return
    yield True, f"{name}: there is a route, from {address}."
    refuse = "many servers refuse such a client."
    if reverse is not None and (reverse.unsettled or not reverse.status.known) and not reverse.confirmed_by:
        failed = ", ".join(reverse.unsettled) or f"{address} ({reverse.status})"
        yield False, f"The lookup of {failed} failed: it is not known if the PTR name of {address} is right."
        return
    if reverse is None or not reverse.names:
        status = reverse.status if reverse else "not asked"
        yield False, f"{address} has no PTR record ({status}): {refuse}"
        return
    named = f"{address} has the PTR name {', '.join(reverse.names)}, which"
    if reverse.confirmed_by:
        yield True, f"{named} resolves to it."
    else:
        yield False, f"{named} does not resolve to it: {refuse}"


def _helo(selftest: SelfTest) -> tuple[bool, str]:
    own = {view.address for view in selftest.families if view.address}
    addresses = ", ".join(selftest.helo_addresses)
    name, refuse = f"The EHLO name {selftest.helo_name}", "some servers refuse such a client."
    if not addresses and not selftest.helo_status.known:
        return (
            False,
            f"{name} could not be looked up ({selftest.helo_status}): it is not known if it is right.",
        )
    if not addresses:
        return False, f"{name} does not resolve ({selftest.helo_status}): {refuse}"
    if own & set(selftest.helo_addresses):
        return True, f"{name} resolves to this machine ({addresses})."
    is_behind_nat = any(view.not_public for view in selftest.families)
    effect = "; behind NAT it may still be right." if is_behind_nat else f": {refuse}"
    return is_behind_nat, f"{name} resolves to {addresses}, which is not an address of this machine{effect}"


def _controls(selftest: SelfTest) -> Iterator[tuple[bool, str]]:
    for control in selftest.controls:
        server = f"{control.host} ({control.address}, port {control.port})"
        if not control.address:
            yield False, f"{control.host} was not connected to: {control.outcome}."
        elif control.outcome == "connected":
            open_ = f"the port is open from here over IPv{control.family}."
            yield True, f"{server} accepts connections: {open_}"
        else:
            yield False, f"{server} does not accept connections ({control.outcome})."
