"""Render the pages of the service, and the two files that every page loads.

Addresses in a page are relative (`base` is the one of the form), so that a proxy may publish the service
below any path.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment

from checker_smtp.history.store import KeptCheck
from checker_smtp.probes.result import Result
from checker_smtp.report.environment import build_environment
from checker_smtp.report.model.report import build_report
from checker_smtp.service.http.request_id import current_request_id
from checker_smtp.service.options import OPTIONS
from checker_smtp.service.results import ResultStore, file_title

from .form import check_query

__all__ = ["STATIC", "render", "render_outcome", "static_file"]

STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
"""The files that every page loads, and their media types."""

# the form, relative to a page with the form
_FORM = "check"


def render(template: str, **values: object) -> str:
    """Render a template of this folder, named without its extension."""
    found = _environment().get_template(f"{template}.html.j2")
    return found.render(**{"base": _FORM, "narrow": False, **values})


async def render_outcome(
    results: ResultStore,
    kept: KeptCheck,
    defaults: Mapping[str, str],
    *,
    base: str = _FORM,
    template: str = "result",
    is_owner: bool = True,
    **values: object,
) -> str:
    """Render the end of the streamed page, or another `template`, for a result that is kept in `results`.

    `defaults` are those of the fields of the form, which is filled in for another check.
    """
    has_case, previous = await results.has_recording(kept), await results.previous(kept)

    def rendered(result: Result) -> str:
        return render(
            template,
            base=base,
            verdict=build_report(result).head.verdict,
            domain=kept.domain,
            at=f"{base}/results/{kept.name}",
            has_case=has_case,
            previous=previous,
            saved_as=file_title(kept.domain, kept.run_at),
            link=check_query(result.observation, defaults),
            lifetime=results.lifetime,
            is_owner=is_owner,
            **values,
        )

    return await results.work_on(kept, rendered)


@cache
def static_file(name: str) -> bytes:
    """Return one of the files in `STATIC`."""
    if name == "page.css":
        return _environment().get_template("page.css.j2").render().encode()
    return files(__package__).joinpath("static", name).read_bytes()


@cache
def _environment() -> Environment:
    templates = build_environment(__package__)
    templates.filters["sentence"] = _sentence
    templates.globals["options"] = OPTIONS
    templates.globals["version"] = _version
    templates.globals["request_id"] = current_request_id
    return templates


@cache
def _version() -> str:
    """Return a digest of the static files, which makes their URLs cacheable."""
    return hashlib.sha256(b"".join(map(static_file, STATIC))).hexdigest()[:12]


def _sentence(text: str) -> str:
    """Turn a message, which begins in lower case, into a sentence; a name at its start is unchanged."""
    first = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return f"{first}{text[1:].removesuffix('.')}."
