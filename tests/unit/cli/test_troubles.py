"""No command ends in a traceback for what a user, a container, a terminal or a disk does to it."""

from __future__ import annotations

import errno
import io
import json
import os
import pwd
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from retrace.checking.checkpoint import Checkpoint
from retrace.checking.records import Records
from retrace.command_line import run
from retrace.command_registry import PLACES
from retrace.databases import disk_errors_as_problems
from retrace.ingesting import checkpoint as ingest_checkpoint
from retrace.ingesting.checkpoint import Reached
from retrace.ingesting.records import Record
from retrace.ingesting.report import Rejects
from retrace.ingesting.sending import Answered, BatchResult, Tally
from retrace.problem import Exit, Problem
from tests.unit.cli import ingest_api
from tests.unit.cli.scripted_api import Asked, problem, serving

NOT_UTF8 = os.fsdecode(b"caf\xe9")
ID = "0" * 64
EVENT: dict[str, Any] = {"event_id": ID, "source": "s", "event_type": "t", "entity_id": "e", "ingest_lag_ms": 1}
EVENT |= {"event_time": "2026-11-23T09:30:00.000000000Z", "ingest_time": "2026-11-23T09:30:00.001000000Z"}
EVENT |= {"content_sha256": ID, "s3_bucket": "raw", "s3_key": "events/x", "s3_offset": 0, "s3_length": 1}
EVENT |= {"request_id": "request", "sent_by": "local", "event": {}}
OF_TYPE = ("--source", "s", "--type", "t", "--day", "2026-11-23")

CALLS: dict[str, list[str]] = {
    "ingest": ["{text}"],
    "sources": ["--limit", "{text}"],
    "events": ["{text}"],
    "event": ["{text}"],
    "late": ["{text}", "--type", "t"],
    "stale": ["{text}"],
    "gaps": ["{text}", "--day", "2026-11-23"],
    "freshness": ["--source", "s", "--type", "{text}"],
    "rejected list": ["--reason", "{text}"],
    "rejected get": ["{text}"],
    "rejected retry": ["--fix", "{text}"],
    "replay create": ["{text}", "--day", "2026-11-23", "--yes"],
    "replay preview": ["--source", "s", "--type", "{text}", "--day", "2026-11-23"],
    "replay list": ["--reason", "{text}"],
    "replay get": ["{text}"],
    "replay cancel": ["{text}"],
    "replay dead-letters": ["--replay", "{text}"],
    "replay redrive": ["{text}"],
    "destinations": ["--url", "{text}"],
    "explain": ["{text}", "e", "2026-11-23"],
    "aggregates get": ["{text}", "2026-11-23"],
    "aggregates diff": ["{text}", "2026-11-23"],
    "aggregates inputs": ["e", "2026-11-23", "{text}"],
    "metrics apply": ["{text}"],
    "metrics try": ["{text}", "e", "--day", "2026-11-23"],
    "metrics list": ["--limit", "{text}"],
    "metrics show": ["{text}"],
    "metrics values": ["{text}", "--group", "/p={text}"],
    "metrics retire": ["{text}"],
    "export": ["{text}"],
    "sql": ["{text}"],
    "check verify": ["{text}", "2026-11-23"],
    "check audit": ["--prefix", "events/{text}"],
    "check rebuild": ["--events-table", "{text}"],
    "doctor": ["--day", "{text}"],
    "console": ["http://[{text}", "--port", "0", "--no-open"],
    "help": ["{text}"],
}
"""A call of each command with a text in it."""

SHOWN: dict[str, list[str]] = {
    "events": ["e"],
    "event": ["--raw", ID],
    "late": [],
    "gaps": ["e", "--day", "2026-11-23"],
    "rejected list": [],
    "replay list": [],
    "aggregates inputs": ["e", "2026-11-23", "r1"],
    "export": ["e", "--keep-bad", "--format", "parquet"],
}
"""Calls that write results to standard output."""

IngestProgress = Callable[..., tuple[int, str]]


