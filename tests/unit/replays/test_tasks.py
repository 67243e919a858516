"""The messages on ReplayJobsQueue."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.replays.tasks import ReplayTask, parse_task
from tests.unit.examples import INGESTED
from tests.unit.json_trees import texts


@given(texts, st.integers(0, 5), st.integers(0, 900))
def test_a_task_is_read_as_it_was_written(replay_id: str, looks: int, waited_s: int) -> None:
    planning, guarding = (ReplayTask(replay_id, unless_planned=each, waited_s=waited_s) for each in (False, True))
    for task in (
        planning,
        guarding,
        ReplayTask(replay_id, redrive=True, looks=looks, pass_s=waited_s, began_at=INGESTED),
    ):
        assert parse_task(task.body) == task


def test_a_task_that_has_not_waited_names_its_replay_alone() -> None:
    assert parse_task('{"replay_id": "r-1"}') == ReplayTask("r-1")
    assert json.loads(ReplayTask("r-1").body) == {"replay_id": "r-1"}


@pytest.mark.parametrize("body", ["", "{}", "[]", '"r-1"'])
def test_what_is_no_task_fails_and_ends_in_the_dead_letter_queue(body: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_task(body)
