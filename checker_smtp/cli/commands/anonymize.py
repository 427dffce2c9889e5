"""The command `anonymize`: a recorded check under pseudonyms."""

from pathlib import Path

import click

__all__ = ["anonymize"]


@click.command()
@click.argument("folder", metavar="CASE", type=click.Path(path_type=Path))
@click.argument("target", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
def anonymize(folder: Path, target: Path | None) -> None:
    """Copy the recorded check in CASE to DIR without its names, addresses and mailboxes.

    DIR is CASE-anonymous by default. The verdict stays the same. Domains of others that a server names in its
    replies stay, too: look at the files before you pass them on.

    The exit code is 0, or 3 if CASE is not a recording or DIR cannot be written.
    """
    import anyio

    from checker_smtp.anonymous_case import write_anonymous_case

    target = target or folder.with_name(f"{folder.name}-anonymous")
    anyio.run(write_anonymous_case, folder, target)
    click.echo(target)
