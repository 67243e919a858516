"""The messages on ReplayJobsQueue."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.replay_task import ReplayTask, parse_task
from tests.unit.json_trees import texts


@given(texts, st.integers(0, 5))
def test_a_task_is_read_as_it_was_written(replay_id: str, looks: int) -> None:
    for task in (ReplayTask(replay_id), ReplayTask(replay_id, redrive=True, looks=looks)):
        assert parse_task(task.body) == task


def test_what_was_queued_before_there_were_redrives_is_still_understood() -> None:
    assert parse_task('{"replay_id": "r-1"}') == ReplayTask("r-1")
    assert json.loads(ReplayTask("r-1").body) == {"replay_id": "r-1"}


@pytest.mark.parametrize("body", ["", "{}", "[]", '"r-1"'])
def test_what_is_no_task_fails_and_ends_in_the_dead_letter_queue(body: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_task(body)
