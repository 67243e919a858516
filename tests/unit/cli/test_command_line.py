"""How the command line ends, whatever happens, and what shells are told to complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from embedded.layout import ROOT
from retrace.command_line import run
from retrace.command_registry import PLACES
from retrace.problem import Exit, Problem
from tests.unit.cli.scripted_api import routes, serving

pytestmark = pytest.mark.long

REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "GetObject")


_errors: list[BaseException] = []


def fails() -> None:
    """A command that fails with the newest of the errors."""
    raise _errors.pop()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Problem("It is \x1b[31mwrong", "Right it.", Exit.REFUSED), Exit.REFUSED, "It is \\x1b[31mwrong\n→ Right it."),
        (REFUSED, Exit.REFUSED, "AWS refused: "),
        (EndpointConnectionError(endpoint_url="http://x"), Exit.UNREACHABLE, "http://x"),
        (OSError(28, "No space left on device"), Exit.USAGE, "cannot be read or written: No space left on device"),
        (ZeroDivisionError("zero"), Exit.BROKEN, "A fault of retrace itself: ZeroDivisionError('zero')"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_command_that_is_stopped_says_so_and_ends_with_its_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: Exit, told: str
) -> None:
    _errors.append(error)
    PLACES["fails"] = f"{__name__}:fails"
    try:
        ended = run(["fails"])
    finally:
        del PLACES["fails"]

    captured = capsys.readouterr()
    assert (ended, captured.out) == (code, "")
    assert told in captured.err
    assert ("Traceback" in captured.err) == (code == Exit.BROKEN)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--version"], 0), (["-h"], 0), (["nonsense"], 2), (["ingest"], 2), (["rejected", "x"], 2)],
)
def test_usage_ends_as_usual(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> None:
    assert run(arguments) == code
    assert bool(capsys.readouterr().err) == bool(code)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RETRACE_"))}
    return kept | {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1"} | more


def in_bash(command: str, url: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell beside an API."""
    return subprocess.run(  # noqa: S603  # our own command
        ["/bin/bash", "-c", command],
        cwd=directory,
        env=environment(RETRACE_URL=url, XDG_CONFIG_HOME=str(directory), PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("shape", ["--json", "--table"])
def test_who_stops_reading_is_no_fault_and_no_answer(tmp_path: Path, shape: str) -> None:
    event = {"event_id": "0" * 64, "source": "s", "event_type": "t", "entity_id": "e" * 200, "ingest_lag_ms": 1}
    event |= {"event_time": "2026-11-23T09:30:00.000000000Z"}
    with serving(routes({"GET /events": (200, {"items": [event] * 1_000, "cursor": None})})) as api:
        command = f'"{sys.executable}" -m retrace events e --limit 1000 {shape} | head -1; echo "${{PIPESTATUS[0]}}"'
        finished = in_bash(command, api.url, tmp_path)

    assert finished.stdout.splitlines()[-1] == str(int(Exit.CUT_OFF))
    assert finished.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    with serving(routes({"GET /events": (200, {"items": [], "cursor": None})})) as api:
        finished = in_bash(f'"{sys.executable}" -m retrace events e {closed}', api.url, tmp_path)

    assert (finished.returncode, finished.stdout) == (Exit.DONE, "")
    assert "Traceback" not in finished.stderr


def completed(directory: Path, words: str) -> list[str]:
    """What bash is told to offer after these words."""
    (directory / "retrace").mkdir(exist_ok=True)
    (directory / "retrace/config.toml").write_text('[prod]\nurl = "https://a"\n[preview]\nurl = "https://b"\n')
    asked = {"_RETRACE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    finished = subprocess.run(  # noqa: S603  # our own command
        [Path(sys.executable).with_name("retrace")],
        env=environment(XDG_CONFIG_HOME=str(directory), **asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return finished.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("retrace fre", ["freshness"]),
        ("retrace --profile pr", ["preview", "prod"]),
        ("retrace rejected li", ["list"]),
        ("retrace gaps --unit ", ["hour", "day"]),
        ("retrace doctor --js", ["--json"]),
    ],
)
def test_a_shell_completes_commands_options_values_and_profiles(tmp_path: Path, words: str, offered: list[str]) -> None:
    assert completed(tmp_path, words) == offered


def test_a_command_reads_only_what_it_needs() -> None:
    script = "import sys; from retrace.command_line import run; code = run(['events', '--help']); print([*sys.modules])"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603

    assert "retrace.commands.search" in finished.stdout
    assert "retrace.checking" not in finished.stdout
