"""What can be seen from this machine, and what that means for the verdicts of a check made here."""

from dataclasses import dataclass

from checker_smtp.probes.selftest import FamilyView, SelfTest

from .terminal import Terminal

__all__ = ["Remark", "build_remarks", "render_selftest"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing seen: `good` unless it stands in the way of a fair check."""

    good: bool
    text: str


def build_remarks(vantage: SelfTest) -> tuple[Remark, ...]:
    """Everything there is to say, in the order: routes, names, the EHLO name, port 25."""
    told = [remark for family in vantage.families for remark in _family(family)]
    return (*told, _helo(vantage), *_controls(vantage))


def render_selftest(vantage: SelfTest, terminal: Terminal) -> str:
    """A line for each remark."""
    style = {True: ("green", "ok    "), False: ("yellow", "note  ")}
    return "".join(
        terminal.lines(remark.text, style[remark.good][0], first=style[remark.good][1])
        for remark in build_remarks(vantage)
    )


def _family(view: FamilyView) -> list[Remark]:
    name = f"IPv{view.family}"
    if not view.address:
        return [Remark(False, f"{name}: no route from here; endpoints over {name} cannot be tested.")]
    if view.not_public:
        return [
            Remark(
                True,
                f"{name}: there is a route, from {view.address}, which is {view.not_public}. "
                "Servers see another "
                "address; whether that one has a name that leads back to it cannot be seen from here.",
            )
        ]
    route = Remark(True, f"{name}: there is a route, from {view.address}.")
    reverse = view.reverse
    if reverse is None or not reverse.names:
        status = reverse.status if reverse else "not asked"
        return [
            route,
            Remark(False, f"{view.address} has no PTR name ({status}): many servers refuse such a client."),
        ]
    names = ", ".join(reverse.names)
    if not reverse.confirmed_by:
        return [
            route,
            Remark(
                False,
                f"{view.address} is named {names}, which does not lead back: many servers refuse that.",
            ),
        ]
    return [route, Remark(True, f"{view.address} is named {names}, and that leads back.")]


def _helo(vantage: SelfTest) -> Remark:
    own = {view.address for view in vantage.families if view.address}
    name, addresses = vantage.helo_name, ", ".join(vantage.helo_addresses)
    if not addresses:
        return Remark(
            False, f"The EHLO name {name} does not resolve ({vantage.helo_status}): some servers refuse that."
        )
    if own & set(vantage.helo_addresses):
        return Remark(True, f"The EHLO name {name} leads to this machine ({addresses}).")
    hidden = any(view.not_public for view in vantage.families)
    return Remark(
        hidden,
        f"The EHLO name {name} leads to {addresses}, which is not an address of this machine's own"
        + ("; behind NAT it may still be right." if hidden else ": some servers refuse that."),
    )


def _controls(vantage: SelfTest) -> list[Remark]:
    if not vantage.controls:
        return [
            Remark(
                True,
                "Whether port 25 leaves was not tried: name a server to knock at, as in --control "
                "MX_OF_A_FRIEND.",
            )
        ]
    told = []
    for control in vantage.controls:
        where = f"{control.host} ({control.address}, port {control.port})"
        if control.outcome == "connected":
            told.append(Remark(True, f"{where} answers: the port leaves from here over IPv{control.family}."))
        else:
            told.append(Remark(False, f"{where} does not answer ({control.outcome})."))
    return told
