"""Every threat of docs/security.md has a mitigation, and names tests that are there in tests/threats.md."""

from __future__ import annotations

import re

from tests.unit.named_tests import ROOT, absent, first_cells, named, rows

_PAGE = (ROOT / "docs/security.md").read_text()
_TESTS = (ROOT / "tests/threats.md").read_text()
_THREAT = re.compile(r"^\| ([STRIDE]) (\| .*)$", re.MULTILINE)


def test_every_kind_of_threat_is_thought_of() -> None:
    assert {letter for letter, _ in _THREAT.findall(_PAGE)} == set("STRIDE")


def test_every_threat_of_the_page_has_its_tests_and_every_tested_threat_is_on_the_page() -> None:
    without_letters = _THREAT.sub(r"\2", _PAGE).replace("| | threat |", "| threat |")

    assert first_cells(_TESTS, "threat") == first_cells(without_letters, "threat")


def test_every_threat_and_every_limit_names_a_test() -> None:
    assert [row for heading in ("threat", "limit") for row in rows(_TESTS, heading) if not named(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert list(absent(_PAGE + _TESTS)) == []


def test_a_test_that_is_not_there_is_found() -> None:
    assert list(absent("`tests/unit/test_security_docs.py::test_nothing` `tests/unit/test_nothing.py`")) == [
        "tests/unit/test_security_docs.py::test_nothing",
        "tests/unit/test_nothing.py::",
    ]
