"""Tests that a page of the docs names, and which of them are not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def named(text: str) -> list[tuple[str, str]]:
    """The path and the function (or nothing) of each test that a text names."""
    return _TEST.findall(text)


def absent(text: str) -> Iterator[str]:
    """The tests that a text names and that there are not."""
    for path, function in named(text):
        if not (ROOT / path).exists() or function not in {"", *_functions(path)}:
            yield f"{path}::{function}"


@lru_cache
def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
