"""Defines what the types of all answers have in common.

An answer's type is its only description. Functions that write answers return it, which mypy checks. GET /openapi.json
has pydantic make a JSON Schema of it; nothing else imports pydantic for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from typing_extensions import TypedDict  # pydantic reads typing's only from Python 3.12 on

from chalicelib.core.errors import Fault

Json = dict[str, Any]

CSV = "text/csv"
CURSOR_HEADER = "Retrace-Cursor"
"""Of a page as CSV: where the next one begins. Absent after the last."""


class JsonSchema:
    """Members of the JSON Schema of what it annotates."""

    def __init__(self, **members: Any) -> None:
        self._members = members

    def __get_pydantic_json_schema__(self, schema: Any, described: Callable[[Any], Json]) -> Json:
        """What pydantic makes of the type, and these members."""
        return described(schema) | self._members


class DescribedBy:
    """A model that describes what it annotates."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, _annotated: Any, handler: Any) -> Any:
        """What pydantic knows of the model."""
        return handler.generate_schema(self._model)


Sha256 = Annotated[str, JsonSchema(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[
    str,
    JsonSchema(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z$", examples=["2026-11-21T23:59:59.123456789Z"]),
]
Day = Annotated[str, JsonSchema(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-21"])]
Count = Annotated[int, JsonSchema(minimum=0)]
Cursor = Annotated[str | None, JsonSchema(description="Where the next page begins; null after the last.")]


def states(*given: str) -> JsonSchema:
    """The states of an event that an answer gives, and ERASED, which none gives yet: who reads answers must know it."""
    return JsonSchema(enum=[*given, "ERASED"], description="ERASED is reserved: no event is erased in this version.")


class Shape(TypedDict):
    """A JSON object with exactly these members."""


# https://docs.pydantic.dev/latest/concepts/types/#typeddict
Shape.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]  # read by pydantic alone


class FieldError(Shape):
    """One reason why an event was refused."""

    field: Annotated[str, JsonSchema(description="A dotted path; empty for the whole.")]
    message: str


def field_errors(faults: Iterable[Fault]) -> list[FieldError]:
    """Reasons, as every answer gives them."""
    return [{"field": fault.field, "message": fault.message} for fault in faults]


class Problem(Shape):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError]


class Health(Shape):
    """The API answers."""

    status: Literal["ok"]
