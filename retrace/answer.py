"""Answers of the API, told apart from those of other servers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from retrace.problem import Exit, Problem

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the API: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body; raises Problem if it is no JSON object, as of something that is not Retrace."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.foreign()
        return found

    @property
    def is_an_object(self) -> bool:
        """Whether the body is a JSON object."""
        try:
            _ = self.json
        except Problem:
            return False
        return True

    def items_and_cursor(self) -> tuple[list[Json], str | None]:
        """A page of a list, and the cursor to the next."""
        body = self.json
        if not isinstance(body.get("items"), list):
            raise self.foreign()
        return body["items"], body.get("cursor")

    def has(self, member: str) -> bool:
        """Whether the body is a JSON object with this member."""
        return self.is_an_object and member in self.json

    @property
    def retry_after_s(self) -> float:
        """How long it asks to wait; 0 unless it says that in seconds."""
        said = self.headers.get("retry-after", "")
        return float(said) if said.isascii() and said.isdigit() else 0.0

    def foreign(self) -> Problem:
        """What to say of an answer that Retrace would not give."""
        shown = self.body[:200].decode(errors="replace")
        remedy = "Check that the URL is that of the API, with its stage."
        return Problem(f"The answer ({self.status}) is not Retrace's: {shown}", remedy, Exit.UNREACHABLE)


def succeeded(answer: Answer) -> bool:
    """Whether the status says success."""
    return answer.status < HTTPStatus.BAD_REQUEST
