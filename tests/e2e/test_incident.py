"""docs/incident.md, run as it is printed: every command, and every answer that it shows."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from embedded.connection import Stack, shell_variables
from embedded.stack import started
from tests.e2e.samples import ROOT

_ANYTHING = "…"
_MARK = "=== answer of block "


def blocks() -> list[tuple[str, Any]]:
    """Each block of commands with the answer that is shown after it, None where none is."""
    text = (ROOT / "docs/incident.md").read_text()
    found = re.findall(r"```sh\n(.*?)```\n(?:\n```json\n(.*?)```)?", text, re.DOTALL)
    return [(commands, json.loads(answer) if answer else None) for commands, answer in found]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed, on a stack that holds nothing else."""
    directory = tmp_path_factory.mktemp("incident")
    with started() as stack:
        prepare(directory, stack)
        script = "\n".join(f"echo '{_MARK}'\n{commands}" for commands, _ in blocks())
        session = subprocess.run(  # noqa: S603  # the page's own lines
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert session.returncode == 0, session.stderr
    return session.stdout.split(f"{_MARK}\n")[1:]


def prepare(directory: Path, stack: Stack) -> None:
    """Lay out what the commands expect to find where they run."""
    (directory / ".retrace").mkdir()
    (directory / ".retrace/local.env").write_text(shell_variables(stack))
    (directory / "examples").symlink_to(ROOT / "examples")


@pytest.mark.parametrize("number", range(len(blocks())))
def test_a_block_answers_what_the_page_shows(answers: list[str], number: int) -> None:
    _, shown = blocks()[number]
    if shown is None:
        assert answers[number].strip() == ""
    else:
        assert shows(shown, json.loads(answers[number])), f"shown {shown}, answered {answers[number]}"


def shows(shown: Any, answered: Any) -> bool:
    """Whether an answer is as shown, "…" standing for any value, and as a member for any further members."""
    if shown == _ANYTHING:
        return True
    if isinstance(shown, dict) and isinstance(answered, dict):
        named = {name: value for name, value in shown.items() if name != _ANYTHING}
        complete = _ANYTHING in shown or named.keys() == answered.keys()
        return complete and all(name in answered and shows(value, answered[name]) for name, value in named.items())
    if isinstance(shown, list) and isinstance(answered, list):
        return len(shown) == len(answered) and all(map(shows, shown, answered))
    return bool(shown == answered)


@pytest.mark.parametrize(
    ("shown", "answered"),
    [({"a": 1}, {"a": 2}), ({"a": 1}, {"a": 1, "b": 2}), ({"a": 1, "…": "…"}, {"b": 1}), ([1], [1, 2]), ("x", "y")],
)
def test_an_answer_that_is_not_as_shown_is_told_apart(shown: Any, answered: Any) -> None:
    assert not shows(shown, answered)
