"""Cursors that Retrace did not make: however they are sealed, each is answered 400 with the reason."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from chalicelib.aggregates.queries import InputsQuery
from chalicelib.core.pagination import query_fingerprint, to_cursor
from chalicelib.quarantine.retries import RejectedQuery
from chalicelib.replays.request import ReplaysQuery
from chalicelib.search.queries import EventsQuery, LateQuery, LateSummaryQuery
from tests.functional.application import Application

DAY = "2026-11-21"
ID = "0" * 64
TYPE = {"source": "shop/till", "event_type": "order.paid"}

QUERIES: Mapping[str, tuple[str, type[BaseModel], Mapping[str, str]]] = {
    "events of an entity": ("/events", EventsQuery, {"entity_id": "order-1"}),
    "events of a type, newest first": ("/events", EventsQuery, {**TYPE, "day": DAY, "order": "newest"}),
    "late arrivals": ("/late", LateQuery, {**TYPE, "day": DAY}),
    "late arrivals of all sources": ("/late", LateQuery, {"day": DAY}),
    "counts of late arrivals": ("/late/summary", LateSummaryQuery, {"day": DAY}),
    "replays": ("/replay", ReplaysQuery, {}),
    "inputs": ("/aggregates/inputs", InputsQuery, {"entity_id": "order-1", "day": DAY, "replay_id": "r"}),
    "refused events": ("/rejected", RejectedQuery, {"day": DAY}),
}

EVENT = f"TS#{DAY}T00:00:00.000000000Z#EID#{ID}"
SELF_MADE = [
    "\0",
    "A",
    "\ue000",
    "\U0010ffff",
    "0:\0",
    "0:\ue000",
    "0:TS#",
    "0:LAG#",
    f"1:{EVENT}",
    f"0:{EVENT}x",
    f"0:{EVENT}\n",
    f"{DAY}\0\0SRC#",
    f"{DAY}\0\0SRC#{'s' * 1_100}#TYPE#t",
    "TS#",
    "LAG#",
    "LAG#~",
    f"LAG#{'9' * 16}#EID#{ID}",
    f"{EVENT}#DUP#{DAY}T00:00:00.000000000Z#{'r' * 2_000}#0000",
    "REPLAY#",
    f"REPLAY#{'é' * 1_000}",
    f"2026-11-20.{ID}",
    f"2026-02-30.{ID}",
    f"{DAY}.{ID}/",
    "x" * 5_000,
    "é" * 3_000,
]


def sealed(name: str, position: str) -> str:
    """A cursor as somebody makes it who has read the source."""
    _, model, query = QUERIES[name]
    cursor = to_cursor(query_fingerprint(model(**query)), position)
    assert cursor is not None
    return cursor


def refusal(application: Application, name: str, cursor: str) -> tuple[int, str]:
    """The status of a list from a cursor on, and the field at fault."""
    path, _, query = QUERIES[name]
    answer = application.get(path, **query, cursor=cursor)
    return answer.status_code, answer.json_body.get("errors", [{"field": ""}])[0]["field"]


@pytest.mark.parametrize("name", QUERIES)
def test_a_cursor_sealed_by_a_client_is_refused(application: Application, name: str) -> None:
    answers = {position: refusal(application, name, sealed(name, position)) for position in SELF_MADE}

    assert {position: answer for position, answer in answers.items() if answer != (400, "cursor")} == {}


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.text(min_size=1))
def test_any_text_sealed_by_a_client_is_refused(application: Application, name: str, position: str) -> None:
    assert refusal(application, name, sealed(name, position.encode("utf-8", "replace").decode())) == (400, "cursor")


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.text(min_size=1, max_size=80) | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_text_that_is_not_a_cursor_is_refused(application: Application, name: str, cursor: str) -> None:
    assert refusal(application, name, cursor.encode("utf-8", "replace").decode()) == (400, "cursor")
