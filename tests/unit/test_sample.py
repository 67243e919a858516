"""The samples in examples/: they are what their generators write and what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from chalicelib.core.timestamps import parse_instant
from tests.e2e.samples import Sample, chosen_sample, own_sample
from tests.unit.examples import event_in

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOP_DAY = EXAMPLES / "shop-day"
README = (EXAMPLES / "README.md").read_text()


def test_the_generator_writes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SHOP_DAY / "generate.py", tmp_path], check=True)  # noqa: S603  # our own script

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in SHOP_DAY.glob("*.ndjson")}


def test_the_readme_says_how_many_lines_each_file_has() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (\d+) \|", README, re.MULTILINE)

    said = {name: int(lines) for name, lines in rows}
    assert said == {path.name: len(path.read_text().splitlines()) for path in SHOP_DAY.glob("*.ndjson")}


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_week_is_the_same_bytes_at_every_run(seed: str) -> None:
    written = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, EXAMPLES / "bike_week.py"], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True
    ).stdout

    assert written == b"".join(line + b"\n" for line in own_sample().lines)
    assert f"SHA-256 `{sha256(written).hexdigest()}`" in README


def test_the_readme_says_what_the_week_contains() -> None:
    sample = own_sample()
    events = sample.events
    times = [parse_instant(event["event_time"]) for event in events]
    partitions = Counter((e["source"], e["event_type"], time[:10]) for e, time in zip(events, times, strict=True))
    _, of_hottest = sample.entities.most_common(1)[0]
    late = sum(time < max(times[:number], default="") for number, time in enumerate(times))

    told = {
        "events": len(events),
        "sources": len({event["source"] for event in events}),
        "event types": len({event["event_type"] for event in events}),
        "entities": len(sample.entities),
        "days (UTC)": len({time[:10] for time in times}),
        "events of the hottest entity": of_hottest,
        "events of one type on one day, at most": max(partitions.values()),
        "events that arrive after a later one": late,
        "bytes of the longest line": max(map(len, sample.lines)),
    }

    section = README.split("## A week of bikes\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z].*?) \| ([\d,]+) \|", section, re.MULTILINE)
    assert {name: int(count.replace(",", "")) for name, count in rows} == told


@pytest.mark.sample
def test_every_event_of_the_sample_is_valid_and_distinct_whatever_its_source() -> None:
    sample = chosen_sample()

    for moved in (sample, sample.below("mine"), sample.from_source("one")):
        assert len({event_in(line.decode()).event_id for line in moved.lines}) == len(sample.lines)


def test_events_of_other_sources_and_entities_keep_every_other_byte() -> None:
    line = b'{ "payload" : {"source": 1.10}, "source":"\\u00e9", "entity_id": "a:b","x":[1E9 , "entity_id"]} '
    sample = Sample((line,))

    assert sample.below("mine").lines == (
        b'{ "payload" : {"source": 1.10}, "source":"mine/\\u00e9", "entity_id": "mine/a:b","x":[1E9 , "entity_id"]} ',
    )
    assert sample.from_source("ours").lines == (
        b'{ "payload" : {"source": 1.10}, "source":"ours", "entity_id": "ours/a:b","x":[1E9 , "entity_id"]} ',
    )
