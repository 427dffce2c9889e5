"""The log on standard error: plain lines, or one JSON object a line.

A record cannot forge a second line: text from outside is escaped by `visible` when it is put into a message,
and again here, because a traceback may contain such text. All that a request causes has its id.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from checker_smtp.report.visible import visible
from checker_smtp.service.http.request_id import current_request_id

__all__ = ["configure"]


def configure(*, as_json: bool) -> None:
    """Send all logs of this process to standard error, as JSON objects if `as_json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _PlainFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("checker_smtp").setLevel(logging.INFO)
    # the access log has the errors of clients; the rest of uvicorn's warnings were no requests
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        request_id = current_request_id()
        message = f"{record.getMessage()} [{request_id}]" if request_id else record.getMessage()
        lines = [visible(f"{_time(record)} {record.levelname} {message}")]
        return "\n".join(lines + [f"  {line}" for line in _traceback(record)])


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": visible(record.getMessage()),
        }
        if request_id := current_request_id():
            entry["request"] = request_id
        entry |= getattr(record, "fields", {})
        if lines := _traceback(record):
            entry["traceback"] = lines
        return json.dumps(entry)


def _time(record: logging.LogRecord) -> str:
    created = datetime.fromtimestamp(record.created, UTC)
    return created.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return [visible(line) for line in logging.Formatter().formatException(record.exc_info).splitlines()]
