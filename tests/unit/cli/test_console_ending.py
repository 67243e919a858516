"""Ctrl-C ends the console, also while the API does not answer, as does SIGINT where a shell had it ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import urllib3

from retrace.console.admission import HEADER
from tests.unit.cli.scripted_api import Answer, Asked, ScriptedApi, routes, serving

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60
"""Less than one call may take, six of which may follow one another."""


def started(api: ScriptedApi, home: Path, **how: Any) -> subprocess.Popen[str]:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}
    return subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", "retrace", "--url", api.url, "console", "--no-open", "--port", "0"],
        cwd=home,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home), **keys},
        stdout=subprocess.PIPE,
        text=True,
        **how,
    )


def ask(link: str, path: str) -> None:
    base, _, token = link.partition("#token=")
    with suppress(urllib3.exceptions.HTTPError):
        urllib3.request("GET", base + path, headers={HEADER: token}, retries=False, timeout=2 * PATIENCE_S)


@pytest.mark.parametrize(
    "path", ["api/health", "console/corrections?ids=2026-11-23.abcdef", "console/counts?source=a&event_type=b&{}"]
)
def test_ctrl_c_ends_the_console_while_the_api_does_not_answer(path: str, tmp_path: Path) -> None:
    asked, released = Event(), Event()

    def silent(_: Asked) -> Answer:
        asked.set()
        released.wait(3 * PATIENCE_S)
        return 200, {}

    window = "start_time=2026-11-23T00:00:00Z&end_time=2026-11-24T00:00:00Z"
    with serving(silent) as api, started(api, tmp_path) as process:
        try:
            assert process.stdout is not None
            link = next(line.strip() for line in process.stdout if "#token=" in line)
            Thread(target=ask, args=(link, path.format(window)), daemon=True).start()
            assert asked.wait(PATIENCE_S)
            process.send_signal(signal.SIGINT)

            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
            released.set()


def test_sigint_ends_the_console_of_a_shell_that_had_it_ignored_as_for_its_background_commands(tmp_path: Path) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with serving(routes({})) as api, started(api, tmp_path, preexec_fn=ignore) as process:
        try:
            assert process.stdout is not None
            assert any("Ctrl-C ends it" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)

            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
