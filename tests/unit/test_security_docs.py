"""Every threat has a mitigation and names tests that are there; docs/security.md says what tests/threats.md shows."""

from __future__ import annotations

from tests.unit.named_tests import ROOT, absent, cells, named, rows

_PAGE = (ROOT / "docs/security.md").read_text()
_TESTS = (ROOT / "tests/threats.md").read_text()
_THREATS = r"\| threat"


def test_every_kind_of_threat_is_thought_of() -> None:
    for text in (_PAGE, _TESTS):
        assert {cells(row)[0] for row in rows(text, _THREATS)} == set("STRIDE")


def test_the_page_says_of_a_threat_what_the_tests_show() -> None:
    tested = [cells(row)[:3] for row in rows(_TESTS, _THREATS)]
    explained = [cells(row) for row in rows(_PAGE, _THREATS)]

    assert (len(explained) > 25, len(tested) > 35) == (True, True)
    assert [row for row in explained if row not in tested] == []


def test_every_threat_has_a_mitigation() -> None:
    assert [row for row in rows(_TESTS, _THREATS) if not all(cells(row))] == []


def test_every_threat_and_every_limit_names_a_test() -> None:
    assert [row for heading in (_THREATS, "limit") for row in rows(_TESTS, heading) if not named(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert list(absent(_PAGE + _TESTS)) == []


def test_a_test_that_is_not_there_is_found() -> None:
    assert list(absent("`tests/unit/test_security_docs.py::test_nothing` `tests/unit/test_nothing.py`")) == [
        "tests/unit/test_security_docs.py::test_nothing",
        "tests/unit/test_nothing.py::",
    ]
