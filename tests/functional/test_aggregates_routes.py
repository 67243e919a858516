"""How versions of an aggregate stand, what they were computed from, what two do not share, and where an event went."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import SETTINGS
from tests.functional.application import Application, message
from tests.functional.clients import dynamodb
from tests.functional.events import DAY, NEXT_DAY, Json, paid, paid_several
from tests.functional.storage import Row, Storage
from tests.functional.wire import ALWAYS, Wire, throttled

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
ENTITY_DAY = {"entity_id": "order-1", "day": DAY}


def of_object(application: Application, result: Json) -> str:
    """Have the object that holds an event aggregated; answers the version's id."""
    application.process([message({"s3_bucket": result["s3_bucket"], "s3_key": result["s3_key"]})])
    newest: str = application.versions("order-1", DAY)[0]["replay_id"]
    return newest


def paged(application: Application, path: str, **query: str) -> list[list[Json]]:
    """The items of every page."""
    pages = []
    cursor: dict[str, str] = {}
    while True:
        answer = application.get(path, **query, **cursor)
        assert answer.status_code == 200, answer.body
        pages.append(answer.json_body["items"])
        if answer.json_body["cursor"] is None:
            return pages
        cursor = {"cursor": answer.json_body["cursor"]}


def faults(response: Any) -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in response.json_body["errors"]}