def answers(asked: Asked) -> tuple[int, Any]:
    if asked.call.startswith("GET") and asked.call.endswith("/raw"):
        return 200, EVENT
    if asked.call in (
        "GET /events",
        "GET /late",
        "GET /gaps",
        "GET /rejected",
        "GET /replay",
        "GET /aggregates/inputs",
    ):
        window = {"start_time": EVENT["event_time"], "end_time": EVENT["event_time"]}
        return 200, {"items": [EVENT | window] * 3, **window}
    if asked.call == "GET /freshness":
        return 200, EVENT | {"fresh": True, "newest": EVENT}
    return 404, problem("There is nothing here.")


@pytest.fixture
def told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[IngestProgress]:
    """Run a command in a directory of its own beside an API; answers its exit code and what it wrote to stderr."""
    with serving(answers) as api:
        for name, value in {
            "RETRACE_URL": api.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
            "XDG_CONFIG_HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield lambda *arguments: (run([*arguments[0].split(), *arguments[1:]]), capsys.readouterr().err)


def fails(name: str) -> NoReturn:
    raise KeyError(name)


def test_every_command_is_called_here() -> None:
    assert [*CALLS] == [*PLACES]


@pytest.mark.parametrize("command", CALLS)
@pytest.mark.parametrize("text", [NOT_UTF8, "", "x" * 10_000, "http://[", "-1", "²"], ids=str.__len__)
def test_no_argument_ends_in_a_traceback(told: IngestProgress, command: str, text: str) -> None:
    code, err = told(command, *(each.format(text=text) for each in CALLS[command]))

    assert "Traceback" not in err
    assert code != Exit.BROKEN


@pytest.mark.parametrize("command", CALLS)
def test_a_user_without_name_and_home_may_call_it(
    told: IngestProgress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", fails)
    (tmp_path / "e").touch()
    code, err = told(command, *(each.format(text="e") for each in CALLS[command]))

    assert "Traceback" not in err
    assert code != Exit.BROKEN


def test_without_a_home_only_resume_needs_to_be_told_where_a_checkpoint_is(
    told: IngestProgress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", fails)
    (tmp_path / "e").touch()

    assert told("ingest", "e")[0] == Exit.DONE
    code, err = told("ingest", "e", "--resume")
    assert (code, "--checkpoint" in err) == (Exit.USAGE, True)


@pytest.mark.parametrize("text", [NOT_UTF8, f"a{NOT_UTF8}b"])
def test_text_that_is_not_utf8_is_named(told: IngestProgress, text: str) -> None:
    code, err = told("events", text)

    assert (code, "caf\\xe9" in err, "UTF-8" in err) == (Exit.USAGE, True, True)


def test_a_file_may_have_a_name_that_is_not_utf8(told: IngestProgress, tmp_path: Path) -> None:
    (tmp_path / f"{NOT_UTF8}.ndjson").write_bytes(b"")

    assert told("ingest", f"{NOT_UTF8}.ndjson", "--json")[0] == Exit.DONE


@pytest.mark.parametrize("port", ["99999", "65536"])
def test_an_invalid_port_is_refused(told: IngestProgress, port: str) -> None:
    code, err = told("console", "--no-open", "--port", port)

    assert (code, "65535" in err) == (Exit.USAGE, True)


class Failing(io.RawIOBase):
    """A stream that fails to take anything, until it is let off."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.fails = True

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self.fails:
            raise OSError(self.number, os.strerror(self.number))
        return len(content)


@pytest.mark.parametrize("command", SHOWN)
@pytest.mark.parametrize(("number", "ends"), [(errno.EPIPE, Exit.CUT_OFF), (errno.ENOSPC, Exit.USAGE)])
def test_output_that_cannot_be_written_ends_a_command_with_the_code_of_its_reason(
    told: IngestProgress, monkeypatch: pytest.MonkeyPatch, command: str, number: int, ends: Exit
) -> None:
    nowhere = Failing(number)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(nowhere)))
    code, err = told(command, *SHOWN[command])
    nowhere.fails = False

    assert (code, "Traceback" in err) == (ends, False)
    assert ("No space left" in err) == (number == errno.ENOSPC)


@pytest.mark.parametrize("command", [*(name for name in SHOWN if name not in ("event", "export")), "freshness"])
@pytest.mark.parametrize("encoding", ["iso-8859-1", "cp1252", "ascii", "utf-16"])
def test_json_is_utf8_whatever_the_locale(
    told: IngestProgress, monkeypatch: pytest.MonkeyPatch, command: str, encoding: str
) -> None:
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setitem(EVENT, "entity_id", "é😀")
    told(command, *SHOWN.get(command, ["--source", "s", "--type", "t"]))

    lines = [json.loads(line) for line in written.getvalue().decode().splitlines()]
    assert {line["entity_id"] for line in lines} == {"é😀"}


@contextmanager
def small_disk(most_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(text: bytes) -> BatchResult:
    return BatchResult(0, Tally(rejected=1), (Answered(Record(1, text), {"status": "REJECTED"}),), 0)


@pytest.mark.parametrize("most_bytes", [60, 200])
def test_a_disk_that_fills_leaves_no_half_of_a_rejected_event(tmp_path: Path, most_bytes: int) -> None:
    """The disk fills at the event, or at its reason."""
    rejects = Rejects(tmp_path / "r", resumed=False)
    rejects.write("a", refused(b"{1}"))
    before = [file.read_bytes() for file in (tmp_path / "r", tmp_path / "r.reasons")]
    with small_disk(most_bytes), pytest.raises(Problem, match="cannot be written: File too large") as raised:
        rejects.write("a" * 120, refused(b"{%s}" % (b"2" * 80)))

    assert (raised.value.exit_code, "--resume" in raised.value.remedy) == (Exit.USAGE, True)
    assert [file.read_bytes() for file in (tmp_path / "r", tmp_path / "r.reasons")] == before
    Rejects(tmp_path / "r", resumed=True).write("a", refused(b"{3}"))
    assert (tmp_path / "r").read_bytes() == b"{1}\n{3}\n"
    assert b'"rejects_line":2' in (tmp_path / "r.reasons").read_bytes()


def test_after_making_room_resume_leaves_each_rejected_event_whole_and_once(
    told: IngestProgress, tmp_path: Path
) -> None:
    lines = [b'{"refuse":%d,"text":"%s"}' % (number, b"x" * 300) for number in range(9)]
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(lines))
    with ingest_api.serving(ingest_api.IngestApi()) as api:
        command = ("--url", api.url, "ingest", "a.ndjson", "--rejects", "r", "--batch-events", "1", "-c", "1")
        with small_disk(2_000):
            code, err = told(*command)
        again, _ = told(*command, "--resume")

    assert (code, "r cannot be written: File too large" in err, again) == (Exit.USAGE, True, Exit.DIFFERENT)
    assert (tmp_path / "r").read_bytes().splitlines() == lines
    reasons = (tmp_path / "r.reasons").read_bytes().splitlines()
    assert [json.loads(line)["rejects_line"] for line in reasons] == list(range(1, 10))


def test_a_disk_that_fills_leaves_the_checkpoint_that_was_there(tmp_path: Path) -> None:
    kept = ingest_checkpoint.Checkpoint(tmp_path / "c", ["x"])
    kept.save(Reached(0, 1))
    with small_disk(10), pytest.raises(Problem, match="c cannot be written: File too large"):
        kept.save(Reached(0, 2))

    assert kept.load() == Reached(0, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_a_disk_that_fills_leaves_no_part_of_an_export(told: IngestProgress, tmp_path: Path, form: str) -> None:
    with small_disk(100):
        code, err = told("export", "e", "--keep-bad", "--format", form, "--out", "x")

    assert (code, "x cannot be written" in err, "File too large" in err) == (Exit.USAGE, True, True)
    assert [*tmp_path.iterdir()] == []


def test_a_disk_that_fills_is_named_by_commands_that_keep_much_on_it(tmp_path: Path) -> None:
    rows = [{"event_id": str(number), "text": "x" * 100_000} for number in range(100)]
    with (
        small_disk(1_000_000),
        pytest.raises(Problem, match="Temporary files cannot be written"),
        disk_errors_as_problems("Temporary files", "Make room."),
        closing(Records()) as records,
    ):
        records.add_identities(rows)


def test_a_checkpoint_on_a_full_disk_says_so(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "c", {})
    with (
        closing(kept._database),  # noqa: SLF001
        small_disk(50_000),
        pytest.raises(Problem),
        disk_errors_as_problems("c", "Make room."),
    ):
        kept.add((str(number) * 100, "") for number in range(10_000))
