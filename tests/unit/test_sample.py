"""The samples in examples/: they are what their generators write and what the README says."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from chalicelib.core.timestamps import parse_instant
from embedded.sending import read
from tests.e2e.samples import Sample, chosen_sample, own_sample
from tests.unit.examples import event_in

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOP_DAY = EXAMPLES / "shop-day"
PAYMENTS = EXAMPLES / "payments"
README = (EXAMPLES / "README.md").read_text()


def section(heading: str) -> str:
    """What the README says below a heading."""
    return README.split(f"## {heading}\n")[1].split("\n## ")[0]


def counts(heading: str) -> dict[str, int]:
    """The table of counts below a heading."""
    rows = re.findall(r"^\| ([a-z].*?) \| ([\d,]+) \|", section(heading), re.MULTILINE)
    return {name: int(count.replace(",", "")) for name, count in rows}


def test_the_generator_writes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SHOP_DAY / "generate.py", tmp_path], check=True)  # noqa: S603  # our own script

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in SHOP_DAY.glob("*.ndjson")}


def test_the_readme_says_how_many_lines_each_file_has() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (\d+) \|", section("Black Friday at a small shop"), re.MULTILINE)

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

    assert counts("A week of bikes") == told


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_three_days_of_payments_are_the_same_at_every_run(seed: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, PAYMENTS / "generate.py", tmp_path], env={"PYTHONHASHSEED": seed}, check=True)  # noqa: S603  # our own script

    assert contents(tmp_path) == contents(PAYMENTS)


def contents(directory: Path) -> dict[str, bytes]:
    """The files of a directory by name. Compressed bytes depend on the version of zlib, so they are unpacked."""
    files = [path for path in directory.iterdir() if path.suffix in {".gz", ".json", ".ndjson"}]
    return {path.name: gzip.decompress(raw) if (raw := path.read_bytes())[:2] == b"\x1f\x8b" else raw for path in files}


def test_the_readme_and_the_truth_say_what_the_three_days_contain() -> None:
    truth = json.loads((PAYMENTS / "truth.json").read_text())
    names = ("arrived.ndjson.gz", "again.ndjson", "late.ndjson")
    lines = [json.loads(line) for name in names for line in read(PAYMENTS / name)]
    dated = [event for event in lines if event["event_time"].endswith("Z")]
    named = Counter((event["source"], event.get("idempotency_key") or json.dumps(event)) for event in dated)
    distinct = {json.dumps(event) for event in dated}

    told = {
        "sources": len({event["source"] for event in lines}),
        "event types": len({event["event_type"] for event in lines}),
        "events that are accepted": len(named),
        "of these, late": len(read(PAYMENTS / "late.ndjson")),
        "duplicates": len(dated) - len(distinct),
        "conflicts": len(distinct) - len(named),
        "refused": len(lines) - len(dated),
        "lost": len(truth["lost"]),
    }
    hours = [count for types in truth["hours"].values() for hours in types.values() for count in hours.values()]
    assert counts("Three days at a payments platform") == told
    assert told["events that are accepted"] == truth["accepted"] == sum(hours)
    assert (told["duplicates"], told["conflicts"]) == (truth["duplicates"], len(truth["conflicts"]))
    assert (told["of these, late"], told["refused"]) == (len(truth["late"]), len(truth["refused"]))


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
