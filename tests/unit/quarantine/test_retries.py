"""What is in quarantine reads back as it was kept, and its retries as they were recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Fault, IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.events.arrivals import Status
from chalicelib.ingest.rejection import Rejection, RejectionStatus, parse_rejection
from chalicelib.ingest.report import EventResult, IngestReport
from chalicelib.ingest.request import IngestRequest
from chalicelib.quarantine.retries import RetryRequest, is_rejected_id, listed, parse_retry, retry_of
from tests.unit.examples import INGESTED, an_event, stored
from tests.unit.json_trees import texts

DIGEST = "0123456789abcdef" * 4

faults = st.lists(st.builds(Fault, texts, texts), max_size=3).map(tuple)
rejected_events = st.builds(
    Rejection,
    status=st.sampled_from(RejectionStatus),
    body=st.one_of(st.binary(max_size=50), texts.map(str.encode)),
    faults=faults,
    ingest_time=st.just(INGESTED),
    request_id=texts,
    content_type=st.none() | texts,
    headers=st.dictionaries(texts, texts, max_size=3),
)


class TestRefusedEvent:
    @given(rejected_events)
    def test_reads_back_as_it_was_kept(self, rejected: Rejection) -> None:
        assert parse_rejection(rejected.to_json()) == rejected

    def test_without_content_type_and_headers_reads_back_too(self) -> None:
        kept = Rejection(RejectionStatus.REJECTED, b"{}", (), INGESTED, "request-1")
        members = json.loads(kept.to_json())
        del members["content_type"], members["headers"]

        assert parse_rejection(json.dumps(members).encode()) == kept

    @pytest.mark.parametrize(
        "change",
        [{"body": "other"}, {"rejected_id": f"2026-11-22.{DIGEST}"}, {"status": "ACCEPTED"}, {"errors": [{}]}],
    )
    def test_that_is_not_what_was_kept_is_not_shown(self, change: dict[str, Any]) -> None:
        members = json.loads(Rejection(RejectionStatus.REJECTED, b"{}", (), INGESTED, "request-1").to_json())

        with pytest.raises(IntegrityFailure):
            parse_rejection(json.dumps(members | change).encode())

    @pytest.mark.parametrize("kept", [b"", b"[]", b"{}", b"\xff"])
    def test_is_not_read_from_what_is_none(self, kept: bytes) -> None:
        with pytest.raises(IntegrityFailure):
            parse_rejection(kept)

    @pytest.mark.parametrize(
        ("reason", "is_it"),
        [
            (None, True),
            ("REJECTED", True),
            ("CONFLICT", False),
            ("event_time", True),
            ("payload", True),
            ("payload.items[2].price", True),
            ("pay", False),
            ("payload.items[2].price.", False),
            ("source", False),
        ],
    )
    def test_is_found_by_its_status_and_by_every_field_at_fault(self, reason: str | None, *, is_it: bool) -> None:
        found_at_fault = (Fault("event_time", "is missing"), Fault("payload.items[2].price", "is no number"))
        rejected = Rejection(RejectionStatus.REJECTED, b"{}", found_at_fault, INGESTED, "request-1")

        assert listed(rejected, retried=False).is_for(reason) is is_it

    def test_is_listed_with_the_size_of_what_was_sent(self) -> None:
        rejected = Rejection(RejectionStatus.REJECTED, "é".encode(), (), INGESTED, "request-1")

        assert listed(rejected, retried=True).size == 2


class TestRejectedId:
    def test_names_a_day_and_a_hash(self) -> None:
        assert is_rejected_id(f"2026-11-22.{DIGEST}")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            DIGEST,
            f"2026-02-30.{DIGEST}",
            f"2026-11-22.{DIGEST}0",
            f"2026-11-22.{DIGEST[1:]}",
            f"2026-11-22.{DIGEST.upper()}",
            f"2026-11-22/{DIGEST}",
            f"2026-11-22.{DIGEST}\n",
            f"../2026-11-22.{DIGEST}",
        ],
    )
    def test_is_nothing_else(self, text: str) -> None:
        assert not is_rejected_id(text)


class TestRetry:
    @pytest.mark.parametrize("corrected", [None, IngestRequest((), batch=True)])
    def test_reads_back_as_it_was_recorded(self, corrected: IngestRequest | None) -> None:
        report = IngestReport(
            (
                EventResult(Status.ACCEPTED, stored(an_event())),
                EventResult(Status.REJECTED, rejected_id=f"2026-11-22.{DIGEST}"),
            ),
            batch=True,
            dry_run=False,
        )
        asked = RetryRequest("arn:aws:iam::1:user/é", "request-2", corrected)
        retry = retry_of(f"2026-11-21.{DIGEST}", asked, Instant(INGESTED), report)

        assert parse_retry(retry.to_json()) == retry
        assert retry.corrected == (corrected is not None)
        assert [result.status for result in retry.results] == [Status.ACCEPTED, Status.REJECTED]
        assert [result.event_id for result in retry.results] == [an_event().event_id, None]
