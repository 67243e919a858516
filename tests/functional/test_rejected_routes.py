"""Quarantine: what was refused and why, and sending it through ingest again."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.core.timestamps import Instant
from chalicelib.runtime import system
from tests.functional.application import JSON, NDJSON, Application
from tests.functional.events import Json, as_json, as_ndjson, paid, paid_several, without
from tests.functional.storage import Storage, assert_holds
from tests.functional.wire import ALWAYS, Wire, answer_lost, fails_with, never_arrives, throttled

TODAY = "2026-11-22"
NOBODY = f"{TODAY}.{'0' * 64}"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still until a test moves it."""
    set_clock(monkeypatch, f"{TODAY}T08:30:00.000000000Z")


def set_clock(monkeypatch: pytest.MonkeyPatch, instant: str) -> None:
    monkeypatch.setattr(system, "now", lambda: Instant(instant))


def refused(application: Application, body: Any, **how: Any) -> str:
    """Have an event refused; answers the id that it is kept under."""
    answer = application.ingest(body, **how)
    assert answer.status_code in (400, 409), answer.body
    rejected_id: str = answer.json_body["rejected_id"]
    return rejected_id


def malformed(number: int = 1, **changes: Any) -> Json:
    return without(paid(number, **changes), "event_time")


def listed(application: Application, **query: str) -> list[Json]:
    """What is listed of today."""
    return listed_in(application, day=TODAY, **query)


def listed_in(application: Application, **query: str) -> list[Json]:
    """What is listed, page by page until there is nothing more."""
    items: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        response = application.get("/rejected", **query, **cursor)
        assert response.status_code == 200, response.body
        items += response.json_body["items"]
        if response.json_body["cursor"] is None:
            return items
        cursor = {"cursor": response.json_body["cursor"]}


def kept(application: Application, rejected_id: str) -> Json:
    response = application.get(f"/rejected/{rejected_id}")
    assert response.status_code == 200, response.body
    answer: Json = response.json_body
    return answer


