"""The command `healthcheck`, for the health check of a container."""

import click

__all__ = ["healthcheck"]


@click.command()
@click.argument("url", metavar="URL")
def healthcheck(url: str) -> int:
    """Check the health of the service at URL, such as http://localhost:8080.

    The exit code is 0 if the service is healthy, and 1 if it is not or does not answer.
    """
    from checker_smtp.report.visible import visible
    from checker_smtp.service.healthcheck import health_problem

    try:
        problem = health_problem(url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if problem:
        click.echo(f"checker-smtp: {visible(problem)}", err=True)
    return 1 if problem else 0
