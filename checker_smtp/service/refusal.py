"""A request for work that is not done now, with its HTTP response."""

__all__ = ["CheckRefused"]


class CheckRefused(Exception):  # noqa: N818 - a normal reply, not an error of this program
    """A check that is not started now; the message is one sentence for the user.

    `status` is the HTTP status (403, 429 or 503), `reason` the label in the metrics, and `retry_after` the
    delay before another attempt, in seconds (RFC 9110 §10.2.3).
    """

    def __init__(
        self, status: int, message: str, retry_after: int | None = None, *, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        """Return the header fields of the HTTP response."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
