"""Narrates a run on a terminal, or into a file, there without colours and moving parts."""

import argparse
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from infra.command import Problem, exit_status, interrupt_once

WIDTH = 100
"""Of what goes to a file, and the most on a terminal: longer lines are hard to read."""

INDENT = 2

Row = Sequence[str | int]


class Narrator:
    """Prints steps, sentences, facts and tables. Text is printed as it is; nothing in it is taken for mark-up."""

    def __init__(self, out: TextIO) -> None:
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")  # a terminal that cannot show a name shall not end the story
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._console.width = min(self._console.width, WIDTH) if self._console.is_terminal else WIDTH
        self._steps = 0

    def title(self, text: str) -> None:
        """Begin."""
        self._console.print(Text(text, style="bold"))

    def step(self, text: str) -> None:
        """Begin the next step."""
        self._steps += 1
        self._heading(f"{self._steps}  {text}")

    def end(self, text: str) -> None:
        """Begin what comes after the last step."""
        self._heading(text)

    def _heading(self, text: str) -> None:
        self._console.print()
        self._console.rule(Text(text, style="bold"), align="left", style="dim")

    def say(self, text: str) -> None:
        """Print a paragraph."""
        self._paragraph(text, " " * INDENT)

    def point(self, text: str) -> None:
        """Print one of several paragraphs that belong together."""
        self._paragraph(text, " " * INDENT + "· ")

    def doing(self, text: str) -> None:
        """Say what is about to happen."""
        self._paragraph(f"{text} …", " " * INDENT, style="dim")

    def _paragraph(self, text: str, begin: str, style: str = "") -> None:
        for line in wrap(text, self._console.width, initial_indent=begin, subsequent_indent=" " * len(begin)):
            self._console.print(Text(line, style=style), soft_wrap=True)

    def fact(self, name: str, value: str | int) -> None:
        """Print a value with its name; values are aligned."""
        shown = f"{value:,}" if isinstance(value, int) else value
        self._console.print(Text.assemble(" " * INDENT, (f"{name:<22}", "cyan"), shown), soft_wrap=True)

    def verbatim(self, text: str) -> None:
        """Print lines that someone may want to copy: never wrapped."""
        self._console.print()
        for line in text.splitlines():
            self._console.print(Text(" " * 2 * INDENT + line, style="green"), soft_wrap=True)
        self._console.print()

    def table(self, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Print rows; a column of whole numbers is aligned to the right."""
        rows = list(rows)
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="cyan")
        for number, column in enumerate(columns):
            numeric = all(isinstance(row[number], int) for row in rows)
            table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else cell) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, INDENT)))

    @contextmanager
    def counting(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show how far a long step is; yields what to call with the number reached. A file gets one line, once."""
        self.doing(text)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        moving = self._console.is_terminal
        with Progress(
            TextColumn(" " * (INDENT - 1)), *columns, console=self._console, transient=True, disable=not moving
        ) as progress:
            task = progress.add_task("", total=total)
            yield lambda reached: progress.update(task, completed=reached)


def listed(counts: Mapping[str, int]) -> str:
    """Return counts as a phrase: `27 parcel.loaded, 9 parcel.sorted`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def require(what: str, found: object, expected: object) -> None:
    """Raise Problem if something is not what it should be."""
    if found != expected:
        raise Problem(
            f"This check failed: {what}\n  expected {expected}\n  found    {found}",
            "Promises of README.md are broken, or files in examples/ were changed.",
        )


def perform(name: str, description: str | None, show: Callable[[Narrator, Path | None], None]) -> int:
    """Run a story on its own stack. Return the exit status: 1 if a check failed."""
    parser = argparse.ArgumentParser(prog=f"python -m embedded.{name}", description=description)
    parser.add_argument("--data", type=Path, metavar="FILE", help="native events, one a line; may be gzipped")
    chosen = parser.parse_args()
    interrupt_once()
    interrupted = f"Interrupted. The stack of the {name} is stopped and deleted.\n→ Start again with: make {name}"
    return exit_status(lambda: show(Narrator(sys.stdout), chosen.data), interrupted)
