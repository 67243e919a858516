"""For each promise a break that turns its test red; `make breaks` applies many more."""

from __future__ import annotations

import pytest

from tests.breaks import Break, noticed, of_each_promise


@pytest.mark.parametrize("broken", of_each_promise(), ids=lambda broken: broken.promise)
def test_a_broken_promise_is_noticed(broken: Break) -> None:
    assert noticed(broken)


@pytest.mark.parametrize("module", ["tests/unit/test_settle.py", "tests/functional/test_duplicates_and_conflicts.py"])
def test_a_change_that_breaks_nothing_is_not_taken_for_one(module: str) -> None:
    harmless = Break("0", "chalicelib/settle.py", "from __future__", "from __future__", module, "")

    assert not noticed(harmless)


def test_code_that_cannot_be_imported_is_not_taken_for_one() -> None:
    unreadable = Break("0", "chalicelib/settle.py", "import", "imp ort", "tests/unit/test_settle.py", "")

    assert not noticed(unreadable)
