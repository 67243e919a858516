"""Without an environment nothing reaches AWS: what is missing is named, with the way out."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from inspect import getmembers, getsource, isfunction, signature
from types import ModuleType

import pytest
from chalice.app import Chalice
from chalice.test import Client

from chalicelib.core.errors import NotConfigured
from chalicelib.runtime import (
    consumer_wiring,
    event_wiring,
    ingest_wiring,
    query_wiring,
    replay_wiring,
    system,
)
from chalicelib.runtime.settings import Settings
from tests.conftest import SETTINGS

NAMES = {name for name in SETTINGS if name.endswith(("_BUCKET", "_TABLE", "_QUEUE_URL")) or name == "DESTINATIONS"}
EVENT = {"source": "s", "event_type": "t", "entity_id": "e", "event_time": "2026-11-21T12:00:00Z", "payload": 1}
WINDOW = "start_time=2026-11-21T00:00:00Z&end_time=2026-11-22T00:00:00Z"
ID = "0" * 64

REQUESTS = [
    ("POST", "/ingest", EVENT),
    ("GET", f"/events?entity_id=e&{WINDOW}", None),
    ("GET", f"/events/{ID}", None),
    ("GET", f"/events/{ID}/raw", None),
    ("GET", "/late?source=s&event_type=t&day=2026-11-21", None),
    ("GET", "/late/summary?day=2026-11-21", None),
    ("GET", "/stale?day=2026-11-21", None),
    ("GET", f"/gaps?entity_id=e&{WINDOW}", None),
    ("GET", "/sources", None),
    ("GET", "/freshness?source=s&event_type=t&max_age_s=60", None),
    ("POST", "/replay", {"entity_id": "e", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}),
    ("GET", "/replay", None),
    ("GET", "/replay/r", None),
    ("POST", "/replay/r/cancel", None),
    ("POST", "/replay/r/redrive", None),
    ("POST", "/replay/r/outcomes", {"outcomes": [{"event_id": ID, "outcome": "done"}]}),
    ("GET", "/destinations", None),
    ("GET", "/aggregates?entity_id=e&day=2026-11-21", None),
    ("GET", "/aggregates/inputs?entity_id=e&day=2026-11-21&replay_id=r", None),
    ("GET", "/aggregates/diff?entity_id=e&day=2026-11-21&from=r&to=q", None),
    ("GET", "/metrics", None),
    ("GET", "/metrics/revenue", None),
    ("GET", "/metrics/revenue/values?start_day=2023-06-30&end_day=2023-06-30", None),
    ("PUT", f"/events-files/{ID}?events=1", None),
    ("PUT", "/metrics/revenue", {"aggregate": "count"}),
    ("DELETE", "/metrics/revenue", None),
    ("GET", "/rejected?day=2026-11-21", None),
    ("GET", f"/rejected/2026-11-21.{ID}", None),
    ("POST", f"/rejected/2026-11-21.{ID}/retry", None),
]
WITHOUT_AWS = {"/health", "/openapi.json"}

WIRING = (consumer_wiring, event_wiring, ingest_wiring, query_wiring, replay_wiring)
MAY_DO_WITHOUT = {"authenticator", "write_digests"}


def wired(module: ModuleType) -> list[tuple[str, Callable[[], object]]]:
    """What a module makes without being given anything."""
    made = [each for each in getmembers(module, isfunction) if each[1].__module__ == module.__name__]
    return [(name, make) for name, make in made if not signature(make).parameters and name not in MAY_DO_WITHOUT]


MADE = [each for module in WIRING for each in wired(module)]


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chalice]:
    """The application, imported already, in an environment that says nothing."""
    from app import app  # noqa: PLC0415  # not before the environment of the tests stands

    for name in NAMES | {"AWS_DEFAULT_REGION"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    system.forget()
    yield app
    system.forget()


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=lambda value: str(value)[:40])
def test_a_route_names_all_that_is_missing_and_the_way_out(
    application: Chalice, method: str, path: str, body: object
) -> None:
    with Client(application, stage_name="local") as client:
        answer = client.http.request(
            method,
            path,
            headers={"Content-Type": "application/json"} if body else {},
            body=json.dumps(body).encode() if body else b"",
        )

    detail = answer.json_body["detail"]
    assert answer.status_code == 500
    assert {name for name in NAMES | {"AWS_DEFAULT_REGION"} if name in detail} == NAMES | {"AWS_DEFAULT_REGION"}
    assert "`make local`" in detail
    assert "infra.record_outputs" in detail


def test_every_route_that_asks_aws_is_tried(application: Chalice) -> None:
    tried = {(method, path.partition("?")[0].replace(ID, "*")) for method, path, _ in REQUESTS}
    routes = sum(len(methods) for path, methods in application.routes.items() if path not in WITHOUT_AWS)

    assert len(tried) == routes


@pytest.mark.parametrize("function", ["planner", "processor", "dead_letters"])
def test_a_consumer_names_them_too(application: Chalice, function: str) -> None:
    with Client(application, stage_name="local") as client, pytest.raises(NotConfigured, match="RAW_BUCKET"):
        client.lambda_.invoke(function, client.events.generate_sqs_event(['{"replay_id": "r"}']))


@pytest.mark.parametrize(("name", "make"), MADE)
def test_nothing_is_wired_with_an_empty_name(
    application: Chalice, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[], object]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    with pytest.raises(NotConfigured, match="Not set: "):
        make()


@pytest.mark.parametrize("module", WIRING, ids=lambda module: module.__name__)
def test_the_wiring_reads_names_only_where_empty_ones_are_refused(module: ModuleType) -> None:
    read = {node.attr for node in ast.walk(ast.parse(getsource(module))) if isinstance(node, ast.Attribute)}

    assert read.isdisjoint(name.lower() for name in NAMES)


def test_what_a_stage_may_do_without_is_not_called_missing() -> None:
    assert set(Settings().missing) == NAMES
