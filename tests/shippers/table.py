"""The table of docs/producers.md: what each shipper does with an answer, and what is stored then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.shippers.models import Answer

PAGE = (Path(__file__).parents[2] / "docs/producers.md").read_text()


@dataclass(frozen=True)
class Row:
    """One answer."""

    name: str
    verdicts: tuple[str, ...]
    stored: str

    @property
    def answer(self) -> Answer | None:
        """The answer, None if none comes."""
        return Answer(int(self.name)) if self.name.isdigit() else None


def _row(cells: list[str]) -> Row:
    return Row(cells[0], tuple(cells[1:5]), cells[6])


ROWS = [
    _row(line.strip("| ").split(" | ")) for line in re.findall(r"^\| (?:\d{3}|none: [\w ]+) \| .*$", PAGE, re.MULTILINE)
]
