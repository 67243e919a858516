"""`retrace ingest --dry-run --list`: which events of a file never arrived, which were refused, which differ."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant
from chalicelib.events.event import parse_native
from chalicelib.ingest.rejection import Rejection, RejectionStatus
from chalicelib.ingest.request import NDJSON
from retrace.client import Client
from retrace.command_line import app
from retrace.ingesting.files import records
from retrace.ingesting.foreign_formats import Mapped
from retrace.ingesting.listed import Found
from retrace.ingesting.listing import Listing
from retrace.ingesting.records import Record
from retrace.ingesting.refused_events import RefusedEvents
from retrace.ingesting.report import IngestProgress
from retrace.ingesting.sending import Answered, BatchResult, Tally
from retrace.output import Output
from retrace.problem import Exit
from retrace.target import Target
from tests.http_servers import Handler, served
from tests.terminal import on_a_terminal
from tests.unit.cli.ingest_api import environment
from tests.unit.cli.test_search_commands import command

Json = dict[str, Any]

REFUSED_AT = Instant("2026-11-21T10:00:00.000000000Z")


def event(number: int, **other: Any) -> bytes:
    members = {
        "source": "pay",
        "event_type": "paid",
        "entity_id": f"order-{number}",
        "event_time": "2026-11-21T10:00:00Z",
        "payload": {"amount": number},
        "idempotency_key": f"p-{number}",
    }
    return json.dumps(members | other).encode()


@dataclass
class Deployment:
    """An API with events that arrived, and some that were refused; it answers dry runs only."""

    known: list[bytes] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    pages: int = 1
    """How many pages of quarantine there are."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def ingest(self, lines: list[bytes]) -> Json:
        first = {self._id(text): text for text in [*reversed(lines), *reversed(self.known)] if self._id(text)}
        new: set[str] = set()
        results = []
        for line in lines:
            event_id = self._id(line)
            if event_id is None:
                results.append({"status": "REJECTED", "errors": [{"field": "event_time", "message": "is bad"}]})
                continue
            same = parse(first[event_id].decode()).value == parse(line.decode()).value
            is_new = first[event_id] not in self.known and event_id not in new
            new.add(event_id)
            status = "ACCEPTED" if is_new else "DUPLICATE" if same else "CONFLICT"
            content = parse_native(parse(line.decode())).content_sha256
            taken = {"ingest_time": REFUSED_AT, "content_sha256": content} if status != "CONFLICT" else {}
            results.append({"status": status, "event_id": event_id, "errors": [], **taken})
        return {"results": results}

    def _id(self, text: bytes) -> str | None:
        try:
            return parse_native(parse(text.decode())).event_id
        except (InvalidRequest, ValueError):
            return None

    def get(self, path: str, query: Mapping[str, list[str]]) -> bytes:
        if path.endswith("/raw"):
            event_id = path.split("/")[2]
            return next(text for text in self.known if self._id(text) == event_id)
        if path == "/rejected":
            page = int(query.get("cursor", ["1"])[0])
            cursor = str(page + 1) if page < self.pages else None
            return json.dumps({"items": list(map(self._item, self.refused)), "cursor": cursor}).encode()
        [kept] = [one for one in self.refused if one.rejected_id == path.split("/")[2]]
        return json.dumps({**self._item(kept), "body": kept.body.decode(), "content_type": kept.content_type}).encode()

    def _item(self, kept: Rejection) -> Json:
        several = kept.body.count(b"\n") + 1
        said = json.loads(kept.body) if several == 1 else {}
        names = ("source", "event_type", "entity_id", "idempotency_key")
        return {"rejected_id": kept.rejected_id, "events": several, **{name: said.get(name) for name in names}}


@contextmanager
def serving(deployment: Deployment) -> Iterator[Deployment]:
    class Answers(Handler):
        def do_POST(self) -> None:  # noqa: N802  # the server calls it so
            body = self.whole_body()
            assert body is not None
            assert "dry_run=true" in self.path
            self.answer(200, json.dumps(deployment.ingest(gzip.decompress(body).split(b"\n"))).encode())

        def do_GET(self) -> None:  # noqa: N802  # likewise
            address = urlsplit(self.path)
            deployment.asked.append(address.path)
            self.answer(200, deployment.get(address.path, parse_qs(address.query)))

    with served(Answers) as port:
        deployment.url = f"http://127.0.0.1:{port}"
        yield deployment


Run = Callable[..., Result]


def run(deployment: Deployment, home: Path, *arguments: str) -> Result:
    with serving(deployment):
        env = {**environment(home), "COLUMNS": "80"}
        return CliRunner(env=env).invoke(app, ["--url", deployment.url, "ingest", *arguments])


