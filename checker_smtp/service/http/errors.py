"""The response to a request that is refused or fails: JSON with the field `error`, a sentence.

A fault of the service has the id of the request as well, by which its log lines are found.
"""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from .request_id import current_request_id

__all__ = ["ErrorResponse"]


class ErrorResponse(JSONResponse):
    """An error response with its HTTP status, a message, and header fields."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        content = {"error": message}
        if status >= 500 and (request_id := current_request_id()):
            content["request"] = request_id
        super().__init__(content, status, headers)
