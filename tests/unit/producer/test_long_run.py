"""A million events through `send` with twenty kills: each decided once, in memory that does not grow.

`make soak SOAK=ci` sends 60,000. The API is the model, so the figures are those of the producer.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.sizes import is_full
from tests.unit.producer.doomed import is_invalid
from tests.unit.producer.killing import Story
from tests.unit.producer.model_api import Fault, ModelApi, serving

pytestmark = pytest.mark.soak

EVENTS = 1_000_000 if is_full() else 60_000
KILLS = 20 if is_full() else 5
SOURCE = "shop"
BATCH_BYTES = 500_000
MOST_MB = 100
"""Twice what a process needs with all its libraries and its batches in flight."""


@dataclass
class CountingApi(ModelApi):
    """The model with a byte for each event, as their texts would fill its memory."""

    counts: array[int] = field(default_factory=lambda: array("B", bytes(EVENTS)))

    def _result(self, text: bytes) -> dict[str, Any]:
        number = json.loads(text)["payload"]
        if is_invalid(number):
            return {"status": "REJECTED", "errors": [], "rejected_id": "r"}
        if self.counts[number]:
            return {"status": "DUPLICATE"}
        self.counts[number] += 1
        return {"status": "ACCEPTED"}


def test_a_million_events_and_twenty_kills_lose_nothing_and_need_no_more_memory(tmp_path: Path, seed: int) -> None:
    random = Random(seed)

    def fault(_: Sequence[bytes]) -> Fault | None:
        for texts in (api.requests, api.headers, api.queries):
            texts.clear()
        return random.choice((Fault(503), Fault(takes=1.0), Fault(503, takes=0.5))) if random.random() < 0.1 else None

    api = CountingApi(fault)
    with serving(api):
        story = Story(api.url, tmp_path, SOURCE, EVENTS, BATCH_BYTES)
        begun = time.perf_counter()
        story.run(until=sorted(random.sample(range(1, EVENTS // 2), KILLS)))
        seconds = time.perf_counter() - begun

    [peak] = story.peaks  # of the last process, which sent half of the events or more
    report = f"{EVENTS / seconds:,.0f} events/s with {KILLS} kills; at most {peak / 1024:.0f} MB in the last process"
    print(report)  # noqa: T201  # pytest shows it
    story.assert_each_once([number for number, count in enumerate(api.counts) if count])
    assert max(api.counts) == 1
    assert peak < MOST_MB * 1024
