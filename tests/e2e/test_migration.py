"""The way from release 0.1: `retrace export` wrote the files of `release_0_1/` there, `retrace ingest` reads them here.

That stage had accepted 71 events: native ones, CloudEvents of every form and a webhook. It had also got duplicates,
conflicts and rejected events, which no export contains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.core.lossless_json import parse
from tests.e2e.deployed import Deployed, until
from tests.e2e.samples import ROOT
from tests.e2e.test_cli_ingest import run

EXPORT = ROOT / "tests/e2e/release_0_1"
KEPT = ("event_id", "source", "event_type", "entity_id", "event_time")
EVENTS = 71
WITHOUT_TIME = 4
"""CloudEvents that had no `time`, or null: theirs is then the time of receipt, which an ingest would lose."""


def lines() -> Iterator[tuple[dict[str, Any], bytes]]:
    """The metadata of each event, and its text."""
    for file in sorted(EXPORT.glob("*.ndjson")):
        for line in file.read_bytes().splitlines():
            metadata, _, text = line.partition(b',"event":')
            yield json.loads(metadata + b"}"), text[:-1]


def test_events_of_0_1_keep_identity_time_and_text_and_none_is_lost(deployed: Deployed, tmp_path: Path) -> None:
    code, summary = run(deployed, tmp_path, *map(str, sorted(EXPORT.glob("*.ndjson"))))

    assert (code, summary["accepted"], summary["events"]) == (0, EVENTS, EVENTS)
    given_a_time = 0
    for metadata, text in lines():
        event_id = metadata["event_id"]
        until(lambda at=f"/events/{event_id}": deployed.api.call("GET", at).status == 200)  # type: ignore[misc]  # bound as it is now
        now = deployed.get(f"/events/{event_id}")
        assert {name: now[name] for name in KEPT} == {name: metadata[name] for name in KEPT}
        stored = deployed.api.call("GET", f"/events/{event_id}/raw").data
        if stored != text:
            assert without_time(stored) == without_time(text)
            given_a_time += 1
    assert given_a_time == WITHOUT_TIME

    code, summary = run(deployed, tmp_path, *map(str, sorted(EXPORT.glob("*.parquet"))))

    assert (code, summary["duplicate"], summary["events"]) == (0, EVENTS, EVENTS)


def without_time(text: bytes) -> dict[str, Any]:
    value = parse(text.decode()).value
    assert isinstance(value, dict)
    return {name: member for name, member in value.items() if name != "time"}
