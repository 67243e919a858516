"""Consumers of the deployed stack are killed while answers of the API are lost: each event is counted once, none lost.

`make soak` replays 10,000 events where `make test` replays 300.
"""

from __future__ import annotations

import json
import signal
from random import Random

import pytest

from tests.e2e.deployed import AT_ONCE, Deployed, batches, until
from tests.e2e.lossy_gateway import lossy_gateway
from tests.sizes import is_full
from tests.unit.producer.killing import started

pytestmark = pytest.mark.sized

EVENTS = 10_000 if is_full() else 300
KILLS = 4
"""SQS gives a message to five consumers."""

SOURCE = "e2e/consumer"


def event(number: int) -> bytes:
    of = f'"source":"{SOURCE}","event_type":"paid","entity_id":"{SOURCE}/{number % 20}"'
    return f'{{{of},"event_time":"2026-11-21T10:00:00Z","payload":{number}}}'.encode()


def test_of_what_killed_consumers_handle_each_event_counts_once_and_none_is_lost(deployed: Deployed, seed: int) -> None:
    random = Random(seed)
    results = []
    for batch in batches(list(map(event, range(EVENTS))), AT_ONCE):
        results += deployed.ingest(batch)["results"]
    selected = {"source": SOURCE, "event_type": "paid", "day": "2026-11-21"}
    replay_id = deployed.post("/replay", {**selected, "destination": "billing"}).json()["replay_id"]
    handled: list[str] = []

    def job() -> dict[str, object]:
        return deployed.get(f"/replay/{replay_id}")

    with lossy_gateway(deployed.stack.api_url, random) as gateway:
        environment = {
            "AWS_ACCESS_KEY_ID": deployed.stack.access_key_id,
            "AWS_SECRET_ACCESS_KEY": deployed.stack.secret_access_key,
            "AWS_REGION": deployed.stack.region,
            "AWS_ENDPOINT_URL": deployed.stack.aws_endpoint_url,
            "DESTINATIONS": deployed.stack.destinations,
            "RETRACE_URL": gateway.url,
        }
        for _ in range(KILLS):
            with started("-m", "tests.e2e.doomed_consumer", "billing", environment=environment) as process:
                assert process.stdout is not None
                lines = (line.strip() for line in process.stdout if line.endswith("\n"))
                handled += [next(lines) for _ in range(random.randrange(1, EVENTS // 8))]
                process.kill()
                handled += lines
        with started("-m", "tests.e2e.doomed_consumer", "billing", environment=environment) as process:
            until(lambda: job()["state"] == "COMPLETE")
            process.send_signal(signal.SIGTERM)
            said, complaints = process.communicate(timeout=120)
            handled += said.split()
            assert process.returncode == 0, complaints
        happened = set(gateway.happened)

    assert happened == {"lost", "503", "answered"}
    assert (job()["sent"], job()["processed"], job()["failed"]) == (EVENTS, EVENTS, 0)
    assert set(handled) == {result["event_id"] for result in results}
    assert json.loads(deployed.stack.destinations)["billing"]["reports"] is True
