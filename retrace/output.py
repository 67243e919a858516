"""Prints results: tables on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from chalicelib.core.pagination import chunks

Json = dict[str, Any]

ROWS_A_TABLE = 200
"""A longer list is shown as several tables, so that its beginning is not waited for."""

BAR_CELLS = 24
WIDE = 150
"""From this width on there is room for ids, which are of use only whole."""
_LONGEST_ID = 64
_LEAST = 8
"""What is left of a column that may be folded."""
_BETWEEN = 3
"""Cells between two columns of a table."""
_ENDLESS = 10_000
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, what of an item stands in it, and whether it is a number."""

    heading: str
    value: Callable[[Json], object]
    number: bool = False
    style: Callable[[Json], str] = lambda _: ""
    whole: bool = False
    """Whether it is never folded, as are numbers: ids, which are copied, up to the length of an event's."""
    cut: bool = False
    """Whether what there is no room for is cut off: text that another command shows whole."""
    several_lines: bool = False
    """Whether line breaks in it are ours, and not those of text from outside."""

    def shown(self, item: Json) -> str:
        """The cell of an item."""
        text = str(self.value(item))
        return printable(text) if self.several_lines else on_one_line(text)


class Output:
    """Where a command writes: results to standard output, everything else to standard error.

    Text from outside is printed as it is: nothing in it is taken for mark-up, and control characters are escaped.
    """

    def __init__(self, *, as_json: bool | None = None, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self.as_json = not self._out.isatty() if as_json is None else as_json
        width = None if self._out.isatty() else _ENDLESS  # in a file an item stays on its line
        self.console = Console(file=self._out, width=width, highlight=False, markup=False, emoji=False)
        self.notes = Console(file=err or sys.stderr, highlight=False, markup=False, emoji=False)

    @property
    def is_wide(self) -> bool:
        """Whether there is room for whole ids beside the rest."""
        return self.console.width >= WIDE

    def rows(self, items: Iterable[Json], columns: Sequence[Column], nothing: str, *, heading: bool = True) -> int:
        """Show a list; answers how many items there were. `nothing` explains an empty one."""
        count = 0
        if self.as_json:
            for item in items:
                self.json(item)
                count += 1
        else:
            for some in chunks(items, ROWS_A_TABLE):
                # A table that is too wide is broken by the terminal, so that what is copied from it is still whole.
                self.console.print(_table(some, columns, self.console.width, heading=heading), crop=False)
                count += len(some)
        if count == 0:
            self.note(nothing)
        return count

    def json(self, item: object) -> None:
        """One JSON text on a line of its own, in UTF-8 whatever the locale (RFC 8259, section 8.1)."""
        self.json_text(json.dumps(item, ensure_ascii=False, separators=(",", ":")))

    def json_text(self, text: str) -> None:
        """A JSON text that is written already, on a line of its own."""
        self.line(escaped(text))

    def line(self, text: str) -> None:
        """A text as it is, on a line of its own, in UTF-8."""
        line = text + "\n"
        self._out.flush()
        if isinstance(self._out, TextIOWrapper):
            self._out.buffer.write(line.encode())
        else:
            self._out.write(line)
        self._out.flush()

    def say(self, text: str, style: str = "") -> None:
        """A sentence for people; left out of JSON output."""
        if not self.as_json:
            self.console.print(Text(printable(text), style=style), soft_wrap=True)

    def facts(self, facts: Sequence[tuple[str, object]]) -> None:
        """Names and values, one a line, for people."""
        if self.as_json:
            return
        widest = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            # The terminal breaks what is too long, so that what is copied from it is still whole.
            line = Text.assemble((f"{name:{widest}}  ", "dim"), on_one_line(str(value)))
            self.console.print(line, soft_wrap=True)

    def note(self, text: str, style: str = "dim") -> None:
        """A remark on standard error, beside the results."""
        self.notes.print(Text(printable(text), style=style), soft_wrap=True)


def printable(text: str) -> str:
    """Text in which nothing moves the cursor or changes the colours of a terminal."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def on_one_line(text: str) -> str:
    """The same, of text from outside: a line break in it would begin what looks like a row of its own."""
    return printable(text).replace("\n", "\\n")


def escaped(text: str) -> str:
    """The same JSON without characters that a terminal may act on: they are escaped as in ASCII."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def bar(value: float, most: float, cells: int = BAR_CELLS) -> str:
    """A bar that shows a value beside the largest one."""
    if most <= 0 or value <= 0:
        return ""
    eighths = max(1, round(value / most * cells * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def sparkline(values: Sequence[float]) -> str:
    """The shape of a series in one line."""
    most = max(values, default=0)
    if most <= 0:
        return "·" * len(values)
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(value / most * 7.999))] if value > 0 else "·" for value in values)


def duration(milliseconds: float) -> str:
    """A length of time in at most two units, such as 3h 20m; negative ones with a minus."""
    if milliseconds < 0:
        return "-" + duration(-milliseconds)
    if milliseconds < 1_000:
        return f"{milliseconds:.0f}ms"
    seconds = int(milliseconds // 1_000)
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    first = next(index for index, (_, size) in enumerate(units) if seconds >= size)
    parts = []
    for name, size in units[first : first + 2]:
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{name}")
    return " ".join(parts)


def short_time(instant: str) -> str:
    """An instant as people read it, to the millisecond; the full one is in the JSON."""
    text = instant.removesuffix("Z")
    whole, _, fraction = text.partition(".")
    shown = fraction[:3].rstrip("0")
    return whole.replace("T", " ") + (f".{fraction[:3]}" if shown else "")


def _table(items: Sequence[Json], columns: Sequence[Column], width: int, *, heading: bool) -> Table:
    rows = [[Text(column.shown(item), style=column.style(item)) for column in columns] for item in items]
    _cut(rows, columns, width)
    widest = [max(map(cell_len, (column.heading, *texts))) for column, texts in zip(columns, _plain(rows), strict=True)]
    whole = [one.number or (one.whole and most <= _LONGEST_ID) for one, most in zip(columns, widest, strict=True)]
    needed = sum(most if kept else min(most, _LEAST) for most, kept in zip(widest, whole, strict=True))
    needed += _BETWEEN * (len(columns) - 1)
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=heading, width=needed if needed > width else None
    )
    for column, kept in zip(columns, whole, strict=True):
        justify: JustifyMethod = "right" if column.number else "left"
        table.add_column(column.heading, justify=justify, overflow="fold", no_wrap=kept)
    for row in rows:
        table.add_row(*row)
    return table


def _cut(rows: Sequence[Sequence[Text]], columns: Sequence[Column], width: int) -> None:
    """Shorten what may be cut off: beyond the least of each, to its share of the room that is left."""
    widest = [max(map(cell_len, (one.heading, *texts))) for one, texts in zip(columns, _plain(rows), strict=True)]
    least = [min(most, _LEAST) if one.cut else most for most, one in zip(widest, columns, strict=True)]
    wanted = sum(widest) - sum(least)
    room = max(0, width - sum(least) - _BETWEEN * (len(columns) - 1))
    for row in rows:
        for cell, column, most, few in zip(row, columns, widest, least, strict=True):
            if column.cut and wanted > room:
                _truncate(cell, few + room * (most - few) // wanted)


def _truncate(cell: Text, width: int) -> None:
    lines = cell.split("\n")
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    cell.plain = Text("\n").join(lines).plain


def _plain(rows: Sequence[Sequence[Text]]) -> Iterable[list[str]]:
    """The texts of each column, line by line."""
    return ([line for cell in column for line in cell.plain.split("\n")] for column in zip(*rows, strict=True))
