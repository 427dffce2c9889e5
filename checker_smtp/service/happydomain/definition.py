"""The definition of this checker for the host: its rules, options, kind of service, and interval."""

import checker_smtp
from checker_smtp.probes.rules import RULES
from checker_smtp.service.options import OPTIONS, RequestOption, default_of, rule_options
from checker_smtp.service.settings import ServiceSettings

from .static_mx import SERVICE_TYPE

__all__ = ["KEY", "definition"]

KEY = "smtp"
"""The id of the checker, and the key of its observations."""

_SECOND = 10**9  # the host counts in nanoseconds
_SERVICE = RequestOption(
    "service",
    "serviceOpts",
    "MX records",
    "The records as edited, checked in place of the published ones.",
    fill="service",
)


def definition(settings: ServiceSettings) -> dict[str, object]:
    """Return the protocol's `CheckerDefinition`, with the defaults of this service."""
    groups: dict[str, list[dict[str, object]]] = {}
    for group in ("adminOpts", "userOpts", "serviceOpts", "runOpts"):
        groups[group] = [
            _field(option, default_of(option, settings))
            for option in (*OPTIONS, *rule_options(), _SERVICE)
            if option.group == group
        ]
    return {
        "id": KEY,
        "name": "SMTP (inbound mail)",
        "version": checker_smtp.__version__,
        "availability": {"applyToService": True, "limitToServices": [SERVICE_TYPE]},
        "options": groups,
        "rules": [{"name": rule.name, "description": rule.description} for rule in RULES.values()],
        "interval": {
            "min": 5 * 60 * _SECOND,
            "max": 7 * 24 * 3600 * _SECOND,
            "default": 24 * 3600 * _SECOND,
        },
        "has_html_report": True,
        "has_metrics": True,
        "observationKeys": [KEY],
    }


def _field(option: RequestOption, default: object) -> dict[str, object]:
    """Return the option as the protocol's object, without its empty fields."""
    field = {
        "id": option.name,
        "type": option.kind,
        "label": option.label,
        "placeholder": option.placeholder,
        "default": default,
        "required": option.name == "domain",
        "hide": option.name == "service",
        "description": option.description,
        "autoFill": option.fill,
    }
    # `false` is a default, empty text is none
    return {k: v for k, v in field.items() if v or (k == "default" and v is not None)}
