"""Every test that docs/reliability.md and tests/README.md name is there, and every fault and deviation names one."""

from __future__ import annotations

import re

from tests.unit.named_tests import ROOT, absent, named

_PAGES = "\n".join((ROOT / path).read_text() for path in ("docs/reliability.md", "tests/README.md"))
_TABLE = re.compile(r"^\| (?:fault|deviation) \|.*\n\|[ -|]+\n((?:\|.*\n)+)", re.MULTILINE)
ROWS = [row for table in _TABLE.findall(_PAGES) for row in table.splitlines()]


def test_every_fault_names_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if not named(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert list(absent(_PAGES)) == []
