"""The fields of requests with their limits, and their faults in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from chalicelib.core.errors import Fault, first_faults, shown_name
from chalicelib.core.percent_encoding import for_key, for_path
from chalicelib.core.timestamps import parse_day, parse_end, parse_instant

MAX_LIMIT = 1_000
MAX_MS = 10**15 - 1
"""Three times the calendar."""
MAX_REPLAY_ID_BYTES = 256
"""More than any id has; DynamoDB refuses longer keys."""


_BYTES_OF_A_CHARACTER = 12
"""At most: four in UTF-8, each of them three once percent-encoded."""


def _at_most(limit: int, encoded: Callable[[str], str], how: str = " once percent-encoded") -> AfterValidator:
    always_fits = limit // _BYTES_OF_A_CHARACTER

    def check(value: str) -> str:
        if len(value) <= always_fits:
            return value
        size = len(encoded(value).encode())
        if size > limit:
            raise ValueError(f"is {size} bytes{how}: at most {limit} are allowed")
        return value

    return AfterValidator(check)


class WrongField(ValueError):
    """What a rule about several fields finds, with the field to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_sha256(text: str) -> bool:
    """Whether a text is a hash as Retrace writes it, such as the id of an event."""
    return _SHA256.fullmatch(text) is not None


Text = Annotated[str, Field(min_length=1)]

# A source is part of S3 keys; types and entities are part of DynamoDB keys only.
Source = Annotated[Text, _at_most(384, for_path)]
EventType = Annotated[Text, _at_most(384, for_key)]
EntityId = Annotated[Text, _at_most(1_024, for_key)]
Reason = Annotated[Text, _at_most(1_024, str, "")]
Sha256Text = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
IdempotencyKey = Annotated[Text, _at_most(512, str, "")]
ReplayId = Annotated[Text, _at_most(MAX_REPLAY_ID_BYTES, for_key)]
RequestId = Annotated[Text, _at_most(512, for_key)]

Time = Annotated[str, AfterValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
EndTime = Annotated[str, AfterValidator(parse_end), WithJsonSchema({"type": "string", "format": "date-time"})]
DayText = Annotated[str, AfterValidator(parse_day), WithJsonSchema({"type": "string", "format": "date"})]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]


def _true_or_false(given: object) -> object:
    # pydantic would also take 1, yes and on. A misspelt dry run must write nothing.
    if given not in ("true", "false"):
        raise ValueError("must be true or false")
    return given


TrueOrFalse = Annotated[bool, BeforeValidator(_true_or_false)]

_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "dict_type": "must be a JSON object",
    "string_too_short": "must not be empty",
}


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """The faults that a pydantic model found, in words for a caller and without the values they concern."""
    details = error.errors(include_url=False, include_input=False)
    return first_faults(Fault(_field(detail), _message(detail)) for detail in details)


def _field(detail: ErrorDetails) -> str:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, WrongField):
        return error.field
    return ".".join(shown_name(str(name)) for name in detail["loc"])


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return _MESSAGES.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
