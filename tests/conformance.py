"""Holding an answer to what the OpenAPI document says of its route and status."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from chalicelib.api.openapi import document

Json = dict[str, Any]


@lru_cache(maxsize=1)
def _document() -> Json:
    return document()


def faults(method: str, path: str, status: int, content_type: str, body: bytes) -> list[str]:
    """In what an answer differs from what the document says of it."""
    operation = _operation(method, path)
    if operation is None:
        return [f"{method} {path} is not documented"]
    if str(status) not in operation["responses"]:
        return [f"{method} {path} does not document {status}"]
    content = operation["responses"][str(status)]["content"]
    media_type = content_type.partition(";")[0]
    if media_type not in content:
        return [f"{method} {path} does not document {media_type} with {status}"]
    schema = {**content[media_type]["schema"], "components": _document()["components"]}
    answered = body.decode() if media_type == "text/csv" else json.loads(body)
    return [error.message for error in Draft202012Validator(schema).iter_errors(answered)]


def _operation(method: str, path: str) -> Json | None:
    route = path.partition("?")[0]
    for template, operations in sorted(_document()["paths"].items(), key=lambda entry: "{" in entry[0]):
        pattern = re.sub(r"\\\{[^/]*\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, route) and method.lower() in operations:
            operation: Json = operations[method.lower()]
            return operation
    return None
