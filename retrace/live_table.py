"""A table that gets rows while a command watches. Its columns keep their width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from retrace.output import Column, Json, Output

_BETWEEN = "   "
_LEAST = {True: 9, False: 16}
"""Cells of a column, of numbers and of text, so that what comes later has room."""


class LiveTable:
    """Rows below one heading. The first ones decide how wide columns are; the last column is never cut."""

    def __init__(self, output: Output, columns: Sequence[Column]) -> None:
        self._output = output
        self._columns = columns
        self._widths: list[int] = []

    def add(self, items: Iterable[Json]) -> int:
        """Show more rows; answers how many."""
        rows = list(items)
        if self._output.as_json:
            for item in rows:
                self._output.json(item)
        elif rows:
            cells = [[column.shown(item) for column in self._columns] for item in rows]
            if not self._widths:
                self._begin(cells)
            for item, row in zip(rows, cells, strict=True):
                self._write(row, [column.style(item) for column in self._columns])
        return len(rows)

    def _begin(self, cells: Sequence[Sequence[str]]) -> None:
        headings = [column.heading for column in self._columns]
        for column, texts in zip(self._columns, zip(headings, *cells, strict=True), strict=True):
            self._widths.append(max(_LEAST[column.number], *map(cell_len, texts)))
        self._write(headings, ["bold"] * len(headings))
        self._output.console.print(Text("─" * (sum(self._widths) + len(_BETWEEN) * (len(headings) - 1)), style="dim"))

    def _write(self, row: Sequence[str], styles: Sequence[str]) -> None:
        line = Text()
        last = len(row) - 1
        for position, (text, width, column, style) in enumerate(
            zip(row, self._widths, self._columns, styles, strict=True)
        ):
            cell = Text(text, style=style)
            if position < last:
                if not column.whole:
                    cell.truncate(width, overflow="ellipsis")
                cell.align("right" if column.number else "left", max(width, cell.cell_len))
                cell.append(_BETWEEN)
            line.append(cell)
        self._output.console.print(line, soft_wrap=True)
