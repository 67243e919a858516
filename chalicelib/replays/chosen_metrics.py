"""The metrics that a request for a replay chooses: by name, or by a definition given inline, a draft."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.fields import Sha256Text
from chalicelib.core.lossless_json import JsonText, JsonValue
from chalicelib.metrics.definition import Definition, definition_of

MAX_METRICS = 20

_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_LENIENT = Strict(strict=False)  # JSON has arrays only; strictness holds for what is in them


class Draft(BaseModel):
    """A definition that was given with the request, by its name and hash: how the request is kept and shown."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    name: Annotated[str, Field(pattern=_NAME)]
    definition_sha256: Sha256Text


def _a_choice(given: object) -> str | Draft:
    if isinstance(given, str) and re.fullmatch(_NAME, given, re.ASCII):
        return given
    if isinstance(given, dict):
        return Draft.model_validate(given)
    raise ValueError("must be the name of a metric, or a definition")


def _each_once(chosen: tuple[str | Draft, ...]) -> tuple[str | Draft, ...]:
    if len(set(chosen)) < len(chosen):
        raise ValueError("names a metric twice")
    return chosen


ChosenMetrics = Annotated[
    tuple[Annotated[str | Draft, BeforeValidator(_a_choice)], ...],
    Field(max_length=MAX_METRICS),
    AfterValidator(_each_once),
    _LENIENT,
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": MAX_METRICS,
            "items": {"anyOf": [{"type": "string", "pattern": _NAME}, {"type": "object"}]},
        }
    ),
]


def drafts_in(request: JsonValue) -> tuple[dict[int, Definition], list[Fault]]:
    """The definitions that are given inline in a request, by their positions, and what is wrong with them."""
    chosen = request.get("metrics") if isinstance(request, dict) else None
    drafts: dict[int, Definition] = {}
    faults: list[Fault] = []
    for position, given in enumerate(chosen if isinstance(chosen, list) else []):
        if isinstance(given, dict):
            try:
                drafts[position] = definition_of(JsonText("", given, ()))
            except InvalidRequest as error:
                faults += (Fault(f"metrics.{position}.{each.field}".rstrip("."), each.message) for each in error.faults)
    return drafts, faults


def with_references(members: dict[str, Any], drafts: dict[int, Definition]) -> dict[str, Any]:
    """The members of a request with each draft as it is kept, without those that are wrong."""
    chosen = members.get("metrics")
    if not isinstance(chosen, list):
        return members
    kept: Sequence[Any] = [
        {"name": drafts[position].name, "definition_sha256": drafts[position].sha256} if position in drafts else given
        for position, given in enumerate(chosen)
        if position in drafts or not isinstance(given, dict)
    ]
    return members | {"metrics": kept}
