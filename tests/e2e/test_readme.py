"""The sessions of the README, run as they are printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from embedded.connection import Stack, shell_variables
from embedded.layout import ON_THE_PATH
from tests.e2e.samples import ROOT
from tests.e2e.sessions import pasted

_SOURCED = ". .retrace/local.env"


def session_below(heading: str) -> list[str]:
    """The lines of a session of the README, without starting and stopping the stack."""
    section = (ROOT / "README.md").read_text().split(f"## {heading}")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [line for line in block[1].splitlines() if not line.startswith("make ")]


def test_the_curl_session_works_as_printed(stack: Stack, tmp_path: Path) -> None:
    lines = session_below("Five minutes with curl")
    assert _SOURCED in lines
    (tmp_path / ".retrace").mkdir()
    (tmp_path / ".retrace/local.env").write_text(shell_variables(stack))

    session = subprocess.run(  # noqa: S603  # the README's own lines
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert session.returncode == 0, session.stderr
    answers = [line for line in session.stdout.splitlines() if line]
    assert '"status":"ACCEPTED"' in answers[0]
    assert '"status":"DUPLICATE"' in answers[1]
    assert '"state":"COMPLETE"' in answers[2]
    assert '"event_count":1' in answers[3]


def test_the_session_of_the_command_line_works_by_pasting(stack: Stack, tmp_path: Path) -> None:
    lines = session_below("The command line")
    assert ON_THE_PATH in lines
    text = pasted(lines, stack, tmp_path)

    assert text.count("COMPLETE") >= 2, text
    assert "the count " in text.splitlines()[-1]
