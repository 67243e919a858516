"""Retries a refused event through the API, and reports the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from retrace.answer import Answer, Json
from retrace.client import Client
from retrace.corrections import Correction


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of a retry: how many events ended in each status, and why those were refused that were."""

    rejected_id: str
    counts: Mapping[str, int]
    errors: tuple[Json, ...]

    @property
    def taken_in(self) -> bool:
        """Whether every event of it is stored."""
        return not any(count for status, count in self.counts.items() if status not in ("accepted", "duplicate"))

    def to_json(self) -> Json:
        """As a line of JSON."""
        return {"rejected_id": self.rejected_id, **self.counts, "errors": list(self.errors)}


def retried(client: Client, correction: Correction, *, dry_run: bool) -> Retried:
    """Send one; raises Problem where nothing was decided."""
    path = f"/rejected/{correction.rejected_id}/retry"
    query = {"dry_run": "true"} if dry_run else {}
    answer = client.call("POST", path, query=query, body=correction.sent.body, headers=correction.sent.headers)
    if answer.status == HTTPStatus.NOT_FOUND:
        return Retried(correction.rejected_id, {"unknown": 1}, (_fault("", answer.json.get("detail", "is unknown")),))
    if answer.has("counts"):
        return _of_a_batch(correction, answer)
    if not answer.has("status") or ("rejected_id" not in answer.json and answer.status >= HTTPStatus.BAD_REQUEST):
        raise client.problem_of(f"POST {path}", answer)
    status = str(answer.json["status"]).lower()
    return Retried(correction.rejected_id, {status: 1}, tuple(answer.json.get("errors", ())))


def _of_a_batch(correction: Correction, answer: Answer) -> Retried:
    counts = {status: count for status, count in answer.json["counts"].items() if count}
    errors = tuple(error for result in answer.json.get("results", ()) for error in result.get("errors", ()))
    return Retried(correction.rejected_id, counts, errors)


def _fault(field: str, message: str) -> Json:
    return {"field": field, "message": message}
