"""Every test that docs/security.md names is there, and every threat names one."""

from __future__ import annotations

import re

from tests.unit.named_tests import ROOT, absent, named

_PAGE = (ROOT / "docs/security.md").read_text()
_THREAT = re.compile(r"^\| ([STRIDE]) \| (.*)$", re.MULTILINE)


def test_every_kind_of_threat_is_thought_of() -> None:
    assert {letter for letter, _ in _THREAT.findall(_PAGE)} == set("STRIDE")


def test_every_threat_names_a_test() -> None:
    assert [row for _, row in _THREAT.findall(_PAGE) if not named(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert list(absent(_PAGE)) == []


def test_a_test_that_is_not_there_is_found() -> None:
    assert list(absent("`tests/unit/test_security_docs.py::test_nothing` `tests/unit/test_nothing.py`")) == [
        "tests/unit/test_security_docs.py::test_nothing",
        "tests/unit/test_nothing.py::",
    ]
