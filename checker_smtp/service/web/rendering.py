"""Render the pages of the service, and the two files that every page loads.

Addresses in a page are relative (`base` is the one of the form), so that a proxy may publish the service
below any path. The page of a check is sent in pieces: each function names the position of its piece.
"""

import hashlib
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from checker_smtp.report.environment import build_environment
from checker_smtp.report.view_model import build_report
from checker_smtp.service.options import OPTIONS

from .form import Form
from .live_checks import CheckStep, CompletedCheck
from .results import result_title

__all__ = [
    "STATIC",
    "render_expired",
    "render_failure",
    "render_form",
    "render_progress",
    "render_result",
    "render_step",
    "static_file",
]

STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
"""The files that every page loads, and their media types."""

# the form, relative to a page with the form
_FORM = "check"


def render_form(form: Form) -> str:
    """Render the page with the form; errors are shown above it and at each field."""
    has_errors = form.errors or form.message
    title = f"{'Error: ' if has_errors else ''}Can this domain receive mail?"
    return _render("form_page.html.j2", title=title, form=form, narrow=True)


def render_progress(form: Form, *, domain: str, link: str) -> str:
    """Render the page of a check up to its first step; `link` is the query that repeats it."""
    return _render("progress.html.j2", title=f"{domain} – inbound mail", form=form, domain=domain, link=link)


def render_step(step: CheckStep) -> str:
    """Render one step; it follows `render_progress` and the steps before."""
    return _render("step.html.j2", step=step)


def render_result(
    check: CompletedCheck, *, name: str, files: Collection[str], link: str, lifetime: float
) -> str:
    """Render the end of the page; its `files` are stored as `name` for `lifetime` seconds."""
    return _render(
        "result.html.j2",
        verdict=build_report(check.result).head.verdict,
        domain=check.result.observation.domain,
        at=f"{_FORM}/results/{name}",
        files=files,
        saved_as=result_title(check),
        link=link,
        minutes=round(lifetime / 60),
    )


def render_failure(message: str) -> str:
    """Render the end of the page of a check without a result."""
    return _render("failure.html.j2", message=message)


def render_expired(*, lifetime: float) -> str:
    """Render the page in place of an expired result; its address is two levels below the form."""
    return _render(
        "expired.html.j2",
        base="../../../check",
        title="This result has expired",
        narrow=True,
        minutes=round(lifetime / 60),
    )


@cache
def static_file(name: str) -> bytes:
    """Return one of the files in `STATIC`."""
    if name == "page.css":
        return _environment().get_template("page.css.j2").render().encode()
    return files(__package__).joinpath("static", name).read_bytes()


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**{"base": _FORM, "narrow": False, **values})


@cache
def _environment() -> Environment:
    templates = build_environment(__package__)
    templates.filters["sentence"] = _sentence
    templates.globals["options"] = OPTIONS
    templates.globals["version"] = _version
    return templates


@cache
def _version() -> str:
    """Return a digest of the static files, which makes their URLs cacheable."""
    return hashlib.sha256(b"".join(map(static_file, STATIC))).hexdigest()[:12]


def _sentence(text: str) -> str:
    """Turn a message, which begins in lower case, into a sentence; a name at its start is unchanged."""
    first = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return f"{first}{text[1:].removesuffix('.')}."
