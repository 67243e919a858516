"""syslog-ng itself, with the example's file: what it makes of log lines, does with answers, and delivers.

It comes from Debian (syslog-ng-mod-http), so `make shippers` runs these tests, not `make test`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
import urllib3

from embedded.connection import Stack
from embedded.layout import free_port
from infra.command import wait_until
from tests.e2e.deployed import Deployed
from tests.e2e.test_shippers import is_delivered, stored_ids
from tests.shippers.configured import PRODUCERS, SYSLOG_NG, syslog_ng
from tests.shippers.delivery import FaultyRoad, Road
from tests.shippers.door import open_door
from tests.shippers.log_lines import log_of
from tests.shippers.models import Answer, Verdict

pytestmark = pytest.mark.shippers

ODD_LINES = [
    b'{"time": "2026-11-21T12:00:00Z", "id": "1", "event": "a", "order": "o-1", "n": 1.10, "i": 12345678901234567890}',
    '{"time":"2026-11-21T12:00:00Z","event":"order.paid","order":"o \\"2\\" Grüße","note":"a\\nb"}'.encode(),
    b'{"time":"2026-11-21T12:00:00Z","event":"order.paid"}',
    'no JSON, "quoted", \\ and Grüße'.encode(),
    b'{"time":"2026-11-21T12:00:00Z","event":"order.paid","order":"o-3"',
]


def adapted(text: str, port: int, log: Path, directory: Path) -> str:
    """The example's file with other folders, another port, small batches and a shorter wait."""
    for setting, here in {
        r'file\(".*?"': f'file("{log}"',
        r'dir\(".*?"\)': f'dir("{directory}")',
        r"127\.0\.0\.1:\d+": f"127.0.0.1:{port}",
        r"time-reopen\(\d+\)": "time-reopen(1)",
        r"batch-lines\(\d+\)": "batch-lines(200)",
    }.items():
        text, count = re.subn(setting, here, text)
        assert count == 1, setting
    return text


@contextmanager
def running(port: int, lines: Sequence[bytes], directory: Path) -> Iterator[None]:
    """Run syslog-ng with the example's file, adapted."""
    log = directory / "app.log"
    log.write_bytes(b"\n".join([*lines, b""]))
    (directory / "syslog-ng.conf").write_text(adapted(SYSLOG_NG.read_text(), port, log, directory))
    own = [f"--{name}={directory / name}" for name in ("persist-file", "control", "pidfile")]
    command = ["syslog-ng", "--foreground", "--no-caps", "--stderr", f"--cfgfile={directory / 'syslog-ng.conf'}", *own]
    program = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  # the program under test
    try:
        yield
    finally:
        program.terminate()
        program.wait()


def received(road: Road, lines: Sequence[bytes], directory: Path, requests: int) -> list[bytes]:
    """The bodies of the first requests that syslog-ng makes."""
    bodies: list[bytes] = []

    def recorded(body: bytes) -> Answer | None:
        bodies.append(body)
        return road(body)

    with open_door(recorded) as port, running(port, lines, directory):
        assert wait_until(lambda: len(bodies) >= requests, 30, every=0.05)
    return bodies


def test_syslog_ng_makes_the_events_that_the_other_tests_expect_of_it(tmp_path: Path) -> None:
    lines = [*ODD_LINES, *log_of("program", 100).lines]

    [body] = received(lambda _: Answer(200), lines, tmp_path, 1)

    assert body.split(b"\n") == list(map(syslog_ng().event, lines))
    assert b'"n": 1.10, "i": 12345678901234567890' in body


@pytest.mark.parametrize("status", [200, 207, 400, 413, 429, 503, 504, None])
def test_syslog_ng_does_with_an_answer_what_its_model_does(status: int | None, tmp_path: Path) -> None:
    answers = iter([None if status is None else Answer(status)])
    retries = syslog_ng().shipper.verdict(None if status is None else Answer(status)) is Verdict.RETRIES
    lines = [b'{"event":"first"}'] * 200 + [b'{"event":"second"}'] * 200

    bodies = received(lambda _: next(answers, Answer(200)), lines, tmp_path, 3 if retries else 2)

    firsts = [b"first" in body for body in bodies]
    assert firsts == ([True, True, False] if retries else [True, False])


@contextmanager
def signing_proxy(stack: Stack) -> Iterator[int]:
    """Run the example's signing proxy for a stack."""
    port = free_port()
    environment = os.environ | {
        "RETRACE_URL": stack.api_url,
        "AWS_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
    }
    command = [sys.executable, str(PRODUCERS / "signing_proxy.py"), str(port)]
    proxy = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603  # our own program
    try:
        assert wait_until(lambda: _answers(port), 30, every=0.05)
        yield port
    finally:
        proxy.terminate()
        proxy.wait()


def _answers(port: int) -> bool:
    try:
        urllib3.request("GET", f"http://127.0.0.1:{port}/", retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return True


def test_syslog_ng_and_the_signing_proxy_deliver_each_event_once_though_answers_are_lost(
    deployed: Deployed, tmp_path: Path
) -> None:
    log = log_of("syslog-ng itself", 4_000)
    events = list(map(syslog_ng().event, log.lines))

    with signing_proxy(deployed.stack) as proxy:
        url = f"http://127.0.0.1:{proxy}/ingest"

        def post(body: bytes) -> Answer:
            headers = {"Content-Type": "application/x-ndjson"}
            return Answer(urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=60).status)

        road = FaultyRoad(post, Random(5))
        with open_door(road) as port, running(port, log.lines, tmp_path):
            assert wait_until(lambda: is_delivered(deployed, log, events), 120, every=1)

    assert road.faults["lost"] > 0
    assert road.faults["503"] > 0
    assert road.answers.keys() <= {200, 503}
    assert set(stored_ids(deployed, log).values()) == {1}
