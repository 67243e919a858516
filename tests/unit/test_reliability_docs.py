"""Every fault of docs/reliability.md and every deviation of an emulator names tests that are there, in tests/."""

from __future__ import annotations

from tests.unit.named_tests import ROOT, absent, first_cells, named, rows

_FAULTS = (ROOT / "tests/faults.md").read_text()
_PAGES = _FAULTS + (ROOT / "tests/README.md").read_text()


def test_every_fault_of_the_page_has_its_tests_and_every_tested_fault_is_on_the_page() -> None:
    faults = first_cells((ROOT / "docs/reliability.md").read_text(), "fault")

    assert len(faults) > 60
    assert first_cells(_FAULTS, "fault") == faults


def test_every_fault_and_every_deviation_names_a_test() -> None:
    assert [row for heading in ("fault", "deviation") for row in rows(_PAGES, heading) if not named(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert list(absent(_PAGES)) == []
