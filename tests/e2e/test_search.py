"""Searches over the deployed application equal a brute-force filter over what was sent."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.core.timestamps import parse_instant
from embedded.stack import started
from tests.e2e.deployed import AT_ONCE, Deployed, batches
from tests.e2e.samples import Sample
from tests.sizes import is_full

pytestmark = pytest.mark.sized

_GENERATED = 50_000 if is_full() else 4_000
_DAY = "2026-11-2{}"


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """A stack of its own: tests that read whole tables need not go through so many events."""
    with started() as stack:
        yield Deployed(stack)


@pytest.fixture(scope="module", params=["sample", "generated"])
def sent(request: pytest.FixtureRequest, deployed: Deployed, sample: Sample) -> list[dict[str, str]]:
    """Every event of a set, with its id, as the API orders them: by time, then id."""
    lines = sample.from_source("search/sample").lines if request.param == "sample" else generated()
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(deployed.ingest, batches(lines, AT_ONCE)))
    results = [result for answer in answers for result in answer["results"]]
    assert {result["status"] for result in results} == {"ACCEPTED"}
    events = [
        {name: event[name] for name in ("source", "event_type", "entity_id")}
        | {"event_id": result["event_id"], "event_time": parse_instant(event["event_time"])}
        for event, result in zip(map(json.loads, lines), results, strict=True)
    ]
    return sorted(events, key=lambda event: (event["event_time"], event["event_id"]))


def generated() -> list[bytes]:
    """Events of 700 entities with Unicode ids over three days, many at the same instant."""
    rng = random.Random(17)
    names = [f"entité/{number}#%漢字🛒" for number in range(700)]

    def event(number: int) -> dict[str, Any]:
        second = rng.randrange(0, 3 * 86_400, 30)
        clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        return {
            "source": "search/generated",
            "event_type": rng.choice(["view", "view", "view", "überweisung"]),
            "entity_id": rng.choice(names),
            "event_time": f"{_DAY.format(second // 86_400)}T{clock}{rng.choice(['Z', '.5Z', '+00:00'])}",
            "payload": number,
        }

    return [json.dumps(event(number), ensure_ascii=False).encode() for number in range(_GENERATED)]


def found(deployed: Deployed, rng: random.Random, **query: str) -> Iterator[str]:
    """The ids on every page of a query, each page of another size."""
    while True:
        answer = deployed.get("/events", **query, limit=str(rng.choice([1, 3, 50, 400, 1_000])))
        yield from (item["event_id"] for item in answer["items"])
        if answer["cursor"] is None:
            return
        query["cursor"] = answer["cursor"]


def window(events: list[dict[str, str]], rng: random.Random, span: int) -> tuple[str, str]:
    """A window that begins and ends at events, so that its edges matter; at most about `span` events wide."""
    start = rng.randrange(len(events))
    end = min(start + rng.randrange(1, span), len(events) - 1)
    first, last = events[start]["event_time"], events[end]["event_time"]
    return (first, last) if first < last else (first, f"{last[:20]}999999999Z")


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_random_windows_of_entities(deployed: Deployed, sent: list[dict[str, str]], order: str) -> None:
    rng = random.Random(19)
    for _ in range(25):
        entity = rng.choice(sent)["entity_id"]
        mine = [event for event in sent if event["entity_id"] == entity]
        start, end = window(mine, rng, 300)
        expected = [event["event_id"] for event in mine if start <= event["event_time"] < end]
        query = {"entity_id": entity, "start_time": start, "end_time": end, "order": order}
        if rng.random() < 0.5:
            kind = rng.choice(mine)["event_type"]
            query["event_type"] = kind
            expected = [
                event["event_id"]
                for event in mine
                if start <= event["event_time"] < end and event["event_type"] == kind
            ]
        assert list(found(deployed, rng, **query)) == (expected if order == "oldest" else expected[::-1])


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_random_windows_of_types(deployed: Deployed, sent: list[dict[str, str]], order: str) -> None:
    rng = random.Random(23)
    for _ in range(10):
        chosen = rng.choice(sent)
        source, event_type = chosen["source"], chosen["event_type"]
        alike = [event for event in sent if (event["source"], event["event_type"]) == (source, event_type)]
        start, end = window(alike, rng, 1_500)
        expected = [event["event_id"] for event in alike if start <= event["event_time"] < end]
        query = {"source": source, "event_type": event_type, "start_time": start, "end_time": end, "order": order}
        assert list(found(deployed, rng, **query)) == (expected if order == "oldest" else expected[::-1])