def listed(result: Result) -> list[Json]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def written(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def rejection(text: bytes, status: RejectionStatus = RejectionStatus.REJECTED) -> Rejection:
    return Rejection(status, text, (Fault("event_time", "is bad"),), REFUSED_AT, "request", NDJSON)


LATER = event(2, payload={"amount": 120.77})
FIRST = event(2, payload={"amount": 130.77})
BROKEN = event(4, event_time="yesterday")


@pytest.fixture
def deployment() -> Deployment:
    """One event arrived, one with other content, one was refused."""
    return Deployment(known=[event(1), FIRST], refused=[rejection(BROKEN)])


def test_each_event_is_told_apart_in_the_order_of_the_file(deployment: Deployment, tmp_path: Path) -> None:
    lines = (event(1), LATER, event(3), BROKEN, event(5, event_time="soon", idempotency_key="other"), event(3))
    file = written(tmp_path / "a.ndjson", *lines)

    every = [f"--only={kind}" for kind in ("missing", "known", "quarantine", "conflict", "invalid", "repeated")]
    result = run(deployment, tmp_path, file, "--dry-run", "--list", *every)

    rows = listed(result)
    assert result.exit_code == Exit.DIFFERENT
    assert [(row["line"], row["arrived"]) for row in rows] == [
        (1, "known"),
        (2, "conflict"),
        (3, "missing"),
        (4, "quarantine"),
        (5, "invalid"),
        (6, "repeated"),
    ]
    assert rows[1]["differences"] == [{"path": "payload.amount", "first": "130.77", "file": "120.77"}]
    assert rows[3]["rejected_id"] == deployment.refused[0].rejected_id
    assert all((row["source"], row["file"]) == ("pay", file) for row in rows)
    assert [row["idempotency_key"] for row in rows[:3]] == ["p-1", "p-2", "p-3"]
    assert ["ingest_time" in row for row in rows] == [True, False, False, False, False, False]


@pytest.mark.parametrize("size", ["1", "10"])
def test_two_contents_of_one_key_within_the_files_are_a_conflict_that_names_the_first_line(
    tmp_path: Path, size: str
) -> None:
    one = written(tmp_path / "one.ndjson", FIRST, LATER, FIRST)
    two = written(tmp_path / "two.ndjson", event(7), LATER)

    options = ("--dry-run", "--list", "--only=missing", "--only=conflict", "--only=repeated", "--batch-events", size)
    rows = listed(run(Deployment(), tmp_path, one, two, *options))
    table = run(Deployment(), tmp_path, one, two, *options, "--table")

    found = [(row["line"], row["arrived"], row.get("first_file"), row.get("first_line")) for row in rows]
    assert found == [
        (1, "missing", None, None),
        (2, "conflict", one, 1),
        (3, "repeated", None, None),
        (1, "missing", None, None),
        (2, "conflict", one, 1),
    ]
    assert not any("errors" in row or "differences" in row for row in rows)
    assert "key is in line 1" in " ".join(table.stdout.split())


def test_without_a_choice_known_events_are_not_listed_and_all_are_counted(
    deployment: Deployment, tmp_path: Path
) -> None:
    file = Path(written(tmp_path / "a.ndjson", event(1), LATER, event(3), event(3), BROKEN)).name

    with serving(deployment):
        arguments = command("--url", deployment.url, "ingest", file, "--dry-run", "--list")
        env = {**os.environ, **environment(tmp_path)}
        ended, shown = on_a_terminal(arguments, directory=tmp_path, environment=env, columns=80)

    told = [" ".join(line.split()) for line in shown.splitlines()]
    rows = [line.split(" ")[:3] for line in told if line.split(" ")[0] in ("conflict", "missing", "quarantine")]
    assert ended == Exit.DIFFERENT
    assert rows[:3] == [["conflict", "2", "pay"], ["missing", "3", "pay"], ["quarantine", "5", "pay"]]
    assert any("payload.amount: 120.77" in line for line in told)
    assert {"events 5", f"missing 1: retrace ingest {file}", "known 1", "missing, repeated 1"} <= set(told)
    assert max(map(len, shown.splitlines())) <= 80


def test_progress_counts_events_by_the_names_of_the_listing() -> None:
    progress = IngestProgress(Output().notes, None, already=Tally())
    assert "0 accepted" in progress.line()
    client = Client(Target("http://127.0.0.1:1", "test", "eu-west-1", access_key=("key", "secret")))
    listing = Listing(client, RefusedEvents(client, {}, 1), Output(), ["a"], [], progress)
    listing.counts[Found.MISSING] = 32
    listing.counts[Found.QUARANTINE] = 1_020

    assert "32 missing, 1,020 in quarantine" in progress.line()
    assert "accepted" not in progress.line()


def test_all_known_ends_with_0(deployment: Deployment, tmp_path: Path) -> None:
    result = run(deployment, tmp_path, written(tmp_path / "a.ndjson", event(1)), "--dry-run", "--list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert deployment.asked == []


def test_the_missing_events_can_be_sent_as_they_were_listed(deployment: Deployment, tmp_path: Path) -> None:
    spaced = b'{ "payload" : {"n":1.10, "event":{"a":"\\u20ac"}} , '
    spaced += b'"source":"pay","event_type":"paid","entity_id":"e","event_time":"2026-11-21T10:00:00Z"}'
    file = written(tmp_path / "a.ndjson", event(1), spaced, BROKEN)

    result = run(deployment, tmp_path, file, "--dry-run", "--list", "--only", "missing", "--json")
    again = tmp_path / "again.ndjson"
    again.write_bytes(result.stdout_bytes)
    with again.open("rb") as content:
        sent = [record.text for record in records(str(again), content, None, Mapped())]

    assert sent == [spaced]
    assert '"event":' + spaced.decode() in result.stdout


def test_an_event_without_a_key_is_found_in_quarantine_by_its_text(tmp_path: Path) -> None:
    alone, other = event(1, idempotency_key=None, event_time=1), event(2, idempotency_key=None, event_time=1)
    deployment = Deployment(refused=[rejection(alone)])
    file = written(tmp_path / "a.ndjson", alone, other)

    result = run(deployment, tmp_path, file, "--dry-run", "--list")

    assert [row["arrived"] for row in listed(result)] == ["quarantine", "invalid"]


def test_events_that_are_kept_together_are_found_one_by_one(tmp_path: Path) -> None:
    together = [event(number, event_time="bad") for number in range(30)]
    deployment = Deployment(refused=[rejection(b"\n".join(together))])
    file = written(tmp_path / "a.ndjson", together[7], event(8), event(99, event_time="bad"))

    result = run(deployment, tmp_path, file, "--dry-run", "--list")

    assert [row["arrived"] for row in listed(result)] == ["quarantine", "quarantine", "invalid"]
    assert deployment.asked == ["/rejected", f"/rejected/{deployment.refused[0].rejected_id}"]


def test_quarantine_is_read_once_and_only_so_far_and_that_is_said(tmp_path: Path) -> None:
    deployment = Deployment(pages=1_000)
    file = written(tmp_path / "a.ndjson", event(1), event(2))

    result = run(deployment, tmp_path, file, "--dry-run", "--list", "--refused-since", "today")

    assert deployment.asked == ["/rejected"] * 3
    assert "only in part" in result.stderr


def test_only_the_first_conflicts_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deployment: Deployment
) -> None:
    monkeypatch.setattr("retrace.ingesting.listing.COMPARED", 1)
    deployment.known.append(event(3))
    file = written(tmp_path / "a.ndjson", LATER, event(3, payload=0))

    rows = listed(run(deployment, tmp_path, file, "--dry-run", "--list"))

    assert ["differences" in row for row in rows] == [True, False]


def test_what_is_not_json_is_listed_as_text(deployment: Deployment, tmp_path: Path) -> None:
    file = written(tmp_path / "a.ndjson", b'{"source":"pay",')

    [row] = listed(run(deployment, tmp_path, file, "--dry-run", "--list", "--format", "ndjson"))

    assert (row["event_text"], row["arrived"], "event" in row) == ('{"source":"pay",', "invalid", False)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--list"], "--dry-run"),
        (["--dry-run", "--only", "missing"], "--list"),
        (["--dry-run", "--list", "--refused-since", "60d"], "--refused-since"),
        (["--dry-run", "--list", "--refused-since", "tomorrow"], "--refused-since"),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    deployment: Deployment, tmp_path: Path, options: list[str], told: str
) -> None:
    result = run(deployment, tmp_path, written(tmp_path / "a.ndjson", event(1)), *options)

    assert result.exit_code == Exit.USAGE
    assert told in result.output


