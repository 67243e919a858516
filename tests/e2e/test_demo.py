"""`make demo`: the story holds and is told in plain text, other files go the same way, failures are said clearly."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded.connection import Stack
from embedded.demo import TRY_NEXT, Story
from embedded.load import Load
from embedded.narration import Narrator
from embedded.sending import read
from infra.command import Problem, wait_until
from tests.e2e.samples import ROOT
from tests.e2e.sessions import pasted

PATIENCE_S = 240


def lines_of(entity_id: str, count: int) -> list[bytes]:
    """Distinct events of one entity, over two days."""
    return [
        json.dumps(
            {
                "source": "test/demo",
                "event_type": "counter.raised",
                "entity_id": entity_id,
                "event_time": f"2026-11-{21 + number % 2}T10:00:00.{number:03d}Z",
                "payload": {"number": number},
            }
        ).encode()
        for number in range(count)
    ]


@contextmanager
def demo(temporary: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The command as make runs it; its temporary files go to a directory of the test, which shows what it leaves."""
    with subprocess.Popen(  # noqa: S603  # our own interpreter, our own module
        [sys.executable, "-m", "embedded.demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(temporary: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    with demo(temporary, *arguments) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def words(line: str) -> list[str]:
    return line.split()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return finished(tmp_path_factory.mktemp("story"))


def test_the_story_ends_well(told: subprocess.CompletedProcess[str]) -> None:
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize(
    "row",
    [
        "day.ndjson 200 147 0 0 0",
        "conflict.ndjson 200 0 0 1 0",
        "malformed.ndjson 200 0 0 0 2",
        "retry-storm.ndjson 200 0 185 0 0",
        "late-batch.ndjson 200 9 0 0 0",
        "event_count 27",
        "count, as it was 27",
        "arrived since 9",
        "revenue 1332.6 EUR from 28 events of 28 orders",
        "revenue 1343.6 EUR from 29 events of 28 orders",
        "order-1007 2025-11-28T09:41:07.521000000Z 5cb15a5ce332d36d… - 11",
        "1343.6 - 1332.6 = 11: what this event contributes.",
    ],
)
def test_the_figures_of_the_story_are_told(told: subprocess.CompletedProcess[str], row: str) -> None:
    assert row.split() in map(words, told.stdout.splitlines())


def test_both_versions_are_shown_and_the_numbers_as_they_were_sent(told: subprocess.CompletedProcess[str]) -> None:
    values = [row[1] for row in map(words, told.stdout.splitlines()) if len(row) == 3 and row[2].endswith("…")]

    assert values[:2] == ["36", "27"]
    assert '"amount":1.10,"currency":"EUR","ledger_entry":12345678901234567' in told.stdout


def test_into_a_file_goes_plain_text(told: subprocess.CompletedProcess[str]) -> None:
    assert not [character for character in told.stdout if not character.isprintable() and character != "\n"]


def test_a_gzipped_file_of_events_goes_the_same_way(tmp_path: Path) -> None:
    lines = [*lines_of("counter-1", 30), *lines_of("counter-2", 5), b'{"source":"test/demo"}']
    data = tmp_path / "events.ndjson.gz"
    data.write_bytes(gzip.compress(b"\n".join(lines)))

    run = finished(tmp_path, "--data", data)

    assert (run.returncode, run.stderr) == (0, "")
    shown = list(map(words, run.stdout.splitlines()))
    for row in ("accepted 35", "rejected 1", "duplicate 35", "30 2 counter-1", "5 2 counter-2", "aggregates 4"):
        assert row.split() in shown
    assert ["1", "REJECTED", "event_time", "is", "missing"] in shown
    assert list(tmp_path.iterdir()) == [data]


def test_a_plain_file_goes_the_same_way_also_where_other_events_are(stack: Stack, tmp_path: Path) -> None:
    data = tmp_path / "events.ndjson"
    data.write_bytes(b"\r\n".join([*lines_of("counter-3 [bold]", 12), *lines_of("counter-3 [bold]", 4)]))
    out = io.StringIO()

    Load(stack, Narrator(out), read(data)).run()

    shown = list(map(words, out.getvalue().splitlines()))
    for row in ("accepted 12", "duplicate 4", "duplicate 16", "12 2 counter-3 [bold]", "replayed 12"):
        assert row.split() in shown


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"\n\n", "is empty"),
        (b"source,event_type\nshop,order.paid\n", "is not NDJSON"),
        (gzip.compress(b"{}", mtime=0)[:-4], "is not a whole gzip file"),
    ],
)
def test_a_file_that_holds_no_events_is_refused_before_anything_starts(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    data = tmp_path / "events"
    if content is not None:
        data.write_bytes(content)

    run = finished(tmp_path, "--data", data)

    assert run.returncode == 1
    assert said in run.stderr
    assert "→" in run.stderr
    assert "Traceback" not in run.stderr
    assert "Starting" not in run.stdout


def test_a_figure_that_is_not_as_told_ends_the_story(stack: Stack, tmp_path: Path) -> None:
    line, *_ = lines_of("counter-4", 1)
    for name in ("day", "conflict", "malformed"):
        (tmp_path / f"{name}.ndjson").write_bytes(line + b"\n")

    with pytest.raises(Problem) as raised:
        Story(stack, Narrator(io.StringIO()), tmp_path).tell()

    assert raised.value.what.splitlines() == [
        "This check failed: events of conflict.ndjson that end as CONFLICT",
        "  expected 1",
        "  found    0",
    ]


def test_ctrl_c_ends_it_without_a_trace(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Waiting for the API" in line:
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert err.startswith("\nInterrupted.")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert wait_until(lambda: not still_running(tmp_path), PATIENCE_S)


def still_running(directory: Path) -> list[str]:
    """The processes that know of a directory by their environment (only where there is a /proc to ask)."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(directory).encode() in environment.read_bytes():
                found.append(environment.parent.name)
        except OSError:
            continue
    return found


def test_what_to_try_next_works_as_printed(stack: Stack, tmp_path: Path) -> None:
    text = pasted(TRY_NEXT.splitlines(), stack, tmp_path)

    assert text.count("COMPLETE") >= 2, text
    assert "the count " in text.splitlines()[-1]
    assert "\nretrace console " in TRY_NEXT
