"""A sender's threads go on whatever the spool does, and report refusals one at a time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from retrace import Rejection
from retrace.producer.backlog import Backlog, Limits
from retrace.producer.encoding import encoded
from retrace.producer.sender import Sender, delivery_to
from retrace.producer.spool import Row, Spool
from tests.unit.producer.model_api import ModelApi, numbered, producer, serving


class MomentarilyUnreadable(Backlog):
    """A backlog whose spool cannot be read twice."""

    failures = 2

    def next_batch(self) -> list[Row]:
        if self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().next_batch()


def test_a_spool_that_cannot_be_read_for_a_moment_stops_no_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"region": "eu-west-1", "aws_profile": None, "connections": 1}
    backlog = MomentarilyUnreadable(Spool(tmp_path, fsync=False), Limits(1_000, 0.01, 10_000))
    with serving(ModelApi()) as api:
        sender = Sender(backlog, delivery_to(api.url, timeout_s=5, max_pause_s=0.01, **options), None)
        thread = threading.Thread(target=sender.run)
        thread.start()
        backlog.add(encoded(numbered(1)[0]), None)
        decided = backlog.flush(60)
        sender.stop()
        backlog.stop()
        thread.join()

    assert (decided, dict(api.taken)) == (True, {numbered(1)[0]: 1})
    assert "the spool cannot be read: disk I/O error" in caplog.text


def test_refusals_are_reported_one_at_a_time(tmp_path: Path) -> None:
    at_once: list[bool] = []
    reporting = threading.Lock()

    def report(_: Rejection) -> None:
        at_once.append(not reporting.acquire(blocking=False))
        threading.Event().wait(0.001)
        if not at_once[-1]:
            reporting.release()

    with serving(ModelApi()) as api, producer(api, tmp_path, max_batch_bytes=500, on_rejected=report) as sending:
        for number in range(200):
            sending.send({"payload": f"refuse {number}"})

    assert at_once == [False] * 200
