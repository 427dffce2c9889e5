"""The pages as text: templates filled in, and the two files that every page loads.

Addresses in a page are relative to it (`base` leads from there to the form), so that the service may stand
below any path of a proxy. A page that comes in pieces is made of pieces: each function says where its piece
belongs.
"""

import hashlib
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from checker_smtp.report.environment import environment
from checker_smtp.report.view_model import tell

from .definition import OPTIONS
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
"""What every page loads, by name, and of which type it is."""

# from a page with the form to the form itself
_HERE = "check"


def render_form(form: Form) -> str:
    """The page with the form; what is wrong is told above it and at each field."""
    wrong = form.errors or form.message
    title = f"{'Error: ' if wrong else ''}Can this domain receive mail?"
    return _render("form_page.html.j2", title=title, form=form, narrow=True)


def render_progress(form: Form, *, domain: str, link: str) -> str:
    """The page of a check, up to its first step; `link` is the query that repeats it."""
    return _render("progress.html.j2", title=f"{domain} – inbound mail", form=form, domain=domain, link=link)


def render_step(told: CheckStep) -> str:
    """One step, behind `checking` and the steps before."""
    return _render("step.html.j2", step=told)


def render_result(
    end: CompletedCheck, *, name: str, files: Collection[str], link: str, lifetime: float
) -> str:
    """The end of the page, behind the last step; its `files` are kept as `name` for `lifetime` seconds."""
    return _render(
        "result.html.j2",
        verdict=tell(end.result).head.verdict,
        domain=end.result.observation.domain,
        at=f"{_HERE}/results/{name}",
        files=files,
        saved_as=result_title(end),
        link=link,
        minutes=round(lifetime / 60),
    )


def render_failure(message: str) -> str:
    """The end of the page of a check that gave no result."""
    return _render("failure.html.j2", message=message)


def render_expired(*, lifetime: float) -> str:
    """The page in place of a result that is not kept any more; it stands two levels below the form."""
    return _render(
        "expired.html.j2",
        base="../../../check",
        title="This result is gone",
        narrow=True,
        minutes=round(lifetime / 60),
    )


@cache
def static_file(name: str) -> bytes:
    """One of the files in `STATIC`."""
    if name == "page.css":
        return _environment().get_template("page.css.j2").render().encode()
    return files(__package__).joinpath("static", name).read_bytes()


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**{"base": _HERE, "narrow": False, **values})


@cache
def _environment() -> Environment:
    made = environment(__package__)
    made.filters["sentence"] = _sentence
    made.globals["options"] = OPTIONS
    made.globals["version"] = _version
    return made


@cache
def _version() -> str:
    """Changes with the static files, so that browsers may keep them."""
    return hashlib.sha256(b"".join(map(static_file, STATIC))).hexdigest()[:12]


def _sentence(text: str) -> str:
    """A message that was written to stand behind a colon, on its own; a name at its start stays as it is."""
    first = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return f"{first}{text[1:].removesuffix('.')}."
