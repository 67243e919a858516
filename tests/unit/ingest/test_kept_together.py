"""Refused events of one request: few are kept each by itself, many together, and nothing of them is lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Fault
from chalicelib.events.event import Form
from chalicelib.ingest.rejection import MOST_OBJECTS, Conflict, LineReference, Rejection, RejectionStatus, objects_of
from chalicelib.ingest.request import BATCH, NDJSON, InvalidEvent, parse_request
from tests.unit.examples import INGESTED, an_event, stored

IS_MISSING, IS_NO_JSON = Fault("source", "is missing"), Fault("body", "is not JSON")


def rejected(body: bytes, content_type: str = NDJSON, fault: Fault = IS_NO_JSON) -> Rejection:
    return Rejection(RejectionStatus.REJECTED, body, (fault,), INGESTED, "request-1", content_type)


def lines(count: int) -> list[Rejection]:
    return [rejected(f"{{broken {number}".encode()) for number in range(count)]


def sent_again(kept: Rejection) -> list[bytes]:
    """The bodies that a retry of an object refuses again."""
    submissions = parse_request(kept.body, kept.content_type, None).submissions
    return [submission.body for submission in submissions if isinstance(submission, InvalidEvent)]


@given(st.integers(1, 1_000))
def test_a_request_makes_no_more_objects_than_the_most(count: int) -> None:
    kept = objects_of(lines(count))

    assert len(kept) == count
    assert len({each.rejected_id for each in kept.values()}) <= MOST_OBJECTS


def test_as_many_as_the_most_are_kept_each_by_itself() -> None:
    refused = lines(MOST_OBJECTS)

    assert objects_of(refused) == {each.rejected_id: each for each in refused}


def test_the_same_bytes_again_and_again_are_one_object() -> None:
    same = rejected(b"{oops")

    assert objects_of([same] * 1_000) == {same.rejected_id: same}


def test_lines_that_are_kept_together_are_read_again_line_by_line() -> None:
    refused = lines(50)
    kept = objects_of(refused)

    objects = {each.rejected_id: each for each in kept.values()}.values()
    assert [body for each in objects for body in sent_again(each)] == [each.body for each in refused]
    assert {each.content_type for each in objects} == {NDJSON}


def test_elements_of_an_array_are_kept_as_an_array() -> None:
    refused = [rejected(b'{"n":\n%d}' % number, Form.NATIVE) for number in range(41)]
    first = objects_of(refused)[refused[0].rejected_id]

    assert (first.content_type, first.body) == (Form.NATIVE, b'[{"n":\n0},{"n":\n1},{"n":\n2}]')
    assert sent_again(first) == [each.body for each in refused[:3]]


def test_cloudevents_are_kept_as_a_batch() -> None:
    refused = [rejected(b'{"id":"%d"}' % number, Form.CLOUDEVENT) for number in range(21)]
    first = objects_of(refused)[refused[0].rejected_id]

    assert (first.content_type, first.body) == (BATCH, b'[{"id":"0"},{"id":"1"}]')


def test_conflicts_and_what_is_not_valid_are_never_kept_together() -> None:
    refused = lines(30) + [replace(each, status=RejectionStatus.CONFLICT) for each in lines(30)]

    assert all(
        kept.status is alone.status
        for alone, kept in zip(refused, map(objects_of(refused).get, ids(refused)), strict=True)
        if kept is not None
    )


def ids(refused: list[Rejection]) -> list[str]:
    return [each.rejected_id for each in refused]


def test_each_reason_is_named_once_with_the_number_of_events_that_have_it() -> None:
    refused = [*lines(25), *(rejected(b'{"n":%d}' % number, fault=IS_MISSING) for number in range(15))]
    kept = objects_of(refused)

    assert kept[refused[0].rejected_id].faults == (Fault("body", "is not JSON (2 of 2 events)"),)
    mixed = kept[refused[24].rejected_id]
    assert mixed.faults == (
        Fault("body", "is not JSON (1 of 2 events)"),
        Fault("source", "is missing (1 of 2 events)"),
    )
    assert mixed.body == refused[24].body + b"\n" + refused[25].body


def test_records_that_are_kept_together_keep_every_conflict() -> None:
    first = LineReference.of(stored(an_event()))
    conflicts = [Conflict(f"{number:064x}", "other", first) for number in range(50)]
    refused = [replace(each, conflicts=(conflict,)) for each, conflict in zip(lines(50), conflicts, strict=True)]

    objects = {each.rejected_id: each for each in objects_of(refused).values()}.values()
    assert [conflict for each in objects for conflict in each.conflicts] == conflicts
