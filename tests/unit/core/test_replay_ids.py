"""Ids of replays say which of them are what-ifs, and their versions sort behind all others."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.replay_ids import is_what_if, replay_id_of_version, version_name, what_if
from chalicelib.runtime import system

milliseconds = st.integers(0, 2**48 - 1)
replay_ids = milliseconds.map(system.id_at)


@given(replay_ids)
def test_a_what_if_is_a_uuid_of_version_8_and_no_other_replay_is(replay_id: str) -> None:
    assert (UUID(replay_id).version, UUID(what_if(replay_id)).version) == (7, 8)
    assert (is_what_if(replay_id), is_what_if(what_if(replay_id))) == (False, True)


@given(milliseconds, milliseconds)
def test_ids_of_both_kinds_sort_in_the_order_of_requests(one: int, other: int) -> None:
    if one != other:
        assert (what_if(system.id_at(one)) < system.id_at(other)) == (one < other)


@given(replay_ids, replay_ids)
def test_the_versions_of_what_ifs_sort_behind_those_of_replays_newest_first(one: str, other: str) -> None:
    newest_first = sorted(map(version_name, [one, what_if(other)]), reverse=True)

    # Versions of replays are a list of their own, below "g": what-ifs are in the next.
    assert version_name(one) < "g" < version_name(what_if(other))
    assert newest_first[0] == version_name(what_if(other))


@given(replay_ids | replay_ids.map(what_if) | st.text(min_size=1))
def test_a_replay_can_be_read_back_from_the_name_of_its_version(replay_id: str) -> None:
    if not replay_id.startswith("what-if-"):
        assert replay_id_of_version(version_name(replay_id)) == replay_id


@pytest.mark.parametrize("replay_id", ["object-89abcdef", "replay-1", "", "r" * 36])
def test_ids_that_are_no_uuids_are_no_what_ifs(replay_id: str) -> None:
    assert not is_what_if(replay_id)
