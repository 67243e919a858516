"""Every session of docs/cli.md, run as it is printed on a terminal, and what it shows."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from embedded import connection
from embedded.stack import started
from tests.e2e.samples import ROOT
from tests.e2e.test_incident import shows
from tests.terminal import on_a_terminal

_MARK = "=== session "
_FAILED = "=== failed: "
_BLOCK = re.compile(r"```sh\n(.*?)```\n(?:\n```(json)?\n(.*?)```)?", re.DOTALL)
_SECTIONS = re.split(r"^## ", (ROOT / "docs/cli.md").read_text(), flags=re.MULTILINE)
SESSIONS = [
    (section.partition("\n")[0], *found)
    for section in _SECTIONS
    if section.startswith("retrace ")
    for found in _BLOCK.findall(section)
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each session showed, all of them run in one shell on a stack that holds the sample day."""
    directory = tmp_path_factory.mktemp("cli")
    (directory / "examples").symlink_to(ROOT / "examples")
    (directory / ".retrace").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RETRACE_"))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "XDG_CONFIG_HOME": str(directory / "config"),
    }
    lines = ["set -o pipefail", "retrace ingest examples/shop-day/day.ndjson"]
    lines.append(f"trap 'echo \"{_FAILED}$BASH_COMMAND\"' ERR")
    for _, commands, _, _ in SESSIONS:
        lines += [f"echo '{_MARK}'", commands]
    with started() as stack:
        connection.save(directory / ".retrace/local.json", stack)
        _, text = on_a_terminal(["/bin/bash", "-c", "\n".join(lines)], directory=directory, environment=environment)
    return text.split(f"{_MARK}\n")[1:]


@pytest.mark.parametrize("number", range(len(SESSIONS)), ids=lambda number: f"{number}-{SESSIONS[number][0]}")
def test_a_session_works_and_shows_what_the_page_says(shown: list[str], number: int) -> None:
    _, _, kind, expected = SESSIONS[number]
    text = shown[number]

    assert _FAILED not in text, text
    if kind == "json":
        assert shows(json.loads(expected), json.JSONDecoder().raw_decode(text)[0]), text
    else:
        assert missing(expected, text) is None, text


def missing(expected: str, text: str) -> str | None:
    """The first expected line that begins no line of a text, in their order, however wide; None if all do."""
    lines = iter(text.splitlines())
    for wanted in filter(None, expected.splitlines()):
        cells = re.split(r"\s{2,}", wanted.strip())
        pattern = re.compile(r"\s*" + r"\s+".join(".*".join(map(re.escape, cell.split("…"))) for cell in cells))
        if not any(pattern.match(line) for line in lines):
            return wanted
    return None


def test_a_line_that_is_not_shown_is_missed() -> None:
    text = "from (UTC)   to\n────\n2025-11-28   x\n"

    assert missing("from (UTC)    to\n2025-…\n", text) is None
    assert missing("2025-11-28\nfrom (UTC)\n", text) == "from (UTC)"
    assert missing("2025-11-28 x\n", text) == "2025-11-28 x"
    assert missing("2025-11-28   y\n", text) == "2025-11-28   y"
