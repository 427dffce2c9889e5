"""The command `anonymize`: a recorded check under pseudonyms."""

import os
from pathlib import Path

import click

__all__ = ["anonymize"]


@click.command()
@click.argument("folder", metavar="CASE", type=click.Path(path_type=Path))
@click.argument("target", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
def anonymize(folder: Path, target: Path | None) -> None:
    """Copy the recorded check in CASE to DIR without its names, addresses and mailboxes.

    DIR is CASE-anonymous by default. The verdict stays the same. Blocklists that a server names stay, and so
    do words, such as the name of a company in a greeting: look at the files before you pass them on.

    The exit code is 0, or 3 if CASE is not a recording or DIR cannot be written.
    """
    import anyio

    from checker_smtp.anonymous_case import write_anonymous_case

    # the current folder and the one above have no name of their own in the path
    named = folder if folder.name not in ("", "..") else Path(os.path.abspath(folder))  # noqa: PTH100 - links stay
    target = target or Path(f"{named}-anonymous")
    anyio.run(write_anonymous_case, folder, target)
    click.echo(target)
