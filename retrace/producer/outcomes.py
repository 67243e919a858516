"""Reads from an answer which events of a batch are decided: only if it answers for each event of its request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

from retrace.producer.spool import Row

_COUNTS = ("accepted", "duplicate", "conflict", "rejected")
_TAKEN_IN = ("accepted", "duplicate")
_LISTED_AT_ONCE = 500
"""Results of so many events fit into any answer."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that Retrace refused, and why. Quarantine keeps the event under `rejected_id`, unless that is None."""

    event: bytes
    status: str
    """REJECTED, or CONFLICT: the key belongs to other content. ERASED is reserved."""
    errors: Sequence[Mapping[str, str]]
    rejected_id: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive events of a batch that are one request; `all_results` asks for the result of each."""

    rows: list[Row]
    all_results: bool = False

    def halves(self) -> list[Part]:
        """Two requests of the same events."""
        middle = len(self.rows) // 2
        return [Part(self.rows[:middle], self.all_results), Part(self.rows[middle:], self.all_results)]

    def listed(self) -> list[Part]:
        """Requests of the same events whose answers name all that is refused."""
        starts = range(0, len(self.rows), _LISTED_AT_ONCE)
        return [Part(self.rows[start : start + _LISTED_AT_ONCE], all_results=True) for start in starts]


@dataclass(frozen=True, slots=True)
class Decided:
    """Retrace has every event of the part, or refused it."""

    rejections: Sequence[Rejection] = ()


@dataclass(frozen=True, slots=True)
class Divide:
    """The same events must be sent in other parts."""

    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class TryLater:
    """Nothing is known of the part. It must be sent again."""

    reason: str
    after_s: float = 0.0


Outcome: TypeAlias = Decided | Divide | TryLater


def outcome(part: Part, status: int, body: bytes, after_s: float) -> Outcome:
    """What becomes of a part that was answered. Statuses that decide nothing never lose an event."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Divide(part.halves()) if len(part.rows) > 1 else Decided([_too_large(part.rows[0])])
    answer = _object(body)
    counts: Mapping[str, int] = answer["counts"] if _has_counts(answer) else {}
    if sum(counts.values()) == len(part.rows):
        return _decided(part, answer, refused=len(part.rows) - sum(counts[name] for name in _TAKEN_IN))
    if counts and len(part.rows) > 1:  # the request was refused as a whole: one of its events broke it
        return Divide(part.halves())
    return TryLater(f"it answered {status}: {body[:200].decode(errors='replace')}", after_s)


def _decided(part: Part, answer: Mapping[str, Any], refused: int) -> Outcome:
    try:
        rejections = list(_rejections(part, answer.get("results", [])))
    except (AttributeError, IndexError, KeyError, TypeError):
        return TryLater("its results cannot be read")
    if len(rejections) == refused:
        return Decided(rejections)
    return TryLater("its results do not match its counts") if part.all_results else Divide(part.listed())


def _rejections(part: Part, results: Sequence[Mapping[str, Any]]) -> Iterator[Rejection]:
    refused = {result["position"]: result for result in results if result["status"].lower() not in _TAKEN_IN}
    if min(refused, default=0) < 0:
        raise IndexError
    for position, result in sorted(refused.items()):
        event = part.rows[position].line.text
        yield Rejection(event, result["status"], result.get("errors", []), result.get("rejected_id"))


def _too_large(row: Row) -> Rejection:
    errors = [{"field": "", "message": f"is too large for a request: {len(row.line.text):,} bytes"}]
    return Rejection(row.line.text, "REJECTED", errors, None)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _has_counts(answer: Mapping[str, Any]) -> bool:
    counts = answer.get("counts")
    if not isinstance(counts, dict) or not counts.keys() >= set(_COUNTS):
        return False
    return all(type(count) is int for count in counts.values())
