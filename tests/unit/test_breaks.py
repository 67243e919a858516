"""The list of deliberate breaks fits the code as it is."""

from __future__ import annotations

import re

import pytest

from tests.breaks import BREAKS, Break, of_each_promise
from tests.copied_project import ROOT
from tests.unit.named_tests import absent


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.promise)
def test_a_break_finds_what_it_breaks_and_the_test_that_notices(broken: Break) -> None:
    assert broken.right in (ROOT / broken.file).read_text()
    assert list(absent(f"`{broken.noticed_by}`")) == []


def test_every_promise_of_the_readme_has_its_tests_and_is_broken_at_least_once() -> None:
    promised = re.findall(r"^ ?(\d+)\. \*\*", (ROOT / "README.md").read_text(), re.MULTILINE)
    tested = re.findall(r"^\| (\d+) ", (ROOT / "tests/README.md").read_text(), re.MULTILINE)

    assert promised == tested
    assert {int(number) for number in promised} == {broken.number for broken in of_each_promise()}
