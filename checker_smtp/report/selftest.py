"""The text of a self-test: the network of this machine, and its effect on the verdicts of its checks."""

from dataclasses import dataclass

from checker_smtp.probes.dns import Soundness
from checker_smtp.probes.selftest import FamilyView, SelfTest
from checker_smtp.report.terminal import Terminal

__all__ = ["Remark", "build_remarks", "render_selftest"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One result of the self-test in a sentence; `good` is False if it makes a check unreliable."""

    good: bool
    text: str


def build_remarks(selftest: SelfTest) -> tuple[Remark, ...]:
    """Return the remarks on the resolver, on routes and PTR names, on the EHLO name, and on port 25.

    Without a resolver nothing else can be said.
    """
    resolver = _resolver(selftest.resolver)
    if not selftest.resolver.is_alive:
        return (resolver,)
    families = [remark for family in selftest.families for remark in _family(family)]
    return (resolver, *families, _helo(selftest), *_controls(selftest))


def render_selftest(selftest: SelfTest, terminal: Terminal) -> str:
    """Return the self-test as text, a line for each remark."""
    style = {True: ("green", "ok    "), False: ("yellow", "note  ")}
    return "".join(
        terminal.lines(remark.text, style[remark.good][0], first=style[remark.good][1])
        for remark in build_remarks(selftest)
    )


def _resolver(resolver: Soundness) -> Remark:
    if not resolver.is_alive:
        return Remark(
            False,
            f"The resolver does not answer ({resolver.failure}), so nothing else was tested. Name another "
            "one: "
            "--resolver 9.9.9.9.",
        )
    if resolver.fault:
        return Remark(
            False,
            f"The resolver gives untrue answers: {resolver.fault}. No check can rely on it. Name another "
            "one: --resolver 9.9.9.9.",
        )
    refused = [f"{answer.name} {answer.rdtype}" for answer in resolver.answers if not answer.status.known]
    if refused:
        return Remark(True, f"The resolver answers, but not for {', '.join(refused)}.")
    return Remark(True, "The resolver answers, and denies a name that does not exist.")


def _family(view: FamilyView) -> list[Remark]:
    name = f"IPv{view.family}"
    if not view.address:
        return [Remark(False, f"{name}: no route from here. Endpoints over {name} cannot be tested.")]
    if view.not_public:
        return [
            Remark(
                True,
                f"{name}: there is a route, from {view.address}, which is {view.not_public}. Servers see "
                "another address; its reverse DNS cannot be tested from here.",
            )
        ]
    route = Remark(True, f"{name}: there is a route, from {view.address}.")
    reverse = view.reverse
    if reverse is None or not reverse.names:
        status = reverse.status if reverse else "not asked"
        return [
            route,
            Remark(False, f"{view.address} has no PTR record ({status}): many servers refuse such a client."),
        ]
    names = ", ".join(reverse.names)
    if not reverse.confirmed_by:
        return [
            route,
            Remark(
                False,
                f"{view.address} has the PTR name {names}, which does not resolve to it: many servers refuse "
                "such a client.",
            ),
        ]
    return [route, Remark(True, f"{view.address} has the PTR name {names}, which resolves to it.")]


def _helo(selftest: SelfTest) -> Remark:
    own = {view.address for view in selftest.families if view.address}
    name, addresses = selftest.helo_name, ", ".join(selftest.helo_addresses)
    if not addresses:
        return Remark(
            False,
            f"The EHLO name {name} does not resolve ({selftest.helo_status}): some servers refuse such a "
            "client.",
        )
    if own & set(selftest.helo_addresses):
        return Remark(True, f"The EHLO name {name} resolves to this machine ({addresses}).")
    is_behind_nat = any(view.not_public for view in selftest.families)
    return Remark(
        is_behind_nat,
        f"The EHLO name {name} resolves to {addresses}, which is not an address of this machine"
        + (
            "; behind NAT it may still be right." if is_behind_nat else ": some servers refuse such a client."
        ),
    )


def _controls(selftest: SelfTest) -> list[Remark]:
    if not selftest.controls:
        return [
            Remark(
                True,
                "Outgoing connections to port 25 were not tested. Name a mail server to connect to: "
                "--control MX_OF_A_FRIEND.",
            )
        ]
    remarks = []
    for control in selftest.controls:
        server = f"{control.host} ({control.address}, port {control.port})"
        if not control.address:
            remarks.append(Remark(False, f"{control.host} was not connected to: {control.outcome}."))
            continue
        if control.outcome == "connected":
            text = f"{server} accepts connections: the port is open from here over IPv{control.family}."
        else:
            text = f"{server} does not accept connections ({control.outcome})."
        remarks.append(Remark(control.outcome == "connected", text))
    return remarks
