"""For each promise a break that turns its test red; at full size, as `make breaks` has it, all breaks."""

from __future__ import annotations

import pytest

from tests.breaks import BREAKS, Break, all_pass_unbroken, noticed, of_each_promise
from tests.sizes import is_full

pytestmark = pytest.mark.soak

CHOSEN = BREAKS if is_full() else of_each_promise()


@pytest.mark.parametrize("broken", CHOSEN, ids=lambda broken: broken.promise)
def test_a_broken_promise_is_noticed(broken: Break) -> None:
    assert noticed(broken)


def test_tests_that_notice_are_green_where_nothing_is_broken() -> None:
    assert all_pass_unbroken(CHOSEN)


@pytest.mark.parametrize(
    "module", ["tests/unit/processing/test_acknowledge.py", "tests/functional/test_duplicates_and_conflicts.py"]
)
def test_a_change_that_breaks_nothing_is_not_taken_for_one(module: str) -> None:
    harmless = Break("0", "chalicelib/processing/processor.py", "from __future__", "from __future__", module, "")

    assert not noticed(harmless)


def test_code_that_cannot_be_imported_is_not_taken_for_one() -> None:
    unreadable = Break(
        "0",
        "chalicelib/processing/processor.py",
        "import",
        "imp ort",
        "tests/unit/processing/test_acknowledge.py",
        "",
    )

    assert not noticed(unreadable)
