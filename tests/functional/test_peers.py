"""The peers that Retrace is measured beside do the same work, and fail where their modules say that they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict

from bench.event_costs import PEERS
from bench.orders import DAY, ENTITIES, SOURCE, orders
from bench.peers import in_process as in_process_module
from bench.peers.deployment import template
from bench.peers.in_process import BUCKET, InProcess, in_process

TYPE = "order.paid"
EVENTS = orders(TYPE, 0, 12)
WANTED = {"source": SOURCE, "event_type": TYPE, "day": DAY}


@pytest.fixture
def peer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    BackendDict.reset()  # what tests before have left in moto
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # where nobody answers
    with in_process(request.param) as peer:
        yield peer


def rows(peer: InProcess, table: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = peer.dynamodb.scan(TableName=table)["Items"]
    return items


def counted(peer: InProcess) -> int:
    return sum(int(row["events"]["N"]) for row in rows(peer, "CountsTable"))


@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_a_peer_takes_in_finds_replays_and_counts_each_event_once(peer: InProcess) -> None:
    peer.call("POST", "/ingest", EVENTS)
    peer.call("POST", "/ingest", EVENTS)
    assert len(rows(peer, "EventsTable")) == len(EVENTS)
    assert len(peer.s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == len(EVENTS)

    found = peer.call("GET", "/events", query={"entity_id": str(EVENTS[0]["entity_id"]), "limit": "100"})
    assert len(found["items"]) == len(EVENTS) // ENTITIES + 1

    assert peer.call("POST", "/replay", WANTED)["sent"] == len(EVENTS)
    assert (peer.process(), counted(peer)) == (len(EVENTS), len(EVENTS))


@pytest.mark.parametrize("name", PEERS)
def test_what_is_deployed_of_a_peer_is_what_its_module_has_and_reads(name: str) -> None:
    folder = Path(in_process_module.__file__).parent
    source = "".join((folder / f"{each}.py").read_text() for each in (name, "records"))
    resources = template(name, "s3://bucket/key", [])["Resources"]

    for function in (resources["ApiFunction"]["Properties"], resources["Processor"]["Properties"]):
        module, _, handler = function["Handler"].partition(".")
        assert (module, f"def {handler}(" in source) == (name, True)
        assert set(re.findall(r'environ\["(\w+)"\]', source)) <= function["Environment"]["Variables"].keys()


@pytest.mark.parametrize("peer", ["plain"], indirect=True)
def test_the_plain_design_loses_an_event_whose_function_ends_too_early(
    peer: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(**_: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as ending:
        ending.setattr(peer.module.records.s3, "put_object", ends)
        with pytest.raises(TimeoutError):
            peer.call("POST", "/ingest", EVENTS[0])

    assert peer.call("POST", "/ingest", EVENTS[0])["results"][0]["status"] == "DUPLICATE"
    assert rows(peer, "EventsTable") == []


@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_a_peer_does_not_notice_other_content_and_rewrites_numbers(peer: InProcess) -> None:
    peer.call("POST", "/ingest", EVENTS[0])
    peer.call("POST", "/ingest", {**EVENTS[0], "payload": {"amount": "1.00"}})

    [row] = rows(peer, "EventsTable")
    kept = peer.s3.get_object(Bucket=BUCKET, Key=row["s3_key"]["S"])["Body"].read()
    assert b"19.99" in kept


@pytest.mark.parametrize("peer", ["plain"], indirect=True)
def test_the_plain_design_counts_a_message_as_often_as_it_comes(peer: InProcess) -> None:
    peer.call("POST", "/ingest", EVENTS)
    for _ in range(2):
        peer.call("POST", "/replay", WANTED)
        peer.process()

    assert counted(peer) == 2 * len(EVENTS)


@pytest.mark.parametrize("peer", ["powertools"], indirect=True)
def test_powertools_counts_a_message_twice_whose_function_ends_before_it_is_noted(
    peer: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.call("POST", "/ingest", EVENTS[:1])
    peer.call("POST", "/replay", WANTED)

    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")

    with monkeypatch.context() as failing:
        failing.setattr(peer.module.known_messages.client, "update_item", refused)
        with pytest.raises(Exception, match="All records failed processing"):
            peer.process()

    assert counted(peer) == 1
