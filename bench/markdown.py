"""Markdown: tables, and pages with generated parts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PERFORMANCE = Path(__file__).with_name("performance.md")

Row = Iterable[object]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; numbers stand right."""
    body = [[_cell(each) for each in row] for row in rows]
    columns = list(head)
    right = [all(re.fullmatch(r"[$\d,. -]*", row[column]) for row in body) for column in range(len(columns))]
    lines = [map(str, columns), ("---:" if number else "---" for number in right), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    """A value as people read it; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def publish(page: Path, by: str, generated: Mapping[str, str]) -> None:
    """Print the generated parts of a page; with `--write` on the command line, put them into it as well."""
    print("\n\n".join(f"{name}\n\n{text}" for name, text in generated.items()))
    if "--write" in sys.argv[1:]:
        page.write_text(filled(page.read_text(), generated, by))


def filled(page: str, generated: Mapping[str, str], by: str) -> str:
    """The page with its generated parts put in, each between marks that name it and what generates it."""
    for name, text in generated.items():
        begin, end = f"<!-- {by}: {name} -->", f"<!-- /{name} -->"
        before, after = page.partition(begin)[0], page.partition(end)[2]
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page
