"""Sessions of a page of docs: commands, run in one shell as they are printed, and what they show on a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded import connection
from embedded.connection import Stack
from embedded.stack import started
from tests.e2e.deployed import DESTINATIONS
from tests.e2e.samples import ROOT
from tests.terminal import on_a_terminal

_ANYTHING = "…"
_MARK = "=== session "
_FAILED = "=== failed: "
_BLOCK = re.compile(r"```sh\n(.*?)```\n(?:\n```(json)?\n(.*?)```)?", re.DOTALL)


@dataclass(frozen=True)
class Session:
    """Commands below a heading, and what the page shows of their output."""

    heading: str
    commands: str
    kind: str
    shown: str

    def check(self, text: str) -> None:
        """Assert that the commands worked and that their output is as shown."""
        assert _FAILED not in text, text
        if self.kind == "json":
            assert shows(json.loads(self.shown), json.JSONDecoder().raw_decode(text)[0]), text
        else:
            assert missing(self.shown, text) is None, text


def sessions_of(page: str) -> list[Session]:
    """The sessions of a page in docs/."""
    sections = re.split(r"^## ", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    return [Session(section.partition("\n")[0], *found) for section in sections for found in _BLOCK.findall(section)]


def pasted(lines: Sequence[str], stack: Stack, directory: Path) -> str:
    """What a terminal shows of lines that are pasted into a checkout with a stack, without those of make."""
    (directory / "examples").symlink_to(ROOT / "examples")
    (directory / ".retrace").mkdir()
    connection.save(directory / ".retrace/local.json", stack)
    own = [line for line in lines if not line.startswith(("make ", "retrace console"))]
    environment = _environment(directory)
    return on_a_terminal(["/bin/bash", "-c", "\n".join(own)], directory=directory, environment=environment)[1]


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RETRACE_"))}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return kept | {"PATH": path, "XDG_CONFIG_HOME": str(directory / "config")}


def outputs(sessions: Sequence[Session], directory: Path, before: Sequence[str] = ()) -> list[str]:
    """What each session shows, after some commands, on a stack that has nothing else."""
    (directory / "examples").symlink_to(ROOT / "examples")
    (directory / ".retrace").mkdir()
    environment = _environment(directory)
    lines = ["set -o pipefail", *before, f"trap 'echo \"{_FAILED}$BASH_COMMAND\"' ERR"]
    for session in sessions:
        lines += [f"echo '{_MARK}'", session.commands]
    with started(destinations=DESTINATIONS) as stack:
        connection.save(directory / ".retrace/local.json", stack)
        _, text = on_a_terminal(["/bin/bash", "-c", "\n".join(lines)], directory=directory, environment=environment)
    return text.split(f"{_MARK}\n")[1:]


def missing(expected: str, text: str) -> str | None:
    """The first expected line that begins no line of a text, in their order, however wide; None if all do."""
    lines = iter(text.splitlines())
    for wanted in filter(None, expected.splitlines()):
        cells = re.split(r"\s{2,}", wanted.strip())
        pattern = re.compile(r"\s*" + r"\s+".join(".*".join(map(re.escape, cell.split(_ANYTHING))) for cell in cells))
        if not any(pattern.match(line) for line in lines):
            return wanted
    return None


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