def test_memory_stays_flat_however_many_events_are_missing() -> None:
    sink = io.TextIOWrapper(io.BytesIO())
    output = Output(as_json=True, out=Nowhere(), err=sink)
    progress = IngestProgress(output.notes, None, already=Tally())
    with serving(Deployment()) as api:
        client = Client(Target(api.url, "test", "eu-west-1", access_key=("key", "secret")))
        listing = Listing(client, RefusedEvents(client, {}, 1), output, ["a"], [], progress)
        tracemalloc.start()
        try:
            for number in range(40):
                listing.add("a", of_missing(number))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert listing.counts == {Found.MISSING: 4_000}
    assert peak < 3_000_000


class Nowhere(io.StringIO):
    def write(self, text: str) -> int:
        return len(text)


def of_missing(batch: int) -> BatchResult:
    """A hundred events of 2 kB, none of which arrived."""
    texts = [event(100 * batch + number, payload="x" * 2_000) for number in range(100)]
    ids = (hashlib.sha256(text).hexdigest() for text in texts)
    events = (
        Answered(Record(line, text), {"status": "ACCEPTED", "event_id": event_id, "content_sha256": event_id})
        for line, (text, event_id) in enumerate(zip(texts, ids, strict=True), 1)
    )
    return BatchResult(0, Tally(accepted=100), tuple(events), 0)
