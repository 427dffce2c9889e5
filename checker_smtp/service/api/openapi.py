"""The description of the API (OpenAPI 3.1), made from the types of its objects."""

from functools import cache
from typing import Any

import msgspec

from checker_smtp import __version__
from checker_smtp.report.schema import build_schema

from .schemas import CheckRequest, CheckState, Error

__all__ = ["description"]

_NAME = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_REF = "#/components/schemas/"


@cache
def description(max_wait: int) -> bytes:
    """Return the description as JSON; `max_wait` is the longest `wait`, in seconds."""
    types = (CheckRequest, CheckState, Error)
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF + "{name}")
    document = build_schema()
    schemas["CheckState"]["properties"]["document"] = {"$ref": _REF + "Document"}
    # the schema of the document has its own definitions, which a component must not have
    for name, definition in document.pop("$defs", {}).items():
        schemas[f"Document.{name}"] = definition
    schemas["Document"] = {key: value for key, value in document.items() if not key.startswith("$")}
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "checker-smtp",
            "version": __version__,
            "summary": "Can this domain receive mail correctly?",
        },
        "paths": _paths(max_wait),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # a token is needed only where the operator has set one
        "security": [{}, {"token": []}],
    }
    return msgspec.json.encode(whole).replace(b'"#/$defs/', b'"' + _REF.encode() + b"Document.")


def _paths(max_wait: int) -> dict[str, Any]:
    wait = {
        "name": "wait",
        "in": "query",
        "description": "Seconds to wait for the end of the check.",
        "schema": {"type": "integer", "minimum": 0, "maximum": max_wait, "default": 0},
    }
    return {
        "/api/v1/checks": {
            "post": {
                "operationId": "startCheck",
                "summary": "Check a domain",
                "parameters": [wait],
                "requestBody": {"required": True, "content": _content("CheckRequest")},
                "responses": {
                    "200": _answer("The document of the check, which has ended within `wait`.", "Document"),
                    "202": _answer("The check runs; `Location` is its address.", "CheckState")
                    | {"links": {name: _link(name) for name in ("getCheck", "deleteCheck")}},
                    "500": _answer("The check failed.", "CheckState"),
                    **_errors("400", "401", "403", "415", "429", "503"),
                },
            }
        },
        "/api/v1/checks/{id}": {
            "parameters": [_NAME],
            "get": {
                "operationId": "getCheck",
                "summary": "Return the state, the progress and the document of a check",
                "responses": {"200": _answer("The check.", "CheckState"), **_errors("401", "404", "429")},
            },
            "delete": {
                "operationId": "deleteCheck",
                "summary": "Delete the result of a check",
                "responses": {
                    "204": {"description": "The result is deleted."},
                    **_errors("401", "403", "404", "429"),
                },
            },
        },
    }


def _answer(text: str, schema: str) -> dict[str, Any]:
    return {"description": text, "content": _content(schema)}


def _link(operation: str) -> dict[str, Any]:
    return {"operationId": operation, "parameters": {"id": "$response.body#/id"}}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"{_REF}{schema}"}}}


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: _answer("The request was refused, with the reason.", "Error") for status in statuses}