class TestHowVersionsStand:
    def test_a_replay_of_the_whole_day_is_complete(self, application: Application) -> None:
        application.accept_all(paid_several(3))
        application.replayed(**WHOLE_DAY)

        [version] = application.versions("order-1", DAY)

        assert version["complete"] is True
        assert version["arrived_since"] == 0
        assert "partial_because" not in version

    def test_a_replay_whose_messages_are_not_all_processed_is_partial(self, application: Application) -> None:
        application.accept_all(paid_several(12))
        _, messages = application.planned(**WHOLE_DAY)
        application.process(messages[:10])

        [version] = application.versions("order-1", DAY)

        assert version["complete"] is False
        assert version["partial_because"] == ["Its replay is SENT, with 10 of 12 sent messages processed."]
        assert version["arrived_since"] == 0

    def test_a_replay_of_part_of_the_day_says_what_it_leaves_out(self, application: Application) -> None:
        application.accept_all([paid(event_time=f"{DAY}T{hour:02}:00:00Z") for hour in range(24)])
        application.replayed(entity_id="order-1", start_time=f"{DAY}T06:00:00Z", end_time=f"{DAY}T12:00:00Z")

        [version] = application.versions("order-1", DAY)

        assert version["partial_because"] == [
            f"Its replay leaves out the day's events before {DAY}T06:00:00Z.",
            f"Its replay leaves out the day's events from {DAY}T12:00:00Z on.",
        ]
        assert version["arrived_since"] == 0

    def test_a_replay_by_type_covers_no_other_type(self, application: Application) -> None:
        application.accept_all([paid(1), paid(2, event_type="order.refunded")])
        application.replayed(**BY_TYPE)

        [version] = application.versions("order-1", DAY)

        assert version["partial_because"] == ["It covers events of source shop/checkout and type order.paid only."]
        assert (version["event_count"], version["arrived_since"]) == (1, 0)

    def test_a_version_of_an_object_covers_that_object_only(self, application: Application) -> None:
        of_object(application, application.accept(paid(1)))

        [version] = application.versions("order-1", DAY)

        assert version["partial_because"] == ["It covers the events of one raw object only."]

    def test_a_version_whose_job_is_gone_says_so(self, application: Application, storage: Storage) -> None:
        application.accept(paid(1))
        replay_id = application.replayed(**WHOLE_DAY)
        key = {"PK": {"S": f"REPLAY#{replay_id}"}, "SK": {"S": "JOB"}}
        dynamodb().delete_item(TableName=SETTINGS["REPLAYS_TABLE"], Key=key)

        [version] = application.versions("order-1", DAY)

        assert version["partial_because"] == ["Its replay is unknown, so what it covered is unknown, too."]

    def test_each_version_counts_what_came_after_it(self, application: Application) -> None:
        application.accept(paid(1))
        application.replayed(**WHOLE_DAY)
        application.accept_all([paid(2), paid(3, event_type="order.refunded")])
        application.replayed(**BY_TYPE)
        application.replayed(**WHOLE_DAY)
        application.accept(paid(4))

        answer = application.get("/aggregates", **ENTITY_DAY).json_body

        assert [version["event_count"] for version in answer["versions"]] == [3, 2, 1]
        assert [version["arrived_since"] for version in answer["versions"]] == [1, 1, 3]
        assert answer["late_arrivals"] == 1

    def test_what_came_while_a_replay_ran_and_is_among_its_inputs_is_not_counted(
        self, application: Application
    ) -> None:
        application.accept_all(paid_several(10))
        application.requested(**WHOLE_DAY)
        application.accept_all([paid(number) for number in range(11, 21)])
        application.plan()
        messages = application.messages.taken()
        application.process(messages[:10])
        application.accept(paid(21))

        [version] = application.versions("order-1", DAY)

        # Of the eleven that came since it was asked for, those that it holds already are none that it missed.
        held = {found.members["event_time"] for found in messages[:10]}
        assert version["arrived_since"] == 11 - sum(time > f"{DAY}T10:00:00.000000010Z" for time in held)

    def test_the_events_of_the_day_are_read_once_whatever_the_number_of_versions(
        self, application: Application, wire: Wire
    ) -> None:
        application.accept_all(paid_several(5))
        for _ in range(4):
            application.replayed(**WHOLE_DAY)
        wire.mend()

        application.versions("order-1", DAY)

        # The versions (those of replays, of objects) before and after their jobs, the jobs, and the events of the day.
        assert wire.count() == {"Query": 2 * 2 + 4 + 1}

    def test_versions_come_in_pages_newest_first_and_those_of_objects_last(self, application: Application) -> None:
        of_one = of_object(application, application.accept(paid(1)))
        replays = [application.replayed(**WHOLE_DAY) for _ in range(3)]

        pages: list[Json] = []
        while not pages or pages[-1]["cursor"]:
            cursor = {"cursor": pages[-1]["cursor"]} if pages else {}
            pages.append(application.get("/aggregates", **ENTITY_DAY, limit="2", **cursor).json_body)

        listed = [[version["replay_id"] for version in page["versions"]] for page in pages]
        assert listed[:2] == [replays[:0:-1], [replays[0], of_one]]
        assert not any(listed[2:])
        assert [page["late_arrivals"] for page in pages[:2]] == [0, None]

    def test_a_day_of_more_events_than_a_request_reads_tells_how_many_came_since_at_least(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application.accept_all([paid(1), paid(2)])
        application.replayed(**BY_TYPE)
        application.accept_all([paid(number) for number in range(3, 9)])
        exact = application.get("/aggregates", **ENTITY_DAY).json_body
        monkeypatch.setattr("chalicelib.aggregates.use_cases.ROWS_A_READ", 5)
        monkeypatch.setattr("chalicelib.aggregates.use_cases.REQUEST_US", 60_000)

        told = application.get("/aggregates", **ENTITY_DAY).json_body

        assert (exact["late_arrivals"], exact["exact"]) == (6, True)
        assert (told["late_arrivals"], told["versions"][0]["arrived_since"], told["exact"]) == (3, 3, False)


class TestInputs:
    def test_are_the_events_of_the_version_in_order_of_time_and_id(
        self, application: Application, storage: Storage
    ) -> None:
        application.accept_all([paid(number, event_time=f"{DAY}T0{number % 3}:00:00Z") for number in range(20)])
        replay_id = application.replayed(**WHOLE_DAY)

        answer = application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=replay_id)

        expected = [
            {name: row[name] for name in ("event_time", "event_id", "event_type", "content_sha256")}
            for row in sorted(storage.index(), key=lambda row: (row["event_time"], row["event_id"]))
        ]
        assert answer.status_code == 200
        assert answer.json_body == {"items": expected, "cursor": None}

    @pytest.mark.parametrize("limit", [1, 3, 7, 20, 1000])
    def test_are_the_same_in_pages_of_any_size(self, application: Application, limit: int) -> None:
        application.accept_all(paid_several(20))
        replay_id = application.replayed(**WHOLE_DAY)
        whole = application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=replay_id).json_body["items"]

        pages = paged(application, "/aggregates/inputs", **ENTITY_DAY, replay_id=replay_id, limit=str(limit))

        assert all(len(page) <= limit for page in pages)
        assert [item for page in pages for item in page] == whole

    def test_a_page_continues_after_the_last_message_that_was_read_also_within_an_event(
        self, application: Application
    ) -> None:
        application.accept_all(paid_several(3))
        application.ingest([paid(2), paid(2)])
        replay_id = application.replayed(**WHOLE_DAY, include_duplicates=True)

        pages = paged(application, "/aggregates/inputs", **ENTITY_DAY, replay_id=replay_id, limit="1")

        its_event, its_duplicates = [1], [0, 0]
        assert [len(page) for page in pages[:5]] == [1, *its_event, *its_duplicates, 1]

    def test_a_page_costs_one_query_whatever_the_size_of_the_version(
        self, application: Application, wire: Wire
    ) -> None:
        application.accept_all(paid_several(30))
        replay_id = application.replayed(**WHOLE_DAY)
        query = {**ENTITY_DAY, "replay_id": replay_id, "limit": "5"}
        wire.mend()

        first = application.get("/aggregates/inputs", **query)
        application.get("/aggregates/inputs", **query, cursor=first.json_body["cursor"])

        assert wire.count() == {"Query": 2}

    @pytest.mark.parametrize("change", [{"replay_id": "other"}, {"day": NEXT_DAY}, {"entity_id": "order-2"}])
    def test_of_no_version_are_not_found(self, application: Application, change: dict[str, str]) -> None:
        application.accept(paid(1))
        known = {**ENTITY_DAY, "replay_id": application.replayed(**WHOLE_DAY)}

        response = application.get("/aggregates/inputs", **(known | change))

        assert response.status_code == 404
        assert faults(response) == {"replay_id": "names no version of this entity and day"}

    def test_a_cursor_serves_its_own_query_only_with_any_limit(self, application: Application) -> None:
        application.accept_all(paid_several(5))
        one, other = application.replayed(**WHOLE_DAY), application.replayed(**WHOLE_DAY)
        first = application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=one, limit="2").json_body
        cursor = first["cursor"]

        rest = application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=one, limit="100", cursor=cursor)
        foreign = application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=other, limit="2", cursor=cursor)
        changed = application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=one, cursor=f"{cursor[:-2]}AA")

        assert len(rest.json_body["items"]) == 3
        for response in (foreign, changed):
            assert response.status_code == 400
            assert faults(response).keys() == {"cursor"}

    def test_a_question_that_is_not_valid_is_answered_400(self, application: Application) -> None:
        response = application.get("/aggregates/inputs", day="today", limit="0")

        assert response.status_code == 400
        assert faults(response).keys() == {"entity_id", "day", "replay_id", "limit"}

    def test_are_answered_503_where_aws_does_not_give_them(self, application: Application, wire: Wire) -> None:
        wire.disturb(throttled, times=ALWAYS)

        assert application.get("/aggregates/inputs", **ENTITY_DAY, replay_id="any").status_code == 503


