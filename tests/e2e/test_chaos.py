"""Aggregates and five metrics are exact although planners and processors die, messages come twice, and many write one.

The functions run as processes of the test, which read the queues as Lambda does and are ended with SIGKILL.
`make chaos` takes 100,000 events each.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from chalicelib.aggregates.inputs import Input
from chalicelib.core.timestamps import Instant
from tests.e2e import chaos_metrics
from tests.e2e.chaos import Job, Killer, Run
from tests.e2e.chaos_metrics import AsksForTotals, Expected, Key
from tests.e2e.deployed import Deployed, Row
from tests.e2e.workers import events
from tests.e2e.workers.fleet import Fleet, fleet
from tests.e2e.workers.stack import Ground, ground
from tests.sizes import is_full
from tests.unit.one_shot import computed

pytestmark = pytest.mark.soak

FULL = is_full()

EVENTS = 100_000 if FULL else 4_000
RATE = min(EVENTS // 8, 10_000)
"""Messages a second: planners are busy for eight seconds at least, whatever the machine, and so can be killed."""
KILLS = {"planner": 8 if FULL else 3, "processor": 24}
REPEAT = 20
"""One message in so many is delivered twice: five in a hundred."""
REPEATED_AT_LEAST = EVENTS // REPEAT * 0.25
"""Which ones depends on their ids; what a killed worker had repeated is not counted: five of each full batch."""

SHARDS = "32" if FULL else "4"
"""The emulator goes through a whole partition for each query; 100,000 events of one day are read in small ones."""

HIDDEN_S = "60" if FULL else "20"
"""For what a worker was given in the moment of its death; what it is known to have had comes back at once."""

LAG_S = "5"
WATCHED_EVENTS = 20_000 if FULL else 4_000

HOT_EVENTS = 100_000 if FULL else 1_500
HOT_EVENTS_BY_TEN = 5_000 if FULL else 500

_PLAIN = TypeDeserializer()


@pytest.fixture(scope="module")
def quiet() -> Iterator[Ground]:
    """A deployed stack whose functions read no queue; planners wait early, so that all work goes on at once."""
    with ground({"MAX_IN_FLIGHT": "5000", "TYPE_DAY_SHARDS": SHARDS, "INDEX_LAG_SECONDS": LAG_S}) as quiet:
        for url in (quiet.stack.replay_queue_url, quiet.stack.replay_jobs_queue_url):
            quiet.admin.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": HIDDEN_S})
        chaos_metrics.define(Deployed(quiet.stack))
        yield quiet


@pytest.fixture
def workers(quiet: Ground, tmp_path: Path) -> Iterator[Fleet]:
    """Processes that do the work of the functions."""
    with fleet(quiet.environment, tmp_path / "workers.log") as workers:
        yield workers
    # A planner that was overtaken would look after its replay five minutes later, in the middle of another test.
    quiet.admin.sqs.purge_queue(QueueUrl=quiet.stack.replay_jobs_queue_url)


def ingested(deployed: Deployed, lines: Sequence[bytes], event_type: str) -> Expected:
    """Take events in; answers what aggregates of a type must be computed from, by entity and day."""
    expected = Expected()
    for line, result in zip(lines, deployed.accepted(lines), strict=True):
        if events.kind_of(line) == (events.SOURCE, event_type):
            event = json.loads(line)
            event_time = Instant(event["event_time"])
            single = Input(event_time, result["event_id"], event["event_type"], result["content_sha256"])
            expected.inputs[event["entity_id"], event_time[:10]].append(single)
            expected.payloads[result["event_id"]] = line.decode().partition('"payload": ')[2][:-1]
    return expected


def requested(deployed: Deployed, event_type: str, **selection: str | int) -> str:
    """Ask for a replay of a type; answers its id."""
    answer = deployed.post("/replay", {"source": events.SOURCE, "event_type": event_type, **selection})
    assert answer.status == 202, answer.data
    replay_id: str = answer.json()["replay_id"]
    return replay_id


@contextmanager
def received_at_most(quiet: Ground, receives: int) -> Iterator[None]:
    """Have SQS give messages up after fewer receives, so that kills make dead letters."""
    sqs, url = quiet.admin.sqs, quiet.stack.replay_queue_url
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    fewer = json.dumps({**json.loads(policy), "maxReceiveCount": receives})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": fewer})
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})


def assert_settled(job: Job, count: int) -> None:
    shown = {name: job[name] for name in ("state", "sent", "processed", "failed", "dropped")}
    assert shown == {"state": "COMPLETE", "sent": count, "processed": count, "failed": 0, "dropped": 0}


def assert_exact(deployed: Deployed, replay_id: str, expected: Expected) -> None:
    """Every aggregate of a replay, and all that it was made of, is what one computation over all events gives."""
    versions: dict[Key, dict[str, Any]] = {}
    lineage: dict[Key, dict[str, Row]] = defaultdict(dict)
    for stored in deployed.rows_of_replay(replay_id):
        row = {name: _PLAIN.deserialize(value) for name, value in stored.items()}
        partition, sort_key = row["PK"].split("#"), row["SK"].split("#")
        if sort_key[0] == "P1D":
            # A row has the ids of its samples with their times.
            samples = [event_id for _, event_id in row["samples"]]
            versions[partition[1], sort_key[2]] = row | {"sample_event_ids": samples}
        else:
            assert row["outcome"] == "INPUT"
            lineage[partition[1], partition[4]][row["event_id"]] = row

    assert versions.keys() == expected.inputs.keys()
    for key, inputs in expected.inputs.items():
        # A row does not have the number of inputs of other types, which follows from the others.
        once = {name: value for name, value in computed(inputs).items() if name != "other_types_count"}
        assert {name: versions[key][name] for name in once} == once, key
        assert lineage[key].keys() == {single.event_id for single in inputs}, key
    chaos_metrics.assert_exact(versions, lineage, expected)


def assert_served(deployed: Deployed, expected: Expected, rng: random.Random) -> None:
    """The API tells some of them in the same way."""
    for key in rng.sample(sorted(expected.inputs), 20):
        [version] = deployed.get("/aggregates", entity_id=key[0], day=key[1])["versions"]
        once = computed(expected.inputs[key])
        assert {name: version[name] for name in once} == once, key
        for name in chaos_metrics.DEFINITIONS:
            assert chaos_metrics.said_by_api(name, version["metrics"]) == expected.metric(name, key), (name, key)


def test_a_replay_is_exact_although_planners_and_processors_are_killed_and_messages_come_twice(
    quiet: Ground, workers: Fleet, seed: int
) -> None:
    deployed = Deployed(quiet.stack)
    expected = ingested(deployed, list(events.of_a_month(EVENTS)), events.EVENT_TYPE)
    assert len(expected.payloads) == EVENTS
    killer = Killer(random.Random(seed), KILLS)
    run = Run(quiet, workers, killer, Counter(events=EVENTS))
    workers.start("planner")
    workers.start("dead_letters", "--batch", "10")
    for _ in range(3):
        workers.start("processor", "--batch", "100", "--repeat", str(REPEAT))

    with received_at_most(quiet, 2):
        days = {"start_day": str(events.FIRST_DAY), "end_day": str(events.LAST_DAY)}
        # With a limit nothing is counted beforehand, which takes the emulator too long where there are so many.
        replay_id = requested(deployed, events.EVENT_TYPE, rate=RATE, max_messages=EVENTS, **days)
        job = run.until_settled(replay_id)

    print(dict(killer.killed), killer.between_batches, killer.second, dict(run.counts), job)  # noqa: T201  # pytest shows it
    assert_settled(job, EVENTS)
    assert sum(killer.killed.values()) >= 20
    assert killer.killed["planner"] >= 3
    assert run.counts["processor repeated"] >= REPEATED_AT_LEAST
    assert run.counts["dead_letters messages"] > 0
    assert_exact(deployed, replay_id, expected)
    assert_served(deployed, expected, random.Random(seed))


def test_a_replay_by_two_planners_from_an_index_that_lags_is_exact_and_never_complete_too_early(
    quiet: Ground, workers: Fleet, seed: int
) -> None:
    deployed = Deployed(quiet.stack)
    lines = [line for line in events.of_a_month(WATCHED_EVENTS) if events.kind_of(line)[1] == events.EVENT_TYPE]
    watched = [line.replace(b'"order.paid"', b'"watched"') for line in lines]
    for _ in range(2):
        workers.start("planner", "--repeat", "1", "--lag", LAG_S)
    for _ in range(2):
        workers.start("processor", "--batch", "100", "--repeat", str(REPEAT))
    asking = AsksForTotals(deployed)
    run = Run(quiet, workers, Killer(random.Random(seed), {"planner": 2}), Counter(), asking)
    run.until_ready()
    expected = asking.expected = ingested(deployed, watched, "watched")

    days = {"start_day": str(events.FIRST_DAY), "end_day": str(events.LAST_DAY)}
    replay_id = requested(deployed, "watched", rate=WATCHED_EVENTS // 8, **days)
    job = run.until_settled(replay_id)

    print(dict(run.counts), run.killer.killed, job)  # noqa: T201  # pytest shows it where it matters
    assert_settled(job, WATCHED_EVENTS)
    assert run.counts["planner repeated"] > 0
    assert (asking.answers[HTTPStatus.CONFLICT] > 0, asking.answers[HTTPStatus.OK] > 0) == (True, True)
    assert_exact(deployed, replay_id, expected)


@pytest.mark.parametrize(("count", "batch"), [(HOT_EVENTS, 100), (HOT_EVENTS_BY_TEN, 10)])
def test_an_aggregate_that_many_processors_write_at_once_is_exact(
    quiet: Ground, workers: Fleet, count: int, batch: int, seed: int
) -> None:
    deployed = Deployed(quiet.stack)
    event_type = f"hot-{batch}"
    expected = ingested(deployed, list(events.of_a_day(count, event_type)), event_type)
    assert len(expected.inputs) == 1
    run = Run(quiet, workers, Killer(random.Random(seed), {}), Counter(events=count))
    given_up = quiet.stack.replay_failures_queue_url, quiet.stack.dead_letter_queue_url
    given_up_before = quiet.messages(*given_up)
    workers.start("planner")
    for _ in range(4):
        workers.start("processor", "--batch", str(batch))
    run.until_ready()

    # Likewise.
    replay_id = requested(deployed, event_type, day=str(events.FIRST_DAY), max_messages=count)
    job = run.until_settled(replay_id)

    print(dict(run.counts), job)  # noqa: T201  # pytest shows it where it matters
    assert_settled(job, count)
    assert run.counts["processor cancelled"] > 0, "they did not meet"
    assert quiet.messages(*given_up) == given_up_before
    assert_exact(deployed, replay_id, expected)
