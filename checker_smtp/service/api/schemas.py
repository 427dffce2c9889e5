"""The objects of the API, from which its description is made as well."""

from typing import Literal

import msgspec

from checker_smtp.service.running_checks import CheckProgress

__all__ = ["CheckRequest", "CheckState", "Error"]


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The check to run. A field that is missing has the default of the service.

    `helo_name` and `test_probe_address` are the operator's, unless the service has a token.
    """

    domain: str
    timeout: float | None = None
    helo_name: str | None = None
    test_null_sender: bool | None = None
    test_postmaster: bool | None = None
    test_open_relay: bool | None = None
    test_probe_address: str | None = None


class CheckState(msgspec.Struct, omit_defaults=True):
    """A check. `document` is there when it is finished, `error` where it failed."""

    id: str
    state: Literal["running", "finished", "failed"]
    domain: str
    progress: tuple[CheckProgress, ...] = ()
    error: str = ""
    document: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Error(msgspec.Struct):
    """A request that was refused, in one sentence."""

    error: str
