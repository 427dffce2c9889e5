"""Lines for standard error: for people, or one JSON object each.

Whatever a line says, it stays one line: text from outside is shown by `visible` where it is put into a
message, and again here, where a traceback may bring some along.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from checker_smtp.report.visible import visible

__all__ = ["configure"]


def configure(*, as_json: bool) -> None:
    """Send all logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Plain())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("checker_smtp").setLevel(logging.INFO)
    # what clients do wrong is in the access log, or was no request at all
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        lines = [visible(f"{_time(record)} {record.levelname} {record.getMessage()}")]
        return "\n".join(lines + [f"  {line}" for line in _traceback(record)])


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": visible(record.getMessage()),
        }
        told |= getattr(record, "fields", {})
        if lines := _traceback(record):
            told["traceback"] = lines
        return json.dumps(told)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return [visible(line) for line in logging.Formatter().formatException(record.exc_info).splitlines()]
