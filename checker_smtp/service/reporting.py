"""`/report`: a stored observation told again, as a page for people or as metrics."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import RULES
from checker_smtp.probes.tls_checker import with_tls_checker
from checker_smtp.report.html import render_html
from checker_smtp.report.prometheus import families

from .definition import KEY
from .evaluate import TLS_KEY, read_observation
from .schemas import BodyError, ReportRequest, decode_or_none

__all__ = ["metrics", "page", "result_of"]


def result_of(request: ReportRequest) -> Result:
    """The verdict on the observation in `request`, with what other checkers found. Raises `BodyError`.

    Where the host sends the states that its evaluation had, a rule that has none was off, and says nothing
    here either.
    """
    if request.key not in ("", KEY):
        raise BodyError(f"the key {request.key[:40]!r} is not told here: send an observation of {KEY!r}")
    observation = with_tls_checker(read_observation(request.data), _related(request.related or {}))
    return judged(_narrowed(observation, frozenset(state.rule for state in request.states or ())))


def page(result: Result) -> str:
    """The whole report as one HTML document."""
    return render_html(result)


def metrics(result: Result, now: datetime) -> list[dict[str, object]]:
    """The protocol's `CheckMetric`s: those that Prometheus gets, as of when the check was.

    `now` (in UTC) stands in where that is not known.
    """
    timestamp = (_moment(result.observation.run_at) or now).isoformat().replace("+00:00", "Z")
    return [
        {
            "name": sample.name,
            "value": float(sample.value),
            **({"unit": family.unit} if family.unit else {}),
            "labels": sample.labels,
            "timestamp": timestamp,
        }
        for family in families(result)
        for sample in family.samples
    ]


def _narrowed(observation: Observation, told: frozenset[str]) -> Observation:
    """The observation for the rules that have a state, where it is clear that others were off."""
    known = told & RULES.keys()
    made_for = RULES.keys() if observation.rules is None else frozenset(observation.rules)
    # a null MX has but the one state
    if not known or known >= made_for or observation.mx.null_mx:
        return observation
    return replace(observation, rules=tuple(sorted(known & made_for)))


def _related(related: Mapping[str, object]) -> list[object]:
    """The TLS checker's observations; what one holds may come as JSON in a text."""
    found = related.get(TLS_KEY)
    return [_unwrapped(one) for one in found] if isinstance(found, list) else []


def _unwrapped(one: object) -> object:
    if isinstance(one, dict) and isinstance(data := one.get("data"), str):
        return {**one, "data": decode_or_none(data)}
    return one


def _moment(run_at: str) -> datetime | None:
    """RFC 3339 in UTC; None for what is none, or no time of day without knowing where."""
    try:
        moment = datetime.fromisoformat(run_at)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
