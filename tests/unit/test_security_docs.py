"""Every test that docs/security.md names is there, and every threat names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_THREAT = re.compile(r"^\| ([STRIDE]) \| (.*)$", re.MULTILINE)


def threats() -> list[tuple[str, str]]:
    """The letter and the rest of each row."""
    return _THREAT.findall((ROOT / "docs/security.md").read_text())


def test_every_kind_of_threat_is_thought_of() -> None:
    assert {letter for letter, _ in threats()} == set("STRIDE")


def test_every_threat_names_a_test_that_is_there() -> None:
    for _, row in threats():
        named = _TEST.findall(row)
        assert named, row
        for path, function in named:
            tree = ast.parse((ROOT / path).read_text())
            tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert function in {"", *tests}, f"{path}::{function}"
