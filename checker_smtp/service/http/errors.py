"""The response to a request that is refused or fails: JSON with the one field `error`, a sentence."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

__all__ = ["ErrorResponse"]


class ErrorResponse(JSONResponse):
    """An error response with its HTTP status, a message, and header fields."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({"error": message}, status, headers)
