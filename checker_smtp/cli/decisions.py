"""The decisions of the operator on the command line: `--accept`, and those of the configuration."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from .arguments import CommandT
from .configured import current_configuration

if TYPE_CHECKING:
    from checker_smtp.probes.policy import FindingPolicy
    from checker_smtp.probes.result import Result
    from checker_smtp.probes.rules import Acceptance

__all__ = ["accept_option", "current_policy", "decided"]


def accept_option(command: CommandT) -> CommandT:
    """Add the option `--accept`, whose value `decided` takes."""
    return click.option(
        "--accept",
        "accepted",
        metavar="CODE[@SUBJECT]",
        multiple=True,
        callback=lambda _, __, texts: tuple(map(_parse_acceptance, texts)),
        help="Report this finding, or the one of this server, without counting it; may be repeated.",
    )(command)


def decided(results: "Sequence[Result]", accepted: "Iterable[Acceptance]" = ()) -> "Sequence[Result]":
    """Return the results of one run under the configuration and the values of `--accept`."""
    from checker_smtp.probes.policy import decide

    policy = current_policy()
    return decide(results, replace(policy, acceptances=(*accepted, *policy.acceptances)))


def current_policy() -> "FindingPolicy":
    """Return the severities and the accepted faults of the configuration file, none without one."""
    from checker_smtp.probes.policy import FindingPolicy

    configuration = current_configuration()
    return configuration.policy if configuration is not None else FindingPolicy()


def _parse_acceptance(text: str) -> "Acceptance":
    """Return the acceptance that is written as `CODE` or `CODE@SUBJECT`. Raises `BadParameter`."""
    from checker_smtp.probes.rules import Acceptance, record_of
    from checker_smtp.report.advice.explain import UnknownCodeError, find_code

    code, separator, subject = text.partition("@")
    if separator and not (subject.isascii() and subject.isprintable() and subject):
        raise click.BadParameter(f"{text!r} has no subject: give one as in {code}@192.0.2.1:25, or {code}")
    try:
        # the codes of another checker have a record, and no explanation
        known = code if record_of(code) is not None else find_code(code).code
    except UnknownCodeError as error:
        raise click.BadParameter(str(error)) from None
    return Acceptance(code=known, subject=subject, reason="--accept")
