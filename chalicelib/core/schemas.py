"""What the shapes of all answers have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z$", examples=["2026-11-21T23:59:59.123456789Z"])
]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-21"])]
Count = Annotated[int, Field(ge=0)]
Cursor = Annotated[str | None, Field(description="Where the next page begins; null after the last.")]


class Shape(BaseModel):
    """A JSON object with exactly these members."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldError(Shape):
    """One reason for a refusal."""

    field: Annotated[str, Field(description="A dotted path; empty for the whole.")]
    message: str


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
