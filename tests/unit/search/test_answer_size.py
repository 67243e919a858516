"""An answer with events' texts is never larger than Lambda takes, whatever they contain."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.responses import answer_with_texts
from chalicelib.core.errors import PermanentError
from chalicelib.events.raw_objects import StoredEvent, line_of, parse_line
from chalicelib.search import answer_size, responses
from chalicelib.search.answer_size import ANSWER_BYTES, how_many_fit, within_an_answer
from chalicelib.search.use_cases import FoundEvents
from tests.unit.examples import RECEIPT, event_in, native, stored

LAMBDA_BYTES = 6 * 1024 * 1024
WORST = st.text(st.sampled_from('"\\é😀漢\x7f\n a'), min_size=1, max_size=24)


def kept(text: str) -> tuple[StoredEvent, bytes]:
    """An event as its row has it, and its line."""
    event = event_in(text)
    line = line_of(event, RECEIPT)
    row = stored(event)
    return replace(row, location=replace(row.location, length=len(line))), line


def sent_by_lambda(found: FoundEvents) -> int:
    """The bytes of an answer as Lambda's runtime writes it, before Python 3.12 in ASCII."""
    answer = answer_with_texts(responses.events(found), "event", responses.texts(found))
    return len(json.dumps({"statusCode": 200, "headers": dict(answer.headers), "body": answer.body}))


@given(source=WORST, event_type=WORST, entity_id=WORST, payload=WORST, ascii_only=st.booleans())
def test_events_that_fit_are_no_larger_than_was_said(
    *, source: str, event_type: str, entity_id: str, payload: str, ascii_only: bool
) -> None:
    members = native(source=source, event_type=event_type, entity_id=entity_id, payload=payload)
    row, line = kept(json.dumps(members, ensure_ascii=ascii_only))

    assert sent_by_lambda(FoundEvents((row,), None, (parse_line(line),))) - 300 <= answer_size.most_bytes(row)


def test_a_page_of_the_largest_answer_fits_into_what_lambda_sends() -> None:
    row, line = kept(json.dumps(native(payload='"' * 2_000)))
    fit = how_many_fit([row] * 2_000)

    size = sent_by_lambda(FoundEvents((row,) * fit, "x" * 4_000, (parse_line(line),) * fit))

    assert fit < 2_000
    assert ANSWER_BYTES / 3 < size < LAMBDA_BYTES


def test_at_least_one_event_is_on_a_page() -> None:
    row, _ = kept(json.dumps(native()))
    large = replace(row, location=replace(row.location, length=ANSWER_BYTES))

    assert [how_many_fit(rows) for rows in ([], [large], [large, row], [row, large])] == [0, 1, 1, 1]


@pytest.mark.parametrize(("payload", "fits"), [("x" * 4_900_000, True), ('"' * 2_400_000, False)])
def test_an_event_that_is_too_large_for_an_answer_is_told_of(payload: str, *, fits: bool) -> None:
    row, line = kept(json.dumps(native(payload=payload)))

    found = within_an_answer(parse_line(line))

    assert isinstance(found, PermanentError) is not fits
    assert sent_by_lambda(FoundEvents((row,), None, (found,))) < LAMBDA_BYTES
