"""`retrace.Producer` and the deployed API, with lost answers, refusals and kills between them.

`make soak` sends 100,000 events where `make test` sends 1,000.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from retrace.client import Client
from retrace.target import Target
from tests.e2e.deployed import Deployed, until
from tests.e2e.lossy_gateway import lossy_gateway
from tests.sizes import is_full
from tests.unit.producer.doomed import event
from tests.unit.producer.killing import Story

pytestmark = pytest.mark.sized

EVENTS = 100_000 if is_full() else 1_000
BATCH_BYTES = 500_000 if is_full() else 20_000
KILLS = 20 if is_full() else 3
SOURCE = "e2e/producer"


def stored(deployed: Deployed) -> list[Any]:
    """Each event of the source, as it is stored."""
    stack = deployed.stack
    key = (stack.access_key_id, stack.secret_access_key)
    client = Client(Target(stack.api_url, "the test", region=stack.region, access_key=key))
    query = {"source": SOURCE, "event_type": "paid", "day": "2026-11-21", "include": "event"}
    return [item["event"] for item in client.pages("/events", query)]


def test_what_is_sent_through_lost_answers_refusals_and_kills_is_stored_once_and_verbatim(
    deployed: Deployed, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    with lossy_gateway(deployed.stack.api_url, random) as gateway:
        environment = {
            "AWS_ACCESS_KEY_ID": deployed.stack.access_key_id,
            "AWS_SECRET_ACCESS_KEY": deployed.stack.secret_access_key,
            "AWS_REGION": deployed.stack.region,
        }
        story = Story(gateway.url, tmp_path, SOURCE, EVENTS, BATCH_BYTES, environment)
        story.run(until=sorted(random.sample(range(1, EVENTS), KILLS)))
        happened = gateway.happened

    until(lambda: len(stored(deployed)) + len(story.refused) >= EVENTS)
    events = stored(deployed)
    numbers = [each["payload"] for each in events]
    assert happened.keys() == {"lost", "503", "answered"}
    assert events == [json.loads(event(SOURCE, number)) for number in numbers]
    story.assert_each_once(numbers)
