"""`retrace ingest` into the deployed stack: every format, refusals, and Ctrl-C with --resume.

`make soak` sends 100,000 events where `make test` sends 3,000.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard

from infra.command import wait_until
from retrace.client import Client
from retrace.target import Target
from tests.e2e.deployed import Deployed, until
from tests.e2e.samples import ROOT, Sample
from tests.sizes import is_full

pytestmark = pytest.mark.sized

FULL = is_full()
EVENTS = 100_000 if FULL else 3_000
_PATIENCE_S = 3_600 if FULL else 300
DAY = "2026-11-21"


@contextmanager
def started(deployed: Deployed, directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, which does not outlive its test."""
    stack = deployed.stack
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(directory),
        "RETRACE_URL": stack.api_url,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "AWS_REGION": stack.region,
    }
    process = subprocess.Popen(  # noqa: S603  # the project's own command
        [sys.executable, "-m", "retrace", "ingest", *arguments],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """The exit code, the summary, and what was said beside it."""
    out, err = process.communicate(timeout=_PATIENCE_S)
    return process.returncode, json.loads(out), err


def run(deployed: Deployed, directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    with started(deployed, directory, *arguments) as process:
        return ended(process)[:2]


def events(source: str, count: int) -> list[bytes]:
    """Events of a source, spread over a hundred entities; numbers as no parser would write them."""
    return [
        b'{"source":"%s","event_type":"paid","entity_id":"%s/%d","event_time":"%sT10:%02d:%02dZ","payload":{"n":%d.10}}'
        % (source.encode(), source.encode(), number % 100, DAY.encode(), number // 60 % 60, number % 60, number)
        for number in range(count)
    ]


def listed(deployed: Deployed, source: str, event_type: str = "paid") -> Iterator[str]:
    """The ids of all events of a source and type on the day, asked for with patience: the machine is busy."""
    stack = deployed.stack
    key = (stack.access_key_id, stack.secret_access_key)
    client = Client(Target(stack.api_url, "the test", region=stack.region, access_key=key))
    query = {"source": source, "event_type": event_type, "day": DAY, "limit": "1000"}
    return (item["event_id"] for item in client.pages("/events", query))


def raws(deployed: Deployed, ids: Iterator[str]) -> set[bytes]:
    return {deployed.api.call("GET", f"/events/{event_id}/raw").data for event_id in ids}


def test_lines_and_arrays_packed_or_not_are_stored_token_for_token(deployed: Deployed, tmp_path: Path) -> None:
    lines = events("cli/forms", 60)
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(lines[:20])))
    (tmp_path / "b.json.zst").write_bytes(zstandard.compress(b"[\n" + b",\n".join(lines[20:40]) + b"\n]\n"))
    (tmp_path / "c.json").write_bytes(b"[" + b",".join(lines[40:]) + b"]")

    code, summary = run(deployed, tmp_path, "a.ndjson.gz", "b.json.zst", "c.json")

    assert (code, summary["accepted"], summary["events"]) == (0, 60, 60)
    until(lambda: len(list(listed(deployed, "cli/forms"))) == 60)
    assert raws(deployed, listed(deployed, "cli/forms")) == set(lines)


def test_rows_of_csv_are_stored_as_events(deployed: Deployed, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(f"order;paid_at;price\no-1;{DAY}T10:00:00Z;1,10\no-2;yesterday;2\n")
    mapping = ["--map", "entity_id=order", "--map", "event_time=paid_at", "--delimiter", ";"]
    constants = ["--set", "source=cli/csv", "--set", "event_type=paid"]

    code, summary = run(deployed, tmp_path, "orders.csv", *mapping, *constants, "--rejects", "rejects.ndjson")

    assert (code, summary["accepted"], summary["rejected"]) == (1, 1, 1)
    until(lambda: len(list(listed(deployed, "cli/csv"))) == 1)
    stored = json.loads(raws(deployed, listed(deployed, "cli/csv")).pop())
    assert (stored["entity_id"], stored["payload"]) == ("o-1", {"price": "1,10"})
    told = json.loads((tmp_path / "rejects.ndjson.reasons").read_text())
    assert (told["rejects_line"], told["line"], told["errors"][0]["field"]) == (1, 3, "event_time")
    assert json.loads((tmp_path / "rejects.ndjson").read_text())["entity_id"] == "o-2"
    assert deployed.get(f"/rejected/{told['rejected_id']}")["errors"] == told["errors"]


def test_a_cloudtrail_log_is_taken_in_as_it_is(deployed: Deployed, tmp_path: Path) -> None:
    record = {
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "eventTime": f"{DAY}T10:00:00Z",
        "userIdentity": {"arn": "arn:aws:iam::123456789012:user/benjamin"},
    }
    log = {"Records": [record | {"eventID": f"cli-{number}"} for number in range(25)]}
    (tmp_path / "log.json.gz").write_bytes(gzip.compress(json.dumps(log).encode()))

    first = run(deployed, tmp_path, "log.json.gz", "--dry-run")
    second = run(deployed, tmp_path, "log.json.gz")
    third = run(deployed, tmp_path, "log.json.gz")

    assert [(code, told["accepted"], told["duplicate"]) for code, told in (first, second, third)] == [
        (0, 25, 0),
        (0, 25, 0),
        (0, 0, 25),
    ]
    source = "aws.cloudtrail/s3.amazonaws.com"
    until(lambda: len(list(listed(deployed, source, "GetObject"))) == 25)


def test_the_sample_is_taken_in_once(deployed: Deployed, sample: Sample, tmp_path: Path) -> None:
    lines = sample.first(1_000).from_source("cli/sample").lines
    (tmp_path / "sample.ndjson").write_bytes(b"\n".join(lines))

    code, summary = run(deployed, tmp_path, "sample.ndjson", "--batch-events", "250")

    assert (code, summary["accepted"]) == (0, len(lines))


def test_cloudevents_are_taken_in_as_such(deployed: Deployed, tmp_path: Path) -> None:
    event = {"specversion": "1.0", "id": "a", "source": "cli/cloudevents", "type": "paid", "time": f"{DAY}T10:00:00Z"}
    (tmp_path / "one.json").write_text(json.dumps(event | {"data": {"n": 1}}, indent=2))
    (tmp_path / "batch.json").write_text(json.dumps([event | {"id": "b"}, event | {"id": "c", "specversion": "2"}]))

    code, summary = run(deployed, tmp_path, "one.json", "batch.json", "--rejects", "rejects.ndjson")

    assert (code, summary["accepted"], summary["rejected"]) == (1, 2, 1)
    assert json.loads((tmp_path / "rejects.ndjson").read_text())["id"] == "c"
    until(lambda: len(list(listed(deployed, "cli/cloudevents"))) == 2)
    stored = raws(deployed, listed(deployed, "cli/cloudevents"))
    assert {json.loads(text)["id"] for text in stored} == {"a", "b"}


def test_ctrl_c_and_resume_end_with_every_event_accepted_once(deployed: Deployed, tmp_path: Path) -> None:
    source = "cli/resumed"
    (tmp_path / "day.ndjson").write_bytes(b"\n".join(events(source, EVENTS)))
    options = ["day.ndjson", "--checkpoint", "kept.json", "--batch-events", "1000" if FULL else "100"]
    with started(deployed, tmp_path, *options) as process:
        assert wait_until(lambda: reached(tmp_path / "kept.json") >= EVENTS // 10, _PATIENCE_S, every=0.2)
        process.send_signal(signal.SIGINT)
        code, stopped, said = ended(process)

    assert code == 130
    assert 0 < stopped["accepted"] < EVENTS
    assert reached(tmp_path / "kept.json") == stopped["accepted"] == stopped["events"]
    assert shown_counts(said) == sorted(shown_counts(said))
    until(lambda: len(list(listed(deployed, source))) == stopped["accepted"])

    with started(deployed, tmp_path, *options, "--resume") as process:
        code, resumed, said = ended(process)

    assert code == 0
    assert (resumed["resumed_at"], resumed["events"]) == (stopped["accepted"], EVENTS)
    assert (resumed["accepted"], resumed["duplicate"], resumed["rejected"]) == (EVENTS, 0, 0)
    assert all(stopped["accepted"] <= count <= EVENTS for count in shown_counts(said))
    assert not (tmp_path / "kept.json").exists()
    until(lambda: len(list(listed(deployed, source))) == EVENTS)
    assert len(set(listed(deployed, source))) == EVENTS
    print(json.dumps({"stopped": stopped, "resumed": resumed}))  # noqa: T201  # for the record, with -rP


def reached(kept: Path) -> int:
    return int(json.loads(kept.read_text())["events"]) if kept.exists() else 0


def shown_counts(said: str) -> list[int]:
    """The numbers of events in the lines of progress."""
    return [int(found.replace(",", "")) for found in re.findall(r"([\d,]+) events", said)]


def test_a_dry_run_lists_what_never_arrived_and_the_missing_events_can_be_piped_back(
    deployed: Deployed, tmp_path: Path
) -> None:
    lines = events("cli/listed", 400)
    keyed = [line[:-1] + b',"idempotency_key":"k-%d"}' % number for number, line in enumerate(lines)]
    broken = [line.replace(b'"event_time":"', b'"event_time":"x') for line in keyed[:30]]
    other = re.sub(rb'"entity_id":"[^"]*"', b'"entity_id":"other"', keyed[40])
    # In one batch with the first content of its key: batches are sent at once, and either could be decided first.
    (tmp_path / "arrived.ndjson").write_bytes(b"\n".join([*broken, *keyed[30:50], other, *keyed[50:300]]))
    run(deployed, tmp_path, "arrived.ndjson")
    (tmp_path / "all.ndjson").write_bytes(b"\n".join([*keyed, other]))

    def listed(*options: str) -> list[dict[str, Any]]:
        with started(deployed, tmp_path, "all.ndjson", "--dry-run", "--list", *options) as process:
            out, _ = process.communicate(timeout=_PATIENCE_S)
        (tmp_path / "listed.ndjson").write_text(out)
        return [json.loads(line) for line in out.splitlines()]

    [conflict] = listed("--only", "conflict")
    assert [(one["path"], one["file"]) for one in conflict["differences"]] == [("entity_id", '"other"')]
    assert {row["idempotency_key"] for row in listed("--only", "quarantine")} == {f"k-{n}" for n in range(30)}
    assert [row["line"] for row in listed("--only", "missing")] == list(range(301, 401))
    assert run(deployed, tmp_path, "listed.ndjson")[1]["accepted"] == 100
    assert listed("--only", "missing") == []
