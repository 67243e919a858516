"""Every session of docs/cli.md, run as it is printed on a terminal, and what it shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.sessions import missing, outputs, sessions_of, shows

SESSIONS = [session for session in sessions_of("cli.md") if session.heading.startswith("retrace ")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each session showed, on a stack that has the sample day."""
    return outputs(SESSIONS, tmp_path_factory.mktemp("cli"), ["retrace ingest examples/shop-day/day.ndjson"])


@pytest.mark.parametrize("number", range(len(SESSIONS)), ids=lambda number: f"{number}-{SESSIONS[number].heading}")
def test_a_session_works_and_shows_what_the_page_says(shown: list[str], number: int) -> None:
    SESSIONS[number].check(shown[number])


def test_a_line_that_is_not_shown_is_missed() -> None:
    text = "from (UTC)   to\n────\n2025-11-28   x\n"

    assert missing("from (UTC)    to\n2025-…\n", text) is None
    assert missing("2025-11-28\nfrom (UTC)\n", text) == "from (UTC)"
    assert missing("2025-11-28 x\n", text) == "2025-11-28 x"
    assert missing("2025-11-28   y\n", text) == "2025-11-28   y"


@pytest.mark.parametrize(
    ("shown", "answered"),
    [({"a": 1}, {"a": 2}), ({"a": 1, "…": "…"}, {"b": 1}), ({"a": 1}, {"a": 1, "b": 2}), ([1], [1, 2]), ("x", "y")],
)
def test_json_that_is_not_as_shown_is_told_apart(shown: Any, answered: Any) -> None:
    assert not shows(shown, answered)
