"""The two protocol errors: the caller's, and the peer's.

A refusal is never an error here. A `4yz`, a `5yz`, an odd banner and a closed connection are values
(see `_events`), because a checker records surprises and continues. Two cases are left for exceptions:

* `LocalProtocolError`: the caller asked for something the protocol does not allow now. Nothing was
  sent and no state changed, so the caller may catch it and do something else.
* `RemoteProtocolError`: the bytes received can no longer be paired with the commands sent, or a limit
  was passed. The connection is in `State.ERROR` and stays there.

Both carry a `code` for programs (`state.*`, `argument.*`, `pipelining.*`; `syntax.*`, `limit.*`,
`starttls.*`, `deviation.*`) beside the sentence for people.
"""

__all__ = ["LocalProtocolError", "ProtocolError", "RemoteProtocolError"]


class ProtocolError(Exception):
    """Base of the two protocol errors; never raised itself."""

    def __init__(self, code: str, message: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError("ProtocolError is abstract: raise LocalProtocolError or RemoteProtocolError")
        super().__init__(message)
        self.code = code


class LocalProtocolError(ProtocolError):
    """The caller asked for something that is not allowed now; state is unchanged."""


class RemoteProtocolError(ProtocolError):
    """The peer's bytes cannot be paired with commands any more; `excerpt` holds the first of them."""

    def __init__(self, code: str, message: str, excerpt: bytes = b"") -> None:
        super().__init__(code, message)
        self.excerpt = excerpt
