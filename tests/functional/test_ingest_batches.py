"""POST /ingest of many events: a result for each, in order, and what the whole is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.application import NDJSON, Application
from tests.functional.events import DAY, NEXT_DAY, Json, as_json, as_ndjson, paid, paid_several
from tests.functional.storage import Storage, assert_holds, assert_sound

INVALID: Json = {"source": "shop/checkout"}
FROM_API_GATEWAY = {
    "HTTP/1.1": "200 OK",
    "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
    "Connection": "keep-alive",
    "x-amzn-RequestId": "66b53bf4-73c1-486c-af83-18293d603e7f",
    "x-amz-apigw-id": "VGjXpF5bDoEFm8g=VGjXpF5bDoEFm8g=",
    "X-Amzn-Trace-Id": "Root=1-5e1b4151-5ac6c58f5b6daa62b7b5d0b5;Parent=53995c3f42cd8ad8;Sampled=1;"
    "Lineage=1:a87bd80c:0|68fd508a:5|c512fbe3:2",
    "X-Cache": "Miss from cloudfront",
    "Via": "1.1 0123456789abcdef0123456789abcdef.cloudfront.net (CloudFront)",
    "X-Amz-Cf-Pop": "DUB56-P1",
    "X-Amz-Cf-Id": "f" * 56,
}
"""Headers that API Gateway adds, those of a CloudFront distribution in front of it included."""


def statuses(answer: Any) -> list[str]:
    return [result["status"] for result in answer["results"]]


def test_a_batch_of_new_events_is_answered_200_with_a_result_for_each_in_order(
    application: Application, storage: Storage
) -> None:
    events = [paid(3), paid(1), paid(2)]

    response = application.ingest(events)

    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED"] * 3
    assert response.json_body["counts"] == {"accepted": 3, "duplicate": 0, "conflict": 0, "rejected": 0}
    by_time = [row["event_id"] for row in sorted(storage.index(), key=lambda row: str(row["event_time"]))]
    assert [result["event_id"] for result in response.json_body["results"]] == [by_time[2], by_time[0], by_time[1]]
    assert_holds(storage, *events)


def test_a_batch_is_one_raw_object_for_each_source_and_day(application: Application, storage: Storage) -> None:
    events = [
        paid(1),
        paid(2, source="shop/returns"),
        paid(3),
        paid(4, event_time=f"{NEXT_DAY}T00:00:00Z"),
        paid(5, event_time=f"{DAY}T23:59:59.999999999Z"),
    ]

    application.accept_all(events)

    assert sorted(content.count(b"\n") for content in storage.objects("raw/").values()) == [1, 1, 3]
    assert_holds(storage, *events)


def test_the_day_of_an_event_is_the_utc_day(application: Application) -> None:
    [result] = application.accept_all([paid(event_time=f"{NEXT_DAY}T01:30:00+02:00")])

    assert f"/event_date={DAY}/" in result["s3_key"]


def test_more_events_than_one_transaction_holds_are_all_taken_in(application: Application, storage: Storage) -> None:
    application.accept_all(paid_several(52))

    assert_holds(storage, *paid_several(52))


def test_a_batch_of_one_is_still_a_batch(application: Application) -> None:
    response = application.ingest([paid()])

    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED"]


def test_an_empty_array_is_answered_200_with_nothing(application: Application, storage: Storage) -> None:
    response = application.ingest([])

    assert response.status_code == 200
    assert response.json_body == {
        "results": [],
        "counts": {"accepted": 0, "duplicate": 0, "conflict": 0, "rejected": 0},
        "more_refused": 0,
    }
    assert storage.objects() == {}


def test_duplicates_within_a_batch_point_at_their_first(application: Application, storage: Storage) -> None:
    response = application.ingest([paid(1), paid(2), paid(1), paid(1)])

    results = response.json_body["results"]
    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED", "ACCEPTED", "DUPLICATE", "DUPLICATE"]
    assert [results[2], results[3]] == [{**results[0], "status": "DUPLICATE", "position": at} for at in (2, 3)]
    assert_holds(storage, paid(1), paid(2))


def test_conflicts_within_a_batch_are_refused_whatever_follows_them(application: Application, storage: Storage) -> None:
    first, other = (paid(number, idempotency_key="payment-1") for number in (1, 2))

    response = application.ingest([first, other, first])

    results = response.json_body["results"]
    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED", "CONFLICT", "DUPLICATE"]
    assert len({result["event_id"] for result in results}) == 1
    assert_holds(storage, first)


def test_a_batch_may_hold_every_kind_of_event(application: Application, storage: Storage) -> None:
    application.accept_all([paid(1), paid(2, idempotency_key="payment-2")])

    response = application.ingest(
        [paid(1), paid(3), paid(4, idempotency_key="payment-2"), INVALID, paid(3), paid(2, idempotency_key="payment-2")]
    )

    assert response.status_code == 200
    assert statuses(response.json_body) == [
        "DUPLICATE",
        "ACCEPTED",
        "CONFLICT",
        "REJECTED",
        "DUPLICATE",
        "DUPLICATE",
    ]
    assert response.json_body["counts"] == {"accepted": 1, "duplicate": 3, "conflict": 1, "rejected": 1}
    assert_holds(storage, paid(1), paid(2, idempotency_key="payment-2"), paid(3))


def test_a_batch_is_answered_200_if_all_of_it_is_known(application: Application) -> None:
    first = application.accept_all(paid_several(3))

    response = application.ingest(paid_several(3))

    assert response.status_code == 200
    assert response.json_body["results"] == [{**result, "status": "DUPLICATE"} for result in first]


@pytest.mark.parametrize(
    ("batch", "refused", "strictly"),
    [([paid()], None, 200), ([], None, 200), ([INVALID, paid()], "1", 207), ([INVALID, 7], "2", 400)],
)
def test_a_batch_is_answered_200_with_the_count_of_refused_events_unless_asked_strictly(
    application: Application, batch: list[Any], refused: str | None, strictly: int
) -> None:
    strict, usual = (application.ingest(batch, query=query) for query in ("?strict=true", "?strict=false"))

    assert (strict.status_code, usual.status_code) == (strictly, 200)
    assert strict.headers.get("Retrace-Refused") == usual.headers.get("Retrace-Refused") == refused
    assert strict.json_body["results"] == usual.json_body["results"]


def test_a_batch_lists_its_refused_events_with_their_positions_unless_asked_for_others(
    application: Application,
) -> None:
    batch = [paid(1), INVALID, paid(2), 7]

    every = application.ingest(batch, query="?results=all").json_body
    usual, refused = (application.ingest(batch, query=query).json_body for query in ("", "?results=refused"))
    none = application.ingest(batch, query="?results=none").json_body

    assert [result["position"] for result in every["results"]] == [0, 1, 2, 3]
    assert usual == refused
    assert usual["results"] == [every["results"][1], every["results"][3]]
    assert every["more_refused"] == usual["more_refused"] == 0
    assert none == {"counts": usual["counts"], "more_refused": 2}


@pytest.mark.parametrize("query", ["", "?results=none", "?results=refused&dry_run=true", "?strict=true"])
@pytest.mark.parametrize("batch", [900 * [{}], [{"\u20ac" * 900: number} for number in range(30)], 50 * [INVALID]])
def test_an_answer_has_less_than_4_kb_with_its_headers_and_counts_what_it_does_not_list(
    application: Application, batch: list[Any], query: str
) -> None:
    response = application.ingest(batch, query=query)

    headers = {**FROM_API_GATEWAY, "Content-Length": str(len(response.body)), **response.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    assert len(head) + len(response.body) < 4_096
    answer = response.json_body
    assert len(answer.get("results", [])) + answer["more_refused"] == len(batch)


def test_an_answer_lists_as_many_refused_events_as_fit(application: Application) -> None:
    answer = application.ingest(50 * [7], query="").json_body

    assert [result["position"] for result in answer["results"]] == list(range(len(answer["results"])))
    assert len(answer["results"]) > 10


def test_a_batch_is_answered_400_with_its_results_if_all_of_it_was_refused_and_strictness_was_asked_for(
    application: Application,
) -> None:
    first = application.accept(paid(1, idempotency_key="payment-1"))

    response = application.ingest([INVALID, paid(2, idempotency_key="payment-1"), 7], query="?strict=true&results=all")

    rejected, conflict, number = response.json_body["results"]
    assert response.status_code == 400
    assert [rejected["status"], conflict["status"], number["status"]] == ["REJECTED", "CONFLICT", "REJECTED"]
    assert "event_id" not in rejected
    assert conflict["event_id"] == first["event_id"]
    assert number["errors"] == [{"field": "", "message": "must be a JSON object"}]


def test_elements_of_an_array_that_are_no_events_are_refused_alone(application: Application, storage: Storage) -> None:
    response = application.ingest(b'[null, [], "text", 1.10, true, ' + as_json(paid()) + b"]")

    assert response.status_code == 200
    assert statuses(response.json_body) == ["REJECTED"] * 5 + ["ACCEPTED"]
    bodies = [storage.quarantined(result["rejected_id"])["body"] for result in response.json_body["results"][:5]]
    assert bodies == ["null", "[]", '"text"', "1.10", "true"]
    assert_holds(storage, paid())


def test_an_array_that_breaks_off_is_refused_as_a_whole(application: Application, storage: Storage) -> None:
    broken = b"[" + as_json(paid(1)) + b"," + as_json(paid(2))[:-5]

    response = application.ingest(broken)

    [result] = response.json_body["results"]
    assert response.status_code == 200
    assert result["errors"][0]["field"] == "body"
    assert storage.quarantined(result["rejected_id"])["body"] == broken.decode()
    assert_holds(storage)


def test_ndjson_is_one_event_a_line(application: Application, storage: Storage) -> None:
    response = application.ingest(as_ndjson(paid_several(3)), NDJSON)

    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED"] * 3
    assert_holds(storage, *paid_several(3))


def test_ndjson_may_end_its_lines_with_crlf_leave_lines_blank_and_end_without_a_break(
    application: Application, storage: Storage
) -> None:
    body = b"\r\n" + as_json(paid(1)) + b"\r\n\n  \t\r\n" + as_json(paid(2)) + b"\n\n" + as_json(paid(3))

    response = application.ingest(body, NDJSON)

    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED"] * 3
    assert_holds(storage, *paid_several(3))


def test_one_bad_line_of_ndjson_is_refused_alone(application: Application, storage: Storage) -> None:
    body = as_ndjson([paid(1)]) + b'{"source": "shop\n' + as_ndjson([paid(2)])

    response = application.ingest(body, NDJSON)

    assert response.status_code == 200
    assert statuses(response.json_body) == ["ACCEPTED", "REJECTED", "ACCEPTED"]
    refused = response.json_body["results"][1]
    assert storage.quarantined(refused["rejected_id"])["body"] == '{"source": "shop'
    assert_holds(storage, paid(1), paid(2))


def test_one_line_of_ndjson_is_a_batch_and_none_is_an_empty_one(application: Application) -> None:
    one = application.ingest(as_ndjson([paid()]), NDJSON)
    none = application.ingest(b"\n\r\n", NDJSON)

    assert (one.status_code, statuses(one.json_body)) == (200, ["ACCEPTED"])
    assert (none.status_code, none.json_body["results"]) == (200, [])


def test_an_event_sent_alone_in_an_array_and_as_a_line_is_one_event(application: Application, storage: Storage) -> None:
    first = application.accept(paid())

    in_array = application.ingest([paid()]).json_body["results"][0]
    as_line = application.ingest(as_ndjson([paid()]), NDJSON).json_body["results"][0]

    assert in_array == as_line == {**first, "status": "DUPLICATE", "position": 0}
    assert_holds(storage, paid())


def test_batches_that_overlap_accept_each_event_once(application: Application, storage: Storage) -> None:
    first = application.ingest([paid(1), paid(2), paid(3)])
    second = application.ingest([paid(2), paid(3), paid(4)])

    assert first.json_body["counts"]["accepted"] == 3
    assert statuses(second.json_body) == ["DUPLICATE", "DUPLICATE", "ACCEPTED"]
    assert len(storage.index()) == 4
    assert_sound(storage)
