"""Quarantine: refused bytes are kept as they came, under a name that they determine."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Fault
from chalicelib.ingest.rejection import Conflict, LineReference, Rejection, RejectionStatus, parse_rejection
from tests.unit.examples import INGESTED, an_event, stored

REFUSED = Rejection(RejectionStatus.REJECTED, b"{oops", (Fault("body", "is not JSON"),), INGESTED, "request-1")


def body_kept_by(rejected: Rejection) -> bytes:
    kept = json.loads(rejected.to_json())
    return base64.b64decode(kept["body_base64"]) if "body_base64" in kept else kept["body"].encode()


@given(st.binary(max_size=60) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_are_kept_as_they_came(body: bytes) -> None:
    assert body_kept_by(replace(REFUSED, body=body)) == body


def test_what_is_text_is_kept_as_text_with_the_reasons() -> None:
    kept = json.loads(REFUSED.to_json())

    assert kept["errors"] == [{"field": "body", "message": "is not JSON"}]
    assert (
        kept.items()
        >= {
            "rejected_id": REFUSED.rejected_id,
            "status": "REJECTED",
            "ingest_time": INGESTED,
            "request_id": "request-1",
            "content_type": None,
            "headers": {},
            "body": "{oops",
        }.items()
    )


def test_the_same_bytes_on_one_day_have_one_name() -> None:
    again = replace(REFUSED, request_id="request-2", faults=())

    assert again.rejected_id == REFUSED.rejected_id
    assert REFUSED.rejected_id.startswith("2026-11-22.")


def test_the_same_bytes_refused_otherwise_or_read_otherwise_have_another_name() -> None:
    in_conflict = replace(REFUSED, status=RejectionStatus.CONFLICT)
    as_cloudevent = replace(REFUSED, content_type="application/cloudevents+json")

    assert len({REFUSED.rejected_id, in_conflict.rejected_id, as_cloudevent.rejected_id}) == 3


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_other_bytes_have_another_name(one: bytes, other: bytes) -> None:
    assert (replace(REFUSED, body=one).rejected_id == replace(REFUSED, body=other).rejected_id) == (one == other)


def test_a_record_of_conflicts_is_read_back_with_the_first_line_of_each_identity() -> None:
    conflict = Conflict("ab" * 32, "other", LineReference.of(stored(an_event())))
    refused = replace(
        REFUSED, status=RejectionStatus.CONFLICT, conflicts=(conflict, replace(conflict, event_id="cd" * 32))
    )

    assert parse_rejection(refused.to_json()) == refused
