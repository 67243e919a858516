"""Replays under control on the deployed stack: one that is cancelled stops and adds up, a large one lets others by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from embedded.stack import started
from tests.e2e.deployed import Deployed, batches, until
from tests.e2e.workers.stack import messages_on

LARGE, SMALL = 4_000, 60
MAX_IN_FLIGHT = 300

Job = dict[str, Any]


@pytest.fixture(scope="module")
def controlled() -> Iterator[Deployed]:
    """A stack whose planners wait early, with a large and a small entity in it."""
    with started(parameters={"MaxInFlight": str(MAX_IN_FLIGHT), "ProcessorConcurrency": "2"}) as stack:
        deployed = Deployed(stack)
        for batch in batches([*of_entity("large", LARGE), *of_entity("small", SMALL)], 1_000):
            assert {result["status"] for result in deployed.ingest(batch)["results"]} == {"ACCEPTED"}
        yield deployed


def of_entity(entity_id: str, count: int) -> list[bytes]:
    """Events of one entity over four days."""
    return [
        json.dumps(
            {
                "source": "control",
                "event_type": "step",
                "entity_id": entity_id,
                "event_time": f"2026-11-{1 + number % 4:02d}T{number // 4 // 60 % 24:02d}:{number // 4 % 60:02d}:00Z",
                "payload": number,
            }
        ).encode()
        for number in range(count)
    ]


def requested(deployed: Deployed, entity_id: str) -> str:
    """Ask for a replay of an entity; answers its id."""
    window = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}
    answer = deployed.post("/replay", {"entity_id": entity_id, **window})
    assert answer.status == 202, answer.data
    replay_id: str = answer.json()["replay_id"]
    return replay_id


def job(deployed: Deployed, replay_id: str) -> Job:
    """A replay and how far it is."""
    return deployed.get(f"/replay/{replay_id}")


def cancelled(deployed: Deployed, replay_id: str) -> Job:
    """Cancel a replay; answers the job as it then is."""
    answer = deployed.post(f"/replay/{replay_id}/cancel", {})
    assert answer.status == 200, answer.data
    stopped: Job = answer.json()
    return stopped


def test_a_replay_that_is_cancelled_while_it_is_sent_sends_no_more_and_adds_up(controlled: Deployed) -> None:
    replay_id = requested(controlled, "large")
    until(lambda: job(controlled, replay_id)["sent"] > 0)

    assert cancelled(controlled, replay_id)["state"] == "CANCELLED"

    until(lambda: messages_on(controlled.admin, controlled.stack.replay_jobs_queue_url) == 0)
    stopped = job(controlled, replay_id)
    assert 0 < stopped["sent"] < LARGE
    until(lambda: messages_on(controlled.admin, controlled.stack.replay_queue_url) == 0)
    settled = job(controlled, replay_id)
    assert (settled["state"], settled["sent"]) == ("CANCELLED", stopped["sent"])
    assert settled["processed"] + settled["dropped"] + settled["failed"] == settled["sent"]
    assert settled["failed"] == 0


def test_what_is_left_of_a_cancelled_replay_is_dropped(controlled: Deployed) -> None:
    functions = controlled.admin.functions
    [processor] = [
        mapping["UUID"]
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
        if mapping["EventSourceArn"].endswith("-replay")
    ]
    functions.update_event_source_mapping(UUID=processor, Enabled=False)
    replay_id = requested(controlled, "large")
    until(lambda: job(controlled, replay_id)["sent"] == MAX_IN_FLIGHT)

    cancelled(controlled, replay_id)
    functions.update_event_source_mapping(UUID=processor, Enabled=True)

    until(lambda: job(controlled, replay_id)["dropped"] == MAX_IN_FLIGHT)
    until(lambda: messages_on(controlled.admin, controlled.stack.replay_jobs_queue_url) == 0)
    settled = job(controlled, replay_id)
    assert (settled["state"], settled["sent"], settled["processed"], settled["failed"]) == (
        "CANCELLED",
        MAX_IN_FLIGHT,
        0,
        0,
    )


def test_a_small_replay_is_complete_before_a_large_one_that_began_earlier(controlled: Deployed) -> None:
    large = requested(controlled, "large")
    until(lambda: job(controlled, large)["sent"] > 0)
    small = requested(controlled, "small")

    until(lambda: job(controlled, small)["state"] == "COMPLETE")

    assert job(controlled, small)["processed"] == SMALL
    assert job(controlled, large)["state"] == "SENDING"
    cancelled(controlled, large)
