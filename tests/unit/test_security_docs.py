"""Every threat has a mitigation and names tests that are there; docs/security.md leads to them."""

from __future__ import annotations

from tests.unit.named_tests import ROOT, absent, cells, named, rows

_PAGE = (ROOT / "docs/security.md").read_text()
_TESTS = (ROOT / "tests/threats.md").read_text()
_THREATS = r"\| threat"


def test_every_kind_of_threat_is_thought_of() -> None:
    assert {cells(row)[0] for row in rows(_TESTS, _THREATS)} == set("STRIDE")
    assert len(rows(_TESTS, _THREATS)) > 35


def test_the_page_leads_to_the_threats() -> None:
    assert "](../tests/threats.md)" in _PAGE


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
