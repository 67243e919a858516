"""For each promise a break that turns its test red; `make breaks` applies many more."""

from __future__ import annotations

import pytest

from tests.breaks import Break, noticed, of_each_promise


@pytest.mark.parametrize("broken", of_each_promise(), ids=lambda broken: broken.promise)
def test_a_broken_promise_is_noticed(broken: Break) -> None:
    assert noticed(broken)


def test_a_change_that_breaks_nothing_is_not_taken_for_one() -> None:
    harmless = Break("0", "chalicelib/settle.py", "from __future__", "from __future__", "tests/unit/test_settle.py", "")

    assert not noticed(harmless)
