"""`make local`: HTTP and queue handlers run from the checkout, follow its changes, and end without leaving anything."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from embedded.layout import HOME, LOOPBACK, free_port
from infra.command import wait_until
from infra.merge import SOURCES
from tests.e2e.samples import ROOT

PATIENCE_S = 180.0
DAY = "2026-11-21"


@dataclass(frozen=True)
class Local:
    """A checkout of its own, and the port that its API is to listen on."""

    checkout: Path
    port: int

    def start(self) -> subprocess.Popen[str]:
        """The command as make runs it."""
        return subprocess.Popen(  # our own interpreter, our own module
            [sys.executable, "-m", "embedded.local"],
            cwd=self.checkout,
            env={**os.environ, "RETRACE_LOCAL_PORT": str(self.port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a request as plain HTTP; answers what was answered, or nothing where nobody listens."""
        try:
            answer = urllib3.request(
                method, f"http://{LOOPBACK}:{self.port}{path}", json=body, retries=False, timeout=90.0
            )
        except urllib3.exceptions.HTTPError:
            return {}
        answered: dict[str, Any] = answer.json()
        return answered

    def healthy(self) -> bool:
        return self.call("GET", "/health") == {"status": "ok"}

    def replayed(self, entity_id: str) -> dict[str, Any]:
        """Replay the day of an entity; answers its newest aggregate."""
        window = {"start_time": f"{DAY}T00:00:00Z", "end_time": f"{DAY}T23:59:59Z"}
        replay_id = self.call("POST", "/replay", {"entity_id": entity_id, **window})["replay_id"]
        until(lambda: self.call("GET", f"/replay/{replay_id}").get("state") == "COMPLETE")
        versions = self.call("GET", f"/aggregates?entity_id={entity_id}&day={DAY}")["versions"]
        newest: dict[str, Any] = versions[0]
        assert newest["replay_id"] == replay_id
        return newest

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one place in the code."""
        path = self.checkout / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


def until(condition: Any) -> None:
    assert wait_until(condition, PATIENCE_S, every=0.1), "what was waited for did not come"


def a_checkout(directory: Path) -> Local:
    for name in (*SOURCES, "embedded", "infra"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, directory / name)
    (directory / ".retrace").mkdir()
    (directory / ".retrace/venv").symlink_to(HOME / "venv")
    return Local(directory, free_port())


def stop(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; answers what was said on standard error."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    return said


@contextmanager
def running(local: Local) -> Iterator[subprocess.Popen[str]]:
    """`make local`, once it answers. Where the block fails it is ended, and what it said is told."""
    process = local.start()
    try:
        until(lambda: process.poll() is not None or local.healthy())
        yield process
    except BaseException as failure:
        failure.add_note(stop(process))
        raise


def still_running(checkout: Path) -> list[str]:
    """The processes that run in a checkout, or below it (only where there is a /proc to ask)."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if cwd.resolve().is_relative_to(checkout):
                found.append(cwd.parent.name)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    local = a_checkout(tmp_path_factory.mktemp("checkout"))
    with running(local) as process:
        yield local
        stop(process)


def test_a_replay_reaches_its_aggregate_without_any_signature(local: Local) -> None:
    events = [
        {
            "source": "test/local",
            "event_type": "counter.raised",
            "entity_id": "counter-1",
            "event_time": f"{DAY}T10:00:00.{number:03d}Z",
            "payload": {"number": number},
        }
        for number in range(23)
    ]

    assert local.call("POST", "/ingest", events)["counts"]["accepted"] == 23

    assert local.replayed("counter-1")["event_count"] == 23


def test_a_change_of_the_code_reaches_the_routes_and_the_queue_handlers(local: Local) -> None:
    assert len(local.replayed("counter-1")["sample_event_ids"]) == 10

    local.edit("chalicelib/aggregates/aggregate.py", "SAMPLE_SIZE = 10", "SAMPLE_SIZE = 3")
    local.edit("app.py", '"status": "ok"', '"status": "edited"')
    until(lambda: local.call("GET", "/health") == {"status": "edited"})

    assert len(local.replayed("counter-1")["sample_event_ids"]) == 3

    local.edit("app.py", '"status": "edited"', '"status": "ok"')
    until(local.healthy)


def test_code_that_does_not_run_is_waited_for_until_it_does(local: Local) -> None:
    local.edit("app.py", "app = Chalice(", "app = = Chalice(")
    until(lambda: local.call("GET", "/health") == {})

    local.edit("app.py", "app = = Chalice(", "app = Chalice(")
    until(local.healthy)

    assert local.call("GET", "/health") == {"status": "ok"}


def test_a_second_one_is_told_that_the_first_runs(local: Local) -> None:
    other = Local(local.checkout, free_port())

    with other.start() as process:
        _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert said.startswith("\n`make local` runs already.")


def test_a_port_in_use_is_named_with_a_way_out(tmp_path: Path) -> None:
    local = a_checkout(tmp_path)
    with socket.create_server((LOOPBACK, local.port)), local.start() as process:
        _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert f"Port {local.port} is in use" in said
    assert f"RETRACE_LOCAL_PORT={local.port + 1}" in said
    assert "Traceback" not in said


def test_ctrl_c_ends_everything_and_what_was_stored_is_kept(tmp_path: Path) -> None:
    local = a_checkout(tmp_path)
    event = {
        "source": "test/local",
        "event_type": "counter.raised",
        "entity_id": "counter-2",
        "event_time": f"{DAY}T10:00:00Z",
        "payload": None,
    }
    for status in ("ACCEPTED", "DUPLICATE"):
        with running(local) as process:
            answer = local.call("POST", "/ingest", event)
            assert answer.get("status") == status, answer
            said = stop(process)

        assert process.returncode == 0
        assert "Traceback" not in said
        until(lambda: not still_running(tmp_path))
        emulator = json.loads((tmp_path / ".retrace/local/port").read_text())
        assert not [port for port in (local.port, emulator) if listens(port)]


def listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
