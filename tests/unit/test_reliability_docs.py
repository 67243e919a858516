"""Every fault that is made, and every deviation of an emulator, names tests that are there, in tests/."""

from __future__ import annotations

from tests.unit.named_tests import ROOT, absent, cells, named, rows

_FAULTS = (ROOT / "tests/faults.md").read_text()
_PAGES = _FAULTS + (ROOT / "tests/README.md").read_text()


def test_the_page_says_of_a_fault_what_the_tests_show() -> None:
    made = {(fault, seen, stored) for fault, _, seen, stored, _ in map(cells, rows(_FAULTS, "fault"))}
    explained = [cells(row) for row in rows((ROOT / "docs/reliability.md").read_text(), "fault")]

    assert (len(explained) > 35, len(made) > 60) == (True, True)
    assert [row for row in explained if not any(each[: len(row)] == tuple(row) for each in made)] == []


def test_every_fault_and_every_deviation_names_a_test() -> None:
    assert [row for heading in ("fault", "deviation") for row in rows(_PAGES, heading) if not named(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert list(absent(_PAGES)) == []
