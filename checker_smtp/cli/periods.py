"""Ages and times as a user writes them: `90d`, `12h`, `4w`; `2026-11-01`, `2026-11-01T06:00Z`."""

import re
from datetime import UTC, datetime, timedelta

import click

__all__ = ["parse_age", "parse_since"]

_HOURS = {"h": 1, "d": 24, "w": 168}
_age = re.compile(r"([0-9]{1,5})([hdw])").fullmatch


def parse_age(_: click.Context, __: click.Parameter, text: str) -> datetime:
    """Return the time that is this age ago, as a click callback. Raises `BadParameter`."""
    if match := _age(text):
        return datetime.now(UTC) - timedelta(hours=int(match[1]) * _HOURS[match[2]])
    raise click.BadParameter(f"{text!r} is no age: give hours, days or weeks, such as 12h, 90d or 4w")


def parse_since(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """Return a time that is given as one (UTC unless it names a zone) or as an age, as a click callback.

    Raises `BadParameter`.
    """
    if text is None or _age(text):
        return None if text is None else parse_age(context, parameter, text)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time: give a date such as 2026-11-01, or an age such as 30d"
        ) from None
