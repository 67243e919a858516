"""What the API tells of events, refusals and numbers: asked before a disaster and after it, and compared."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from embedded.api import Api
from embedded.connection import Stack
from infra.command import Problem

Row = Mapping[str, Any]
Question = tuple[str, str, tuple[tuple[str, str], ...]]
"""What is asked for, in words for the reader; path and query."""

_CLIENTS = 4
_MOST_EVENTS = 500
"""How many events are asked for one by one; lists name all of them."""
_MOST_DAYS = 500
_COMPUTED = ("value", "input_count", "inputs_hash", "sample_event_ids", "counts_by_type", "other_types_count")
# What no raw line tells: later arrivals, and replays, whose ids the versions of aggregates have.
_APART: Final = frozenset({"arrivals", "more_arrivals", "aggregates", "more_aggregates"})

EVENTS: Final = "events, by id"
RAW: Final = "events, as they were sent"
LISTS: Final = "entries of lists"
NUMBERS: Final = "numbers"
REFUSALS: Final = "refused events"
KINDS: Final = (EVENTS, RAW, LISTS, NUMBERS, REFUSALS)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to each question."""

    answers: Mapping[Question, object]

    def count(self, kind: str) -> int:
        """Return how many things the answers of a kind told: entries of lists, else answers that were none of 404."""
        told = [answer for question, answer in self.answers.items() if question[0] == kind and answer is not None]
        return sum(len(answer) if isinstance(answer, tuple) else 1 for answer in told)

    def unknown(self, kind: str) -> list[Question]:
        """Return the questions of a kind that nothing was told to."""
        return [question for question, answer in self.of(kind).answers.items() if answer is None]

    def of(self, kind: str) -> "Remembered":
        """Return the questions of one kind."""
        return Remembered({question: answer for question, answer in self.answers.items() if question[0] == kind})

    def lost_in(self, later: "Remembered") -> list[Question]:
        """Return the questions that are answered otherwise later."""
        return [question for question, answer in self.answers.items() if later.answers.get(question) != answer]


def questions_about(index: Sequence[Row]) -> list[Question]:
    """Return what can be asked about the events of index rows: about some by id, about all in lists and numbers."""
    ids = [row["event_id"]["S"] for row in sorted(index, key=lambda row: str(row["event_id"]["S"]))]
    some = ids[:: len(ids) // _MOST_EVENTS + 1]
    days = sorted({(row["entity_id"]["S"], _day(row)) for row in index})[:_MOST_DAYS]
    types = sorted({(row["source"]["S"], row["event_type"]["S"], _day(row)) for row in index})[:_MOST_DAYS]
    arrived = sorted({row["ingest_time"]["S"][:10] for row in index})
    return [
        *((EVENTS, f"/events/{event_id}", ()) for event_id in some),
        *((RAW, f"/events/{event_id}/raw", ()) for event_id in some),
        *((LISTS, "/events", (("entity_id", entity), *_whole(day))) for entity, day in days),
        *((LISTS, "/gaps", (("entity_id", entity), *_whole(day))) for entity, day in days[:20]),
        *(
            (LISTS, path, (("source", source), ("event_type", event_type), ("day", day)))
            for source, event_type, event_day in types
            for path, day in (("/events", event_day), *(("/late", of_arrival) for of_arrival in arrived))
        ),
        *((NUMBERS, "/aggregates", (("entity_id", entity), ("day", day))) for entity, day in days),
        *((REFUSALS, "/rejected", (("day", day),)) for day in arrived),
    ]


def asked(stack: Stack, questions: Iterable[Question]) -> Remembered:
    """Ask the API; an answer that is 404, or says nothing, is None. Raises Problem for any other that is no success."""
    api, wanted = Api(stack), list(questions)
    with ThreadPoolExecutor(_CLIENTS) as clients:
        return Remembered(dict(zip(wanted, clients.map(lambda question: _answer(api, question), wanted), strict=True)))


def _answer(api: Api, question: Question) -> object:
    kind, path, query = question
    if kind in (EVENTS, RAW, NUMBERS):
        answer = _answered(api, path, dict(query))
        if answer is None:
            return None
        if kind == RAW:
            return answer
        said: dict[str, Any] = json.loads(answer)
        return _numbers(said) if kind == NUMBERS else {name: said[name] for name in said.keys() - _APART}
    return tuple(_items(api, path, dict(query)))


def _answered(api: Api, path: str, query: dict[str, str]) -> bytes | None:
    answer = api.call("GET", path, query=query)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise Problem(f"GET {path} was answered {answer.status}: {answer.data[:300]!r}", "The stack's log says more.")
    return answer.data


def _numbers(said: Mapping[str, Any]) -> object:
    """Return what the newest version was computed to be, and how much came after it."""
    newest = next(iter(said["versions"]), None)
    return None if newest is None else [*(newest[name] for name in _COMPUTED), said["late_arrivals"]]


def _items(api: Api, path: str, query: dict[str, str]) -> Iterator[object]:
    while True:
        answer = _answered(api, path, query)
        if answer is None:
            return
        said = json.loads(answer)
        yield from said.get("items", said.get("gaps", [said]))
        if not said.get("cursor"):
            return
        query = query | {"cursor": said["cursor"]}


def _day(row: Row) -> str:
    day: str = row["event_time"]["S"][:10]
    return day


def _whole(day: str) -> tuple[tuple[str, str], ...]:
    return (("start_time", f"{day}T00:00:00Z"), ("end_time", f"{day}T23:59:59.999999999Z"))
