"""docs/on-call.md, run as it is printed: every command, and what it shows."""

from __future__ import annotations

import pytest

from tests.e2e.sessions import outputs, sessions_of

SESSIONS = sessions_of("on-call.md")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each session showed."""
    return outputs(SESSIONS, tmp_path_factory.mktemp("on-call"))


@pytest.mark.parametrize("number", range(len(SESSIONS)), ids=lambda number: f"{number}-{SESSIONS[number].heading}")
def test_a_command_answers_what_the_page_shows(shown: list[str], number: int) -> None:
    SESSIONS[number].check(shown[number])