def retried(application: Application, rejected_id: str, corrected: bytes = b"", **headers: str) -> HTTPResponse:
    """POST a retry; a header's underscores stand for hyphens."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return application.call("POST", f"/rejected/{rejected_id}/retry", given, corrected)


def faults(response: HTTPResponse) -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in response.json_body["errors"]}


class TestList:
    def test_tells_what_was_refused_on_a_day_and_why_without_its_body(self, application: Application) -> None:
        body = as_json(malformed())
        answer = application.ingest(body)

        assert listed(application) == [
            {
                "rejected_id": answer.json_body["rejected_id"],
                "status": "REJECTED",
                "errors": [{"field": "event_time", "message": "is missing"}],
                "ingest_time": f"{TODAY}T08:30:00.000000000Z",
                "request_id": listed(application)[0]["request_id"],
                "size": len(body),
                "retried": False,
                "events": 1,
                "source": malformed()["source"],
                "event_type": malformed()["event_type"],
                "entity_id": malformed()["entity_id"],
                "idempotency_key": None,
                "resolved": False,
            }
        ]

    def test_of_another_day_is_empty(self, application: Application) -> None:
        refused(application, malformed())

        response = application.get("/rejected", day="2026-11-21")

        assert (response.status_code, response.json_body) == (200, {"items": [], "cursor": None})

    def test_is_by_reason_a_status_or_a_field_at_fault(self, application: Application) -> None:
        application.accept(paid(1, idempotency_key="key"))
        conflict = refused(application, paid(2, idempotency_key="key"))
        timeless = refused(application, malformed())
        nameless = refused(application, without(paid(3), "entity_id", "event_time"))

        def ids(reason: str) -> set[str]:
            return {item["rejected_id"] for item in listed(application, reason=reason)}

        assert ids("CONFLICT") == ids("idempotency_key") == {conflict}
        assert ids("REJECTED") == ids("event_time") == {timeless, nameless}
        assert ids("entity_id") == {nameless}
        assert ids("payload") == set()

    @pytest.mark.parametrize("limit", [1, 1000])
    def test_is_by_the_source_and_key_that_a_body_names(self, application: Application, limit: int) -> None:
        asked = {"source": paid()["source"], "idempotency_key": "payment-1", "limit": str(limit)}
        for number in range(3):
            refused(application, malformed(number, idempotency_key=f"other-{number}"))
        refused(application, malformed(1, source="shop/other", idempotency_key="payment-1"))
        assert listed(application, **asked) == []

        alone = refused(application, malformed(1, idempotency_key="payment-1"))
        [one] = listed(application, **asked)
        assert one["rejected_id"] == alone

    def test_is_by_a_source_and_key_that_one_of_the_events_in_a_body_has(self, application: Application) -> None:
        together = [malformed(number, idempotency_key=f"payment-{number}") for number in range(60)]
        application.ingest(as_ndjson(together), NDJSON)

        [one] = listed(application, source=paid()["source"], idempotency_key="payment-31")

        assert '"payment-31"' in kept(application, one["rejected_id"])["body"]

    def test_is_by_key_only_together_with_a_source(self, application: Application) -> None:
        response = application.get("/rejected", day=TODAY, idempotency_key="k")

        assert response.status_code == 400
        assert faults(response) == {"source": "is missing; a source and a key together identify an event"}

    def test_is_by_source(self, application: Application) -> None:
        shop, till = refused(application, malformed(source="shop")), refused(application, malformed(source="till"))
        refused(application, b"not JSON, so of no source")
        together = application.ingest(as_ndjson([malformed(n, source=f"s{n % 2}") for n in range(40)]), NDJSON)

        assert [item["rejected_id"] for item in listed(application, source="till")] == [till]
        assert [item["rejected_id"] for item in listed(application, source="shop")] == [shop]
        assert len(listed(application, source="s0")) == len(listed(application, source="s1")) == 20
        assert together.json_body["counts"]["rejected"] == 40

    def test_names_events_that_are_kept_together_as_far_as_they_are_alike(self, application: Application) -> None:
        application.ingest(as_ndjson([malformed(n, idempotency_key=f"k{n}") for n in range(40)]), NDJSON)

        [*items] = listed(application)

        assert {(item["events"], item["source"], item["idempotency_key"]) for item in items} == {
            (2, malformed()["source"], None)
        }

    def test_names_cloudevents_by_their_attributes(self, application: Application) -> None:
        event = {"specversion": "1.0", "id": "i", "source": "/shop", "type": "paid", "subject": "o-1", "time": "then"}
        refused(application, as_json(event), content_type="application/cloudevents+json")

        [item] = listed(application, source="/shop")

        names = ("source", "event_type", "entity_id", "idempotency_key")
        assert [item[name] for name in names] == ["/shop", "paid", "o-1", "i"]

    def test_of_a_window_has_what_was_refused_in_it_over_several_days(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids: dict[str, str] = {}
        for number, day in enumerate(("2026-11-19", "2026-11-20", "2026-11-22", "2026-11-23")):
            set_clock(monkeypatch, f"{day}T12:00:00.000000000Z")
            ids[day] = refused(application, malformed(number))

        window = {"start_time": "2026-11-19T12:00:01Z", "end_time": "2026-11-23T12:00:00Z"}
        found = [item["rejected_id"] for item in listed_in(application, **window, limit="1")]

        assert found == [ids["2026-11-20"], ids["2026-11-22"]]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"start_time": f"{TODAY}T00:00:00Z"}, "day"),
            ({"day": TODAY, "end_time": f"{TODAY}T00:00:00Z"}, "day"),
            ({"start_time": f"{TODAY}T00:00:00Z", "end_time": f"{TODAY}T00:00:00Z"}, "start_time"),
            ({"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-02T00:00:01Z"}, "end_time"),
            ({"day": TODAY, "resolved": "no"}, "resolved"),
        ],
    )
    def test_of_a_window_that_is_none_is_answered_400(
        self, application: Application, query: dict[str, str], field: str
    ) -> None:
        response = application.get("/rejected", **query)

        assert response.status_code == 400
        assert faults(response).keys() == {field}

    def test_is_by_whether_a_retry_took_the_event_in(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        untouched, again, done = (refused(application, malformed(number)) for number in range(3))
        retried(application, again)
        retried(application, done)
        set_clock(monkeypatch, f"{TODAY}T09:00:00.000000000Z")
        retried(application, done, as_json(paid(2)), content_type=JSON)

        def ids(resolved: str) -> set[str]:
            return {item["rejected_id"] for item in listed(application, resolved=resolved)}

        assert ids("false") == {untouched, again}
        assert ids("true") == {done}
        assert [kept(application, one)["resolved"] for one in (untouched, again, done)] == [False, False, True]

    def test_events_kept_together_are_resolved_once_as_many_were_taken_in(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application.ingest(as_ndjson([malformed(number) for number in range(40)]), NDJSON)
        one = listed(application)[0]["rejected_id"]
        retried(application, one, as_json(paid(1)), content_type=JSON)
        half = kept(application, one)["resolved"]
        set_clock(monkeypatch, f"{TODAY}T09:00:00.000000000Z")
        retried(application, one, as_json(paid(2)), content_type=JSON)

        assert (half, kept(application, one)["resolved"]) == (False, True)

    def test_reads_retries_only_of_what_was_retried(self, application: Application, wire: Wire) -> None:
        ids = [refused(application, malformed(number)) for number in range(4)]
        retried(application, ids[0])
        wire.mend()

        listed(application)

        assert wire.count() == {"ListObjectsV2": 2, "GetObject": 5}

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
    def test_is_whole_in_pages_of_any_size_and_knows_what_was_retried(
        self, application: Application, limit: int
    ) -> None:
        ids = sorted(refused(application, malformed(number)) for number in range(7))
        for rejected_id in ids[::2]:
            retried(application, rejected_id)

        items = listed(application, limit=str(limit))

        assert [item["rejected_id"] for item in items] == ids
        assert [item["retried"] for item in items] == [True, False] * 3 + [True]

    def test_knows_of_many_retries_of_one_event(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = sorted(refused(application, malformed(number)) for number in range(3))
        for second in range(20):
            set_clock(monkeypatch, f"{TODAY}T09:00:{second:02}.000000000Z")
            retried(application, ids[1])

        assert [item["retried"] for item in listed(application, limit="1")] == [False, True, False]

    def test_reads_no_more_than_the_page_holds(self, application: Application, wire: Wire) -> None:
        for number in range(8):
            refused(application, malformed(number))
        wire.mend()

        page = application.get("/rejected", day=TODAY, limit="3", reason="CONFLICT").json_body

        assert page["items"] == []
        assert page["cursor"] is not None
        assert wire.count() == {"ListObjectsV2": 1, "GetObject": 3}

    def test_reads_fewer_where_they_are_large(
        self, application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.quarantine.s3.MAX_BYTES_A_PAGE", 2_500)
        ids = sorted(refused(application, malformed(number, payload="x" * 800)) for number in range(5))
        huge = refused(application, malformed(6, payload="x" * 4_000))
        wire.mend()

        first = application.get("/rejected", day=TODAY).json_body

        assert len(first["items"]) <= 2
        assert {item["rejected_id"] for item in listed(application)} == {*ids, huge}

    def test_cursor_serves_its_own_query_only(self, application: Application) -> None:
        for number in range(3):
            refused(application, malformed(number))
        cursor = application.get("/rejected", day=TODAY, limit="1").json_body["cursor"]

        for query in ({"day": "2026-11-21"}, {"day": TODAY, "reason": "REJECTED"}):
            response = application.get("/rejected", **query, cursor=cursor)
            assert response.status_code == 400
            assert faults(response).keys() == {"cursor"}
        assert application.get("/rejected", day=TODAY, cursor=f"A{cursor}").status_code == 400
        assert len(application.get("/rejected", day=TODAY, limit="9", cursor=cursor).json_body["items"]) == 2

    def test_question_that_is_not_valid_is_answered_400_with_every_fault(self, application: Application) -> None:
        response = application.get("/rejected", reason="", limit="0", since="then")

        assert response.status_code == 400
        assert faults(response).keys() == {"reason", "limit", "since"}

    def test_is_answered_503_where_aws_does_not_give_it(self, application: Application, wire: Wire) -> None:
        wire.disturb(throttled, times=ALWAYS)

        assert application.get("/rejected", day=TODAY).status_code == 503


class TestOne:
    def test_is_told_with_its_body_and_everything_that_is_kept(
        self, application: Application, storage: Storage
    ) -> None:
        text = as_json(malformed()).replace(b'"number": 1', b'"number": 1.10')
        rejected_id = refused(application, text)

        answer = kept(application, rejected_id)

        own = {name: paid().get(name) for name in ("source", "event_type", "entity_id", "idempotency_key")}
        found: Json = {"size": len(text), "retries": [], "events": 1, **own, "resolved": False}
        assert answer == {**storage.quarantined(rejected_id), **found}
        assert answer["body"].encode() == text
        assert answer["content_type"] == JSON

    def test_has_its_bytes_in_base64_where_they_are_no_text(self, application: Application) -> None:
        rejected_id = refused(application, b"\xff\xfe")

        answer = kept(application, rejected_id)

        assert answer["body_base64"] == b64encode(b"\xff\xfe").decode()
        assert "body" not in answer

    @pytest.mark.parametrize("rejected_id", [NOBODY, "nothing", f"2026-02-30.{'0' * 64}", f"{TODAY}.{'0' * 63}"])
    def test_that_is_not_there_is_not_found(self, application: Application, rejected_id: str) -> None:
        assert application.get(f"/rejected/{rejected_id}").status_code == 404
        assert retried(application, rejected_id).status_code == 404

    def test_is_looked_for_without_a_right_to_list_the_whole_bucket(self, application: Application, wire: Wire) -> None:
        # S3 answers a GET of what is not there with 403 to those who may not list the bucket.
        wire.disturb(fails_with(403, "AccessDenied"), "GetObject", times=ALWAYS)

        assert application.get(f"/rejected/{NOBODY}").status_code == 404

    def test_that_was_changed_in_storage_is_not_shown(self, application: Application, storage: Storage) -> None:
        rejected_id = refused(application, malformed())
        day, _, digest = rejected_id.partition(".")
        storage.overwrite(f"rejected/ingest_date={day}/{digest}.json", b"order-1", b"order-2")

        assert application.get(f"/rejected/{rejected_id}").status_code == 500


def test_the_same_bytes_refused_for_another_reason_are_kept_beside(application: Application, storage: Storage) -> None:
    application.accept(paid(idempotency_key="k", payload=1))
    other = as_json(paid(idempotency_key="k", payload=2))

    as_cloudevent = refused(application, other, content_type="application/cloudevents+json")
    in_conflict = refused(application, other)

    assert kept(application, as_cloudevent)["status"] == "REJECTED"
    assert kept(application, in_conflict)["status"] == "CONFLICT"


class TestConflict:
    def test_shows_each_member_that_differs_from_the_first_event(self, application: Application) -> None:
        first = paid(1, idempotency_key="k", payload={"amount": 130.77, "items": [1, 2], "old": None, "same": "x"})
        application.accept(first)
        other = first | {"payload": {"amount": 120.77, "items": [1, 3], "new": "n", "same": "x"}}

        [conflict] = kept(application, refused(application, other))["conflicts"]

        assert conflict["differences"] == [
            {"path": "payload.amount", "first": "130.77", "refused": "120.77"},
            {"path": "payload.items[1]", "first": "2", "refused": "3"},
            {"path": "payload.new", "refused": '"n"'},
            {"path": "payload.old", "first": "null"},
        ]
        assert conflict["more_differences"] is False

    def test_compares_each_of_the_events_that_are_kept_together(self, application: Application) -> None:
        application.accept_all([paid(n, idempotency_key=f"k{n}", payload=n) for n in range(40)])
        application.ingest([paid(n, idempotency_key=f"k{n}", payload=n + 100) for n in range(40)])

        answers = [kept(application, item["rejected_id"]) for item in listed(application)]

        found = [conflict["differences"] for answer in answers for conflict in answer["conflicts"]]
        pairs = sorted((int(one["first"]), int(one["refused"])) for [one] in found)
        assert pairs == [(n, n + 100) for n in range(40)]

    def test_shows_20_differences_and_that_there_are_more(self, application: Application) -> None:
        application.accept(paid(idempotency_key="k", payload=[0] * 21))

        [conflict] = kept(application, refused(application, paid(idempotency_key="k", payload=[1] * 21)))["conflicts"]

        assert (len(conflict["differences"]), conflict["more_differences"]) == (20, True)

    def test_whose_first_line_cannot_be_read_is_shown_without_differences(
        self, application: Application, storage: Storage
    ) -> None:
        first = application.accept(paid(idempotency_key="k", payload="first"))
        rejected_id = refused(application, paid(idempotency_key="k", payload="other"))
        storage.overwrite(first["s3_key"], b'"first"', b'"worst"')

        [conflict] = kept(application, rejected_id)["conflicts"]

        assert "differences" not in conflict


class TestBeginningOfAnId:
    def test_is_enough_to_get_and_to_retry_an_event(self, application: Application) -> None:
        rejected_id = refused(application, malformed())

        assert kept(application, rejected_id[:17])["rejected_id"] == rejected_id
        assert retried(application, rejected_id[:20], as_json(paid()), content_type=JSON).status_code == 201
        assert kept(application, rejected_id[:17])["resolved"] is True

    def test_that_several_events_have_or_that_is_too_short_is_not_found(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rejected_id = refused(application, malformed())
        monkeypatch.setattr("chalicelib.quarantine.retries._BEGINNING", re.compile(r"(\d{4}-\d{2}-\d{2})\.[0-9a-f]*"))
        alone = application.get(f"/rejected/{TODAY}.")
        refused(application, malformed(2))
        several = application.get(f"/rejected/{TODAY}.")
        monkeypatch.undo()

        assert (alone.status_code, several.status_code) == (200, 404)
        assert "More than one" in several.json_body["detail"]
        assert application.get(f"/rejected/{rejected_id[:16]}").status_code == 404


class TestRetry:
    def test_in_a_dry_run_says_what_would_happen_and_writes_nothing(
        self, application: Application, storage: Storage
    ) -> None:
        rejected_id = refused(application, malformed())
        before = storage.everything()

        response = application.call(
            "POST", f"/rejected/{rejected_id}/retry?dry_run=true", {"content-type": JSON}, as_json(paid())
        )

        assert (response.status_code, response.json_body["status"]) == (200, "ACCEPTED")
        assert storage.everything() == before

    def test_with_a_corrected_body_takes_the_event_in(self, application: Application, storage: Storage) -> None:
        rejected_id = refused(application, malformed())

        response = retried(application, rejected_id, as_json(paid()), content_type=JSON)

        assert response.status_code == 201
        assert response.json_body["status"] == "ACCEPTED"
        assert_holds(storage, paid())

    def test_is_recorded_beside_what_was_refused_which_stays_as_it_was(
        self, application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rejected_id = refused(application, malformed())
        before = storage.objects("rejected/")
        set_clock(monkeypatch, f"{TODAY}T09:00:00.000000000Z")

        answer = retried(application, rejected_id, as_json(paid()), content_type=JSON).json_body

        [record] = kept(application, rejected_id)["retries"]
        after = storage.objects("rejected/")
        day, _, digest = rejected_id.partition(".")
        assert record.pop("request_id")
        assert record == {
            "requested_at": f"{TODAY}T09:00:00.000000000Z",
            "requested_by": "local",
            "corrected": True,
            "results": [{"status": "ACCEPTED", "event_id": answer["event_id"]}],
        }
        assert before.items() <= after.items()
        assert after.keys() - before.keys() == {f"rejected/ingest_date={day}/{digest}/{TODAY}T09:00:00.000000000Z.json"}
        assert [item["retried"] for item in listed(application)] == [True]

    def test_names_who_asked_and_in_which_request(self, application: Application) -> None:
        rejected_id = refused(application, malformed())
        path = "/rejected/{rejected_id}/retry"
        caller = {"identity": {"userArn": "arn:aws:iam::123456789012:user/jo"}, "requestId": "request-9"}
        request = {
            "requestContext": {"httpMethod": "POST", "resourcePath": path, **caller},
            "pathParameters": {"rejected_id": rejected_id},
            "headers": {},
            "multiValueQueryStringParameters": None,
            "stageVariables": None,
            "body": None,
            "isBase64Encoded": False,
        }

        assert application.handed_over(request)["statusCode"] == 400

        [record] = kept(application, rejected_id)["retries"]
        assert (record["requested_by"], record["request_id"]) == ("arn:aws:iam::123456789012:user/jo", "request-9")

    def test_that_is_refused_again_says_so_and_keeps_that_too(self, application: Application) -> None:
        rejected_id = refused(application, malformed(1))

        response = retried(application, rejected_id, as_json(malformed(2)), content_type=JSON)

        again = response.json_body["rejected_id"]
        assert response.status_code == 400
        assert response.json_body["status"] == "REJECTED"
        assert again != rejected_id
        assert {item["rejected_id"] for item in listed(application)} == {rejected_id, again}
        [record] = kept(application, rejected_id)["retries"]
        assert record["results"] == [{"status": "REJECTED", "rejected_id": again}]

    def test_as_it_was_kept_is_refused_as_before(self, application: Application, storage: Storage) -> None:
        body = as_json(malformed())
        rejected_id = refused(application, body)
        first = application.ingest(body)

        response = retried(application, rejected_id)

        assert (response.status_code, response.json_body) == (400, first.json_body)
        [record] = kept(application, rejected_id)["retries"]
        assert record["corrected"] is False
        assert record["results"] == [{"status": "REJECTED", "rejected_id": rejected_id}]

    def test_of_a_conflict_conflicts_until_its_identity_is_corrected(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application.accept(paid(1, idempotency_key="key"))
        conflicting = paid(2, idempotency_key="key", event_time="2023-06-30T11:00:00Z")
        rejected_id = refused(application, conflicting)

        still = retried(application, rejected_id)
        set_clock(monkeypatch, f"{TODAY}T09:00:00.000000000Z")
        corrected = retried(application, rejected_id, as_json(conflicting | {"idempotency_key": "other"}))

        assert (still.status_code, still.json_body["status"]) == (409, "CONFLICT")
        assert corrected.status_code == 201
        statuses = [record["results"][0]["status"] for record in kept(application, rejected_id)["retries"]]
        assert statuses == ["CONFLICT", "ACCEPTED"]

    def test_of_a_line_of_ndjson_is_a_batch_of_one(self, application: Application) -> None:
        [result] = application.ingest(as_ndjson([malformed()]), NDJSON).json_body["results"]

        response = retried(application, result["rejected_id"])

        assert (response.status_code, response.headers["Retrace-Refused"]) == (200, "1")
        assert response.json_body["counts"] == {"accepted": 0, "duplicate": 0, "conflict": 0, "rejected": 1}

    def test_of_a_broken_array_may_be_corrected_by_a_batch(self, application: Application, storage: Storage) -> None:
        [broken] = application.ingest(b"[{]").json_body["results"]

        response = retried(application, broken["rejected_id"], as_json([paid(1), paid(2), malformed(3)]))

        assert response.status_code == 200
        assert response.json_body["counts"] == {"accepted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}
        [record] = kept(application, broken["rejected_id"])["retries"]
        assert [result["status"] for result in record["results"]] == ["ACCEPTED", "ACCEPTED", "REJECTED"]
        assert_holds(storage, paid(1), paid(2))

    def test_of_broken_gzip_is_read_as_gzip_again(self, application: Application) -> None:
        rejected_id = refused(application, b"\x1f\x8bnot gzip", encoding="gzip")

        response = retried(application, rejected_id)

        assert response.status_code == 400
        assert response.json_body["rejected_id"] == rejected_id
        assert "gzip" in response.json_body["errors"][0]["message"]

    def test_of_a_cloudevent_in_headers_is_sent_with_its_headers(self, application: Application) -> None:
        rejected_id = self.refused_cloudevent(application)

        response = retried(application, rejected_id)

        assert kept(application, rejected_id)["headers"]["ce-source"] == "/shop"
        assert (response.status_code, response.json_body["rejected_id"]) == (400, rejected_id)
        assert faults(response).keys() == {"time"}

    def test_of_a_cloudevent_may_be_corrected_by_headers_alone(self, application: Application) -> None:
        rejected_id = self.refused_cloudevent(application)
        attributes = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/shop", "ce_type": "paid"}

        response = retried(application, rejected_id, b"", **attributes, ce_time="2023-06-30T10:00:00Z")

        assert response.status_code == 201, response.body
        [record] = kept(application, rejected_id)["retries"]
        assert record["corrected"] is True

    def refused_cloudevent(self, application: Application) -> str:
        headers = {
            "ce-specversion": "1.0",
            "ce-id": "1",
            "ce-source": "/shop",
            "ce-type": "paid",
            "ce-time": "yesterday",
            "content-type": JSON,
        }
        answer = application.client.http.post("/ingest", headers=headers, body=b"{}")
        assert answer.status_code == 400
        rejected_id: str = answer.json_body["rejected_id"]
        return rejected_id

    def test_of_an_event_that_is_known_by_now_is_a_duplicate(self, application: Application) -> None:
        rejected_id = refused(application, malformed())
        application.accept(paid())

        response = retried(application, rejected_id, as_json(paid()))

        assert (response.status_code, response.json_body["status"]) == (200, "DUPLICATE")

    def test_with_a_correction_of_an_unknown_type_is_answered_415_and_not_recorded(
        self, application: Application, storage: Storage
    ) -> None:
        rejected_id = refused(application, malformed())
        before = storage.everything()

        assert retried(application, rejected_id, b"<event/>", content_type="text/xml").status_code == 415
        assert storage.everything() == before

    def test_with_a_correction_that_is_too_large_is_answered_413(self, application: Application) -> None:
        rejected_id = refused(application, malformed())

        assert retried(application, rejected_id, b" " * 10_000_001, content_type=JSON).status_code == 413

    def test_with_a_correction_of_more_events_than_can_be_listed_is_answered_413_and_takes_none_in(
        self, application: Application, storage: Storage
    ) -> None:
        rejected_id = refused(application, malformed())
        before = storage.everything()

        response = retried(application, rejected_id, as_json(paid_several(1_001)), content_type=JSON)

        assert response.status_code == 413
        assert "1,001" in response.json_body["detail"]
        assert storage.everything() == before

    def test_of_nothing_takes_nothing_in(self, application: Application, storage: Storage) -> None:
        assert retried(application, NOBODY, as_json(paid())).status_code == 404
        assert storage.index() == []

    def test_that_cannot_be_recorded_is_not_answered_and_may_be_sent_again(
        self, application: Application, wire: Wire, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rejected_id = refused(application, malformed())
        # The first PutObject is that of the raw event, the attempts after it those of the record.
        wire.disturb(never_arrives, "PutObject", skip=1, times=ALWAYS)

        first = retried(application, rejected_id, as_json(paid()))
        wire.mend()
        second = retried(application, rejected_id, as_json(paid()))

        assert first.status_code == 503
        assert first.headers["Retry-After"]
        assert (second.status_code, second.json_body["status"]) == (200, "DUPLICATE")
        assert len(kept(application, rejected_id)["retries"]) == 1
        assert_holds(storage, paid())

    def test_whose_record_was_written_though_the_answer_was_lost_is_answered(
        self, application: Application, wire: Wire
    ) -> None:
        rejected_id = refused(application, malformed())
        wire.disturb(answer_lost, "PutObject", skip=1)

        response = retried(application, rejected_id, as_json(paid()))

        assert response.status_code == 201
        assert len(kept(application, rejected_id)["retries"]) == 1

    def test_at_the_very_moment_of_another_is_not_lost(self, application: Application, storage: Storage) -> None:
        rejected_id = refused(application, malformed())
        retried(application, rejected_id, as_json(paid(1)))

        response = retried(application, rejected_id, as_json(paid(2)))

        assert response.status_code == 503
        assert len(kept(application, rejected_id)["retries"]) == 1
        assert_holds(storage, paid(1), paid(2))

    def test_is_logged_and_never_its_body(self, application: Application, logs: Any) -> None:
        rejected_id = refused(application, malformed())

        retried(application, rejected_id, as_json(paid(payload={"secret": "sesame"})))

        assert len(logs.lines("ingest")) == 2
        assert "sesame" not in logs.text
