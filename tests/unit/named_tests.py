"""Tables of pages, the tests that they name, and which of these are not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\[([^]]*)]\([^)]*\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows(text: str, heading: str) -> list[str]:
    """The rows of all tables whose first column has a heading."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[ :|-]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [row for table in tables for row in table.splitlines()]


def cells(row: str) -> list[str]:
    """The cells of a row, without links."""
    return [cell.strip() for cell in _LINK.sub(r"\1", row).split("|")[1:-1]]


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
