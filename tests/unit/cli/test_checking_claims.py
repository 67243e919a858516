"""Which of several lines of an identity the bucket names, and what a rebuild that goes on knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.aws import keys
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_rows import identity_row, index_row
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from chalicelib.ingest.rejection import LineReference
from retrace.checking.checkpoint import Checkpoint, Contested
from retrace.checking.claims import Claim, Marker, claims_of, ruling
from retrace.checking.differences import Difference, between
from retrace.checking.judging import Group, Judge, Rules
from retrace.checking.kinds import Kind
from retrace.checking.raw_objects import Damages
from tests.unit.examples import an_event, stored

_DAY_S = 86_400
_DAYS = [Instant(f"2026-11-{day:02}T00:00:00.000000000Z") for day in range(1, 29)]
_RULES = Rules(4, 3_600_000, expired_before=None, in_flight_from=_DAYS[20])


def line(number: int, day: int = 0) -> StoredEvent:
    """One of several lines of an identity, each with content of its own."""
    place = RawLocation("raw", f"raw/source=a/event_date=2026-11-01/ingest_date=2026-11-01/{number:064x}.ndjson", 0, 9)
    return replace(stored(an_event()), location=place, content_sha256=f"{number:064x}", ingest_time=_DAYS[day])


def claim(of: StoredEvent, told_on: int, told_by: str = "rejected/one.conflict.json") -> Claim:
    return Claim(of.event_id, LineReference.of(of), _DAYS[told_on], told_by)


def test_of_records_that_contradict_each_other_the_oldest_decides() -> None:
    old, new = claim(line(1), 2), claim(line(2), 3, "rejected/two.conflict.json")

    assert ruling([new, old], line(3), None) == old


def test_a_record_decides_about_lines_of_the_same_life_of_an_identity() -> None:
    old, new = claim(line(1, 0), 1), claim(line(2, 10), 11)

    assert ruling([old, new], line(3, 4), 5 * _DAY_S) == old
    assert ruling([old, new], line(3, 12), 5 * _DAY_S) == new
    assert ruling([old], line(3, 5), 5 * _DAY_S) is None
    assert ruling([old], line(3, 20), None) == old


def marker() -> Marker:
    return Marker(line(1).event_id, LineReference.of(line(2)), LineReference.of(line(1)), _DAYS[3])


def test_a_marker_names_the_line_that_has_the_rows() -> None:
    assert marker().key == keys.superseded(line(2).location.key, 0)
    assert claims_of(marker().key, marker().to_json()) == [claim(line(1), 3, marker().key)]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"7", b'{"event_id": "e", "superseded": 1, "first": 2}'])
def test_an_object_that_is_no_marker_tells_nothing(content: bytes) -> None:
    with pytest.raises(IntegrityFailure, match="not a marker"):
        claims_of("superseded/any/0.json", content)


def test_a_marker_under_the_key_of_another_line_tells_nothing() -> None:
    with pytest.raises(IntegrityFailure, match="another line"):
        claims_of(keys.superseded(line(3).location.key, 0), marker().to_json())


@pytest.fixture
def contested(tmp_path: Path) -> Iterator[Contested]:
    kept = Checkpoint(tmp_path / "checkpoint", {})
    yield kept.contested
    kept.close(finished=True)


def test_what_is_learnt_twice_is_known_once(contested: Contested) -> None:
    for _ in range(2):
        contested.learn([claim(line(1), 2)])
        contested.withhold([(line(2), claim(line(1), 2))])

    assert contested.claims(line(1).event_id) == [claim(line(1), 2)]
    assert list(contested.without_first()) == [(claim(line(1), 2), [line(2)])]


def test_lines_that_lost_to_one_that_was_found_are_settled(contested: Contested) -> None:
    contested.learn([claim(line(1), 2)])
    contested.withhold([(line(2), claim(line(1), 2))])
    contested.found([line(1)])

    assert list(contested.without_first()) == []


def test_a_rebuild_that_goes_on_tells_what_it_found_before(tmp_path: Path) -> None:
    found = [
        between(Kind.CONTENT_UNDECIDED, LineReference.of(line(1)), line(2), "it was taken in first"),
        Difference(Kind.RECORD_CHANGED, s3_key="rejected/one.conflict.json", fields=("body",)),
    ]
    first = Checkpoint(tmp_path / "checkpoint", {})
    assert first.contested.remember(found) == found
    assert first.contested.remember(found) == []
    first.close(finished=False)

    second = Checkpoint(tmp_path / "checkpoint", {})

    assert second.contested.remembered() == found
    second.close(finished=True)


def test_a_difference_between_lines_names_both_places() -> None:
    found = between(Kind.CONTENT_UNDECIDED, LineReference.of(line(1)), line(2), "it was taken in first")

    [event, chosen, other] = found.where.split("\n")
    assert line(1).event_id in event
    assert f"{line(1).location.key} at byte 0" in chosen
    assert f"{line(2).location.key} at byte 0" in other
    assert found.as_json()["chosen"]["content_sha256"] == line(1).content_sha256
    assert found.as_json()["content_sha256"] == line(2).content_sha256


def test_a_line_break_in_a_name_begins_no_line_of_its_own() -> None:
    found = Difference(Kind.RAW_NOT_INDEXED, event_id="e", entity_id="order\nline-changed", s3_key="raw/key")

    assert found.where == "event e of order\\nline-changed\nraw/key"


def group(*others: StoredEvent, marked: frozenset[RawLocation] = frozenset()) -> Group:
    """A line that has its rows, and others that have none."""
    index = from_item(index_row(line(1), _RULES.shards, _RULES.late_after_ms))
    identity = from_item(identity_row(line(1), "a request", None))
    return Group(line(1).event_id, (line(1), *others), (index,), identity, marked)


def superseded(group: Group, rules: Rules = _RULES) -> list[tuple[StoredEvent, StoredEvent]]:
    return list(Judge(rules, Damages()).superseded(group))


def test_a_line_without_rows_is_superseded_by_the_one_that_has_them_until_it_is_marked() -> None:
    assert superseded(group(line(2, 3))) == [(line(2, 3), line(1))]
    assert superseded(group(line(2, 3), marked=frozenset([line(2).location]))) == []


def test_a_line_of_a_request_that_may_be_under_way_is_not_superseded_yet() -> None:
    assert superseded(group(line(2, 20))) == []


def test_a_line_that_came_after_the_identity_had_expired_is_not_superseded() -> None:
    assert superseded(group(line(2, 3)), replace(_RULES, identity_ttl_s=2 * _DAY_S)) == []


def test_nothing_is_superseded_where_rows_are_not_what_ingest_wrote() -> None:
    edited = group(line(2, 3))
    [index] = edited.index

    assert superseded(replace(edited, index=({**index, "event_type": "other"},))) == []


def test_a_marked_line_is_not_indexed_again_though_its_identity_lost_all_rows() -> None:
    lost = Group(line(1).event_id, (line(1), line(2)), marked=frozenset([line(1).location]))
    [found] = Judge(_RULES, Damages()).differences(lost)

    assert (found.kind, found.repair) == (Kind.RAW_NOT_INDEXED, line(2))


def test_without_markers_no_content_is_chosen_to_be_indexed_again() -> None:
    [found] = Judge(_RULES, Damages()).differences(Group(line(1).event_id, (line(1), line(2))))

    assert (found.kind, found.repair) == (Kind.RAW_NOT_INDEXED, None)
