"""`/report`: evaluate a stored observation, for an HTML report or for metrics."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import RULES
from checker_smtp.probes.tls_checker import with_tls_checker
from checker_smtp.report.document import load_observation
from checker_smtp.report.formats.prometheus import build_metrics
from checker_smtp.report.model.timeline import parse_time

from .definition import KEY
from .evaluate import TLS_KEY
from .schemas import BodyError, ReportRequest, decode_or_none

__all__ = ["metric_samples", "read_result"]


def read_result(request: ReportRequest) -> Result:
    """Evaluate the observation in `request`, with the results of the TLS checker.

    If the host sends the states of its evaluation, a rule without a state was disabled, and has no findings
    here either. Raises `BodyError` and `DocumentError`.
    """
    if request.key not in ("", KEY):
        raise BodyError(
            f"the key {request.key[:40]!r} is not reported here: send an observation with the key {KEY!r}"
        )
    observation = with_tls_checker(load_observation(request.data), _related(request.related or {}))
    return evaluate(_limited_to(observation, frozenset(state.rule for state in request.states or ())))


def metric_samples(result: Result, now: datetime) -> list[dict[str, object]]:
    """Return the protocol's `CheckMetric`s: the samples of the Prometheus format, with the time of the check.

    `now` (UTC) replaces a missing time.
    """
    timestamp = (parse_time(result.observation.run_at) or now).isoformat().replace("+00:00", "Z")
    return [
        {
            "name": sample.name,
            "value": float(sample.value),
            **({"unit": family.unit} if family.unit else {}),
            "labels": sample.labels,
            "timestamp": timestamp,
        }
        for family in build_metrics(result)
        for sample in family.samples
    ]


def _limited_to(observation: Observation, stated: frozenset[str]) -> Observation:
    """Limit the observation to the rules with a state, if the states show that others were disabled."""
    known = stated & RULES.keys()
    observed = RULES.keys() if observation.rules is None else frozenset(observation.rules)
    # with a null MX all other rules have no state, enabled or not
    if not known or known >= observed or observation.mx.null_mx:
        return observation
    return replace(observation, rules=tuple(sorted(known & observed)))


def _related(related: Mapping[str, object]) -> list[object]:
    """Return the TLS checker's observations; the host may send their data as JSON or as JSON in a string."""
    observations = related.get(TLS_KEY)
    return [_decode_data(item) for item in observations] if isinstance(observations, list) else []


def _decode_data(item: object) -> object:
    if isinstance(item, dict) and isinstance(data := item.get("data"), str):
        return {**item, "data": decode_or_none(data)}
    return item
