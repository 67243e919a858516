"""`retrace ingest` as a process of its own that is stopped: what was sent is known, and the rest is sent once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.ingest_api import IngestApi, Trouble, environment, numbered, serving

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
EVENTS = 1_000
PATIENCE_S = 120


class Gate:
    """Answers so many batches, then holds all that follow until it is opened."""

    def __init__(self, batches: int) -> None:
        self._left = batches
        self._lock = threading.Lock()
        self.held = threading.Event()
        self.open = threading.Event()

    def __call__(self, lines: list[bytes]) -> Trouble | tuple[()]:
        with self._lock:
            self._left -= 1
            hold = self._left < 0
        if hold:
            self.held.set()
            assert self.open.wait(PATIENCE_S)
        return ()


@pytest.fixture
def gate() -> Gate:
    return Gate(6)


@pytest.fixture
def api(gate: Gate) -> Iterator[IngestApi]:
    with serving(IngestApi(gate)) as api:
        yield api
        gate.open.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join(numbered(EVENTS)))
    return path


def started(api: IngestApi, home: Path, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "retrace", "--url", api.url, "ingest", *arguments, "--batch-events", "20"]
    return subprocess.Popen(  # noqa: S603  # our own command
        command,
        cwd=ROOT,
        env=os.environ | environment(home),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(process: subprocess.Popen[str]) -> None:
    """Send Ctrl-C and wait until it is heard."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("Finishing the batches in flight" in line for line in process.stderr)


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, json.loads(out) if out else {}


def test_ctrl_c_finishes_what_is_in_flight_and_resume_sends_the_rest_once(
    api: IngestApi, gate: Gate, path: Path, tmp_path: Path
) -> None:
    process = started(api, tmp_path, str(path))
    assert gate.held.wait(PATIENCE_S)
    interrupted(process)
    gate.open.set()
    code, stopped = ended(process)

    assert code == 130
    assert not stopped["finished"]
    assert stopped["accepted"] == len(api.taken) == api.answered < EVENTS

    code, resumed = ended(started(api, tmp_path, str(path), "--resume"))

    assert code == 0
    assert resumed["resumed_at"] == stopped["accepted"]
    assert (resumed["events"], resumed["accepted"], resumed["duplicate"]) == (EVENTS, EVENTS, 0)
    assert api.taken == dict.fromkeys(numbered(EVENTS), 1)
    assert api.answered == EVENTS


def test_a_second_ctrl_c_ends_at_once_and_resume_still_sends_everything(
    api: IngestApi, gate: Gate, path: Path, tmp_path: Path
) -> None:
    process = started(api, tmp_path, str(path))
    assert gate.held.wait(PATIENCE_S)
    interrupted(process)
    process.send_signal(signal.SIGINT)
    code, _ = ended(process)

    assert code == 130
    gate.open.set()
    code, resumed = ended(started(api, tmp_path, str(path), "--resume"))
    assert code == 0
    assert resumed["accepted"] + resumed["duplicate"] == EVENTS
    assert api.taken == dict.fromkeys(numbered(EVENTS), 1)


def test_what_is_killed_goes_on_from_what_was_acknowledged(
    api: IngestApi, gate: Gate, path: Path, tmp_path: Path
) -> None:
    process = started(api, tmp_path, str(path))
    assert gate.held.wait(PATIENCE_S)
    process.kill()
    ended(process)

    gate.open.set()
    code, resumed = ended(started(api, tmp_path, str(path), "--resume"))

    assert code == 0
    assert resumed["accepted"] + resumed["duplicate"] == EVENTS
    assert api.taken == dict.fromkeys(numbered(EVENTS), 1)


def test_ctrl_c_ends_it_while_it_waits_for_standard_input(api: IngestApi, gate: Gate, tmp_path: Path) -> None:
    process = started(api, tmp_path, "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"\n".join(numbered(6 * 20 + 21)).decode() + "\n")
    process.stdin.flush()
    assert gate.held.wait(PATIENCE_S)
    gate.open.set()
    interrupted(process)
    code, stopped = ended(process)

    assert code == 130
    assert stopped["accepted"] == len(api.taken) >= 6 * 20
