"""The sample through the deployed application: accepted once, stored verbatim, replayed to exact aggregates."""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256, shake_256
from typing import Any

import pytest

from tests.e2e.deployed import Deployed, batches, until
from tests.e2e.samples import Sample

_PRIME = 2**3072 - 1_103_717


@pytest.fixture(scope="module")
def sample(sample: Sample) -> Sample:
    """The events of this module alone: other modules send to the same stack."""
    return sample.below("real")


@pytest.fixture(scope="module")
def first_answers(deployed: Deployed, sample: Sample) -> list[dict[str, Any]]:
    """The results of sending the whole sample once, in batches of 250."""
    return [result for batch in batches(sample.lines, 250) for result in deployed.ingest(batch)["results"]]


def test_every_event_is_accepted_the_first_time(first_answers: list[dict[str, Any]], sample: Sample) -> None:
    assert Counter(result["status"] for result in first_answers) == {"ACCEPTED": len(sample.lines)}
    assert len({result["event_id"] for result in first_answers}) == len(sample.lines)


def test_index_and_identity_rows_agree_with_the_raw_lines_they_point_at(
    deployed: Deployed, first_answers: list[dict[str, Any]]
) -> None:
    ids = {result["event_id"] for result in first_answers}
    rows = [row for row in deployed.events_and_identities().values() if row["event_id"]["S"] in ids]
    assert len(rows) == 2 * len(ids)
    for row in random.Random(7).sample(rows, min(200, len(rows))):
        line = json.loads(deployed.raw_line(row))
        for name in ("event_id", "ingest_time", "content_sha256", "entity_id", "event_type", "event_time"):
            assert line[name] == row[name]["S"]


def test_sending_everything_again_shuffled_and_rebatched_changes_no_row_and_no_object(
    deployed: Deployed, sample: Sample, first_answers: list[dict[str, Any]]
) -> None:
    rows, objects = deployed.events_and_identities(), deployed.objects()
    shuffled = list(sample.lines)
    random.Random(11).shuffle(shuffled)

    again = [result for batch in batches(shuffled, 333) for result in deployed.ingest(batch)["results"]]

    assert Counter(result["status"] for result in again) == {"DUPLICATE": len(sample.lines)}
    first = {result["event_id"]: (result["s3_key"], result["ingest_time"]) for result in first_answers}
    assert {result["event_id"]: (result["s3_key"], result["ingest_time"]) for result in again} == first
    assert deployed.events_and_identities() == rows
    assert deployed.objects() == objects


def test_raw_answers_each_event_as_it_was_sent(
    deployed: Deployed, sample: Sample, first_answers: list[dict[str, Any]]
) -> None:
    sent = list(zip(sample.lines, first_answers, strict=True))
    chosen = [pair for pair in sent if b"E9" in pair[0]][:10] + random.Random(13).sample(sent, 20)
    for line, result in chosen:
        answer = deployed.api.call("GET", f"/events/{result['event_id']}/raw")
        assert answer.data == line
        assert answer.headers["X-Content-Sha256"] == result["content_sha256"]


def test_a_replay_of_each_entity_adds_up_and_every_inputs_hash_can_be_recomputed(
    deployed: Deployed, sample: Sample, first_answers: list[dict[str, Any]]
) -> None:
    jobs = {entity: _requested(deployed, entity) for entity in sample.entities}
    for replay_id in jobs.values():
        until(lambda replay_id=replay_id: deployed.get(f"/replay/{replay_id}")["state"] == "COMPLETE")  # type: ignore[misc]  # mypy does not infer a lambda's default

    inputs = _inputs_by_version(deployed)
    total = 0
    for entity, day in sorted(sample.days):
        answer = deployed.get("/aggregates", entity_id=entity, day=day)
        version = next(version for version in answer["versions"] if version["replay_id"] == jobs[entity])
        rows = inputs[f"ENTITY#{entity}#P1D#UTC#{day}#VER#{jobs[entity]}"]
        assert version["event_count"] == len(rows)
        assert version["inputs_hash"] == _muhash(rows)
        assert version["sample_event_ids"] == [row["event_id"]["S"] for row in rows[:10]]
        total += version["event_count"]
    assert total == len(sample.lines)


def test_each_event_is_accepted_exactly_once_by_eight_clients_with_overlapping_batches(
    deployed: Deployed, sample: Sample
) -> None:
    lines = sample.first(1_000).from_source("concurrent/clients").lines

    def send_all(seed: int) -> list[dict[str, Any]]:
        own_order = list(lines)
        random.Random(seed).shuffle(own_order)
        return [result for batch in batches(own_order, 100) for result in deployed.ingest(batch)["results"]]

    with ThreadPoolExecutor(8) as clients:
        answers = [result for results in clients.map(send_all, range(8)) for result in results]

    accepted = Counter(result["event_id"] for result in answers if result["status"] == "ACCEPTED")
    assert Counter(result["status"] for result in answers) == {"ACCEPTED": len(lines), "DUPLICATE": 7 * len(lines)}
    assert set(accepted.values()) == {1}
    places = {(result["event_id"], result["s3_key"], result["ingest_time"]) for result in answers}
    assert len(places) == len(lines), "every duplicate points at the first one's raw object"


def _requested(deployed: Deployed, entity: str) -> str:
    answer = deployed.post(
        "/replay",
        {"entity_id": entity, "start_time": "2000-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"},
    )
    assert answer.status == 202, answer.data
    replay_id: str = answer.json()["replay_id"]
    return replay_id


def _inputs_by_version(deployed: Deployed) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(deployed.rows(deployed.stack.aggregates_table), key=lambda row: row["SK"]["S"]):
        if row["SK"]["S"].startswith("TS#"):
            found.setdefault(row["PK"]["S"], []).append(row)
    return found


def _muhash(rows: list[dict[str, Any]]) -> str:
    product = 1
    for row in rows:
        text = f"retrace:inputs-hash\n{row['event_id']['S']}\n{row['content_sha256']['S']}\n"
        product = product * int.from_bytes(shake_256(text.encode()).digest(384), "little") % _PRIME
    return sha256(product.to_bytes(384, "little")).hexdigest()