class TestDiff:
    def compared(self, application: Application, from_: str, to: str, **query: str) -> Json:
        response = application.get("/aggregates/diff", **ENTITY_DAY, **{"from": from_, "to": to}, **query)
        assert response.status_code == 200, response.body
        answer: Json = response.json_body
        return answer

    def test_says_what_only_one_of_two_versions_holds(self, application: Application) -> None:
        application.accept_all(paid_several(3))
        older = application.replayed(**WHOLE_DAY)
        late = application.accept_all([paid(4), paid(5, event_type="order.refunded")])
        newer = application.replayed(**WHOLE_DAY)

        found = self.compared(application, older, newer)

        versions = {version["replay_id"]: version for version in application.versions("order-1", DAY)}
        for name, replay_id in (("from", older), ("to", newer)):
            assert found[name].items() <= versions[replay_id].items()
        assert (found["from"]["event_count"], found["to"]["event_count"]) == (3, 5)
        assert (found["entity_id"], found["day"]) == ("order-1", DAY)
        assert [item["event_id"] for item in found["only_in_to"]] == [result["event_id"] for result in late]
        assert [item["event_type"] for item in found["only_in_to"]] == ["order.paid", "order.refunded"]
        assert (found["only_in_from"], found["changed"], found["cursor"]) == ([], [], None)
        assert found["counts"] == {"only_in_from": 0, "only_in_to": 2, "changed": 0, "shared": 3}

    def test_the_other_way_round_is_the_mirror_image(self, application: Application) -> None:
        application.accept_all(paid_several(3))
        older = application.replayed(**WHOLE_DAY)
        application.accept(paid(4))
        newer = application.replayed(**WHOLE_DAY)

        forth, back = self.compared(application, older, newer), self.compared(application, newer, older)

        assert back["only_in_from"] == forth["only_in_to"]
        assert back["counts"]["only_in_from"] == forth["counts"]["only_in_to"] == 1

    def test_names_both_contents_of_an_event_that_differs(self, application: Application, storage: Storage) -> None:
        application.accept_all(paid_several(3))
        one, other = application.replayed(**WHOLE_DAY), application.replayed(**WHOLE_DAY)
        row = self.input_of(storage, other, 2)
        storage.put("AGGREGATES_TABLE", row | {"content_sha256": "f" * 64})

        found = self.compared(application, one, other)

        assert found["changed"] == [
            {
                "event_time": row["event_time"],
                "event_id": row["event_id"],
                "from_content_sha256": row["content_sha256"],
                "to_content_sha256": "f" * 64,
            }
        ]
        assert found["counts"] == {"only_in_from": 0, "only_in_to": 0, "changed": 1, "shared": 2}

    def input_of(self, storage: Storage, replay_id: str, number: int) -> Row:
        [row] = [
            row
            for row in storage.rows("AGGREGATES_TABLE")
            if row["PK"].endswith(replay_id) and row["SK"].startswith(f"TS#{paid(number)['event_time']}")
        ]
        return row

    def test_of_a_version_with_itself_is_empty(self, application: Application) -> None:
        application.accept_all(paid_several(3))
        replay_id = application.replayed(**WHOLE_DAY)

        found = self.compared(application, replay_id, replay_id)

        assert (found["only_in_from"], found["only_in_to"], found["changed"]) == ([], [], [])
        assert found["counts"] == {"only_in_from": 0, "only_in_to": 0, "changed": 0, "shared": 3}

    def test_comes_in_pages_of_as_many_differences_as_are_asked_for(self, application: Application) -> None:
        results = application.accept_all(paid_several(12))
        whole = application.replayed(**WHOLE_DAY)
        part = application.replayed(**(WHOLE_DAY | {"end_time": paid(3)["event_time"]}))

        first = self.compared(application, whole, part, limit="4")
        second = self.compared(application, whole, part, limit="100", cursor=first["cursor"])

        assert [item["event_id"] for item in first["only_in_from"]] == [result["event_id"] for result in results[2:6]]
        assert first["counts"] == {"only_in_from": 4, "only_in_to": 0, "changed": 0, "shared": 2}
        assert [item["event_id"] for item in second["only_in_from"]] == [result["event_id"] for result in results[6:]]
        assert second["counts"] == {"only_in_from": 6, "only_in_to": 0, "changed": 0, "shared": 0}
        assert second["cursor"] is None

    def test_a_cursor_serves_its_own_query_only(self, application: Application) -> None:
        application.accept_all(paid_several(5))
        whole = application.replayed(**WHOLE_DAY)
        part = application.replayed(**(WHOLE_DAY | {"end_time": paid(3)["event_time"]}))
        cursor = self.compared(application, whole, part, limit="1")["cursor"]
        question = {**ENTITY_DAY, "from": part, "to": whole}

        for query in (question | {"cursor": cursor}, question | {"cursor": f"{cursor[:-2]}AA"}):
            response = application.get("/aggregates/diff", **query)
            assert response.status_code == 400
            assert faults(response).keys() == {"cursor"}

    def test_walks_versions_of_many_pages(self, application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chalicelib.aggregates.tracing.ROWS_A_READ", 4)
        application.accept_all([paid(number) for number in range(1, 31) if number % 3])
        older = application.replayed(**WHOLE_DAY)
        application.accept_all([paid(number) for number in range(1, 31) if not number % 3])
        newer = application.replayed(**WHOLE_DAY)

        found = self.compared(application, older, newer)

        assert found["counts"] == {"only_in_from": 0, "only_in_to": 10, "changed": 0, "shared": 20}
        assert [version["arrived_since"] for version in application.versions("order-1", DAY)] == [0, 10]

    def test_names_the_version_that_is_not_there(self, application: Application) -> None:
        application.accept(paid(1))
        known = application.replayed(**WHOLE_DAY)
        none = "names no version of this entity and day"

        for from_, to, expected in [
            (known, "other", {"to": none}),
            ("other", known, {"from": none}),
            ("one", "other", {"from": none, "to": none}),
        ]:
            response = application.get("/aggregates/diff", **ENTITY_DAY, **{"from": from_, "to": to})
            assert response.status_code == 404
            assert faults(response) == expected

    def test_a_question_that_is_not_valid_is_answered_400(self, application: Application) -> None:
        response = application.get("/aggregates/diff", entity_id="order-1", limit="1001")

        assert response.status_code == 400
        assert faults(response).keys() == {"day", "from", "to", "limit"}

    def test_is_answered_503_where_aws_does_not_take_it(self, application: Application, wire: Wire) -> None:
        wire.disturb(throttled, times=ALWAYS)

        assert application.get("/aggregates/diff", **ENTITY_DAY, **{"from": "a", "to": "b"}).status_code == 503


class TestWhereAnEventWent:
    def test_an_event_names_the_versions_that_hold_it_newest_first(self, application: Application) -> None:
        early, refund = application.accept_all([paid(1), paid(2, event_type="order.refunded")])
        older = application.replayed(**WHOLE_DAY)
        late = application.accept(paid(3))
        by_type = application.replayed(**BY_TYPE)

        def went_into(result: Json) -> list[Json]:
            aggregates: list[Json] = application.get(f"/events/{result['event_id']}").json_body["aggregates"]
            return aggregates

        def version(replay_id: str) -> Json:
            return {**ENTITY_DAY, "period": "P1D", "calendar": "UTC", "replay_id": replay_id}

        assert went_into(early) == [version(by_type), version(older)]
        assert went_into(refund) == [version(older)]
        assert went_into(late) == [version(by_type)]

    def test_that_costs_one_batch_for_each_hundred_versions(
        self, application: Application, wire: Wire, storage: Storage
    ) -> None:
        result = application.accept(paid(1))
        application.replayed(**WHOLE_DAY)
        rows = {row["SK"][:3]: row for row in storage.rows("AGGREGATES_TABLE")}
        for number in range(120):
            name = f"copy-{number:03}"
            storage.put("AGGREGATES_TABLE", rows["P1D"] | {"SK": f"P1D#UTC#{DAY}#VER#{name}", "replay_id": name})
            if number % 2:
                storage.put("AGGREGATES_TABLE", rows["TS#"] | {"PK": f"ENTITY#order-1#P1D#UTC#{DAY}#VER#{name}"})
        wire.mend()

        answer = application.get(f"/events/{result['event_id']}").json_body

        assert len(answer["aggregates"]) == 61
        assert answer["more_aggregates"] is False
        # The identity and two batches of inputs; the arrivals and the versions: those of replays, and of objects.
        assert wire.count() == {"BatchGetItem": 1 + 2, "Query": 1 + 2}

    def test_of_more_versions_than_a_request_looks_at_the_newest_are_named(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = application.accept(paid(1))
        replays = [application.replayed(**WHOLE_DAY) for _ in range(3)]
        monkeypatch.setattr("chalicelib.search.use_cases.VERSIONS_A_READ", 1)
        monkeypatch.setattr("chalicelib.search.use_cases.VERSIONS_LOOKED_AT", 2)

        answer = application.get(f"/events/{result['event_id']}").json_body

        assert [version["replay_id"] for version in answer["aggregates"]] == replays[:0:-1]
        assert answer["more_aggregates"] is True
