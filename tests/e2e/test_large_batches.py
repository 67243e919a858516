"""The largest request through the deployed API: each event is stored once, in one request or by resends of it."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from urllib3 import BaseHTTPResponse

from tests.e2e.deployed import NDJSON, Deployed, until
from tests.sizes import is_full

pytestmark = pytest.mark.soak

EVENTS = 10_000_000 // 290 if is_full() else 5_000
HEADERS = {"Content-Type": NDJSON, "Content-Encoding": "gzip"}
MOST_SENDS = 20


def body_of(source: str) -> bytes:
    """Lines of 290 bytes."""
    lines = (
        json.dumps(
            {
                "source": source,
                "event_type": "order.paid",
                "entity_id": f"order-{number:08d}",
                "event_time": f"2026-11-21T12:00:00.{number:09d}Z",
                "payload": {"amount": "19.99", "customer": f"customer-{number:08d}"},
            }
        )
        for number in range(EVENTS)
    )
    return b"".join(line.encode().ljust(289) + b"\n" for line in lines)


def sent(deployed: Deployed, packed: bytes) -> BaseHTTPResponse:
    return deployed.api.call("POST", "/ingest", body=packed, headers=HEADERS)


def sends_until_decided(deployed: Deployed, packed: bytes) -> Iterator[BaseHTTPResponse]:
    """The answers to a request that is sent again as long as it is not decided."""
    for _ in range(MOST_SENDS):
        answer = sent(deployed, packed)
        yield answer
        if answer.status == 200:
            return
        assert answer.status in {502, 503, 504}, answer.data  # the emulator's gateway has no 503 for a dead function


def stored_of(deployed: Deployed, source: str) -> Counter[str]:
    """How often each entity of a source is in the index."""
    rows = deployed.rows(deployed.stack.events_table)
    return Counter(
        row["entity_id"]["S"] for row in rows if row["PK"]["S"].startswith("ENTITY#") and row["source"]["S"] == source
    )


def objects_of(deployed: Deployed, source: str) -> list[str]:
    prefix = f"raw/source={source}/"
    found = deployed.admin.s3.list_objects_v2(Bucket=deployed.stack.raw_bucket, Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", [])]


def assert_decided(deployed: Deployed, answers: list[BaseHTTPResponse], source: str) -> None:
    counts = answers[-1].json()["counts"]
    print(source, [answer.status for answer in answers], counts)  # noqa: T201  # pytest shows it where it matters
    assert counts["accepted"] + counts["duplicate"] == EVENTS
    assert len(answers[-1].data) < 4_096
    stored = stored_of(deployed, source)
    assert len(stored) == EVENTS
    assert set(stored.values()) == {1}


def test_every_event_of_the_largest_request_is_stored_once_by_as_many_sends_as_it_needs(deployed: Deployed) -> None:
    packed = gzip.compress(body_of("e2e-large"))

    answers = list(sends_until_decided(deployed, packed))

    said = (re.search(r"at least ([\d,]+) of", answer.data.decode()) for answer in answers)
    stored = [int(found[1].replace(",", "")) for found in said if found]
    assert stored == sorted(set(stored))
    assert_decided(deployed, answers, "e2e-large")


def test_every_event_is_stored_once_if_the_function_is_killed_half_way_and_the_request_sent_again(
    deployed: Deployed,
) -> None:
    packed = gzip.compress(body_of("e2e-killed"))

    with ThreadPoolExecutor(1) as sender:
        first = sender.submit(sent, deployed, packed)
        until(lambda: len(objects_of(deployed, "e2e-killed")) >= 2)
        kill_functions(deployed)
        killed = first.result()

    assert killed.status >= 500
    assert 0 < len(stored_of(deployed, "e2e-killed")) < EVENTS
    assert_decided(deployed, [killed, *sends_until_decided(deployed, packed)], "e2e-killed")


def kill_functions(deployed: Deployed) -> None:
    """Kill the processes that the emulator runs the ingest function of this stack in."""
    ours = f"RAW_BUCKET={deployed.stack.raw_bucket}\0"
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            variables = path.read_text(errors="replace")
            if ours in variables and "-IngestHandler-" in variables:
                os.kill(int(path.parent.name), signal.SIGKILL)
