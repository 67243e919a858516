"""What AWS does and its emulators do not, or not by themselves: imitated on the wire, so that it is seen all the same.

What is tested elsewhere is listed in tests/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.awsrequest import AWSResponse

from chalicelib.runtime import system
from tests.functional import ledger
from tests.functional.application import Application, Queue, message
from tests.functional.events import DAY, NEXT_DAY, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Attempt, Effect, Wire, lagging, one_row_a_page

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}


# Indexes, and reads that are not consistent, lag behind
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html


def sent(application: Application, **request: object) -> list[str]:
    """The events that a replay sends."""
    _, messages = application.planned(**request)
    return sorted(found.members["event_id"] for found in messages)


def test_a_replay_of_a_type_sends_what_its_index_shows_and_the_next_one_the_rest(
    application: Application, wire: Wire
) -> None:
    ids = sorted(result["event_id"] for result in application.accept_all(paid_several(3)))
    wire.disturb(lagging(ids[1], "ENTITY#"), "Query", times=ALWAYS)

    assert sent(application, **BY_TYPE) == [ids[0], ids[2]]
    wire.mend()
    assert sent(application, **BY_TYPE) == ids


@pytest.mark.parametrize("request_", [WHOLE_DAY, {**BY_TYPE, "whole_days": True}], ids=["entity", "whole days"])
def test_a_replay_of_an_entity_or_of_whole_days_leaves_nothing_out_however_far_the_index_lags(
    application: Application, wire: Wire, request_: dict[str, object]
) -> None:
    ids = sorted(result["event_id"] for result in application.accept_all(paid_several(3)))
    wire.disturb(lagging(ids[1], "ENTITY#"), "Query", times=ALWAYS)

    assert sent(application, **request_) == ids


@pytest.fixture
def known_lag(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How many seconds replays by type wait for their index."""
    monkeypatch.setenv("INDEX_LAG_SECONDS", "5")
    system.settings.cache_clear()
    yield 5
    system.settings.cache_clear()


@pytest.mark.parametrize("options", [{}, {"whole_days": True}], ids=["plain", "whole days"])
def test_a_replay_of_a_type_waits_until_its_index_shows_every_entity_of_before(
    application: Application, wire: Wire, known_lag: int, options: dict[str, object]
) -> None:
    accepted = [application.accept(paid(number, entity_id=f"order-{number}"))["event_id"] for number in (1, 2)]
    wire.disturb(lagging(accepted[1], "ENTITY#"), "Query", times=ALWAYS)
    replay_id = application.requested(**BY_TYPE, **options)
    application.call("POST", f"/replay/{replay_id}/redrive")

    application.plan()  # what is on the queue comes early
    assert application.messages.received() == []
    wire.mend()
    application.call_planner(message({"replay_id": replay_id, "waited_s": known_lag}))
    application.plan()

    found = {each.members["event_id"] for each in application.messages.taken()}
    job = application.job(replay_id)
    assert found == set(accepted)
    assert job["index_read_to"] == job["created_at"]


@pytest.mark.parametrize("options", [{}, {"whole_days": True}], ids=["plain", "whole days"])
def test_a_replay_whose_index_shows_nothing_yet_does_not_say_that_there_is_nothing(
    application: Application, wire: Wire, options: dict[str, object]
) -> None:
    event_id = application.accept(paid())["event_id"]
    wire.disturb(lagging(event_id, "ENTITY#"), "Query", times=ALWAYS)

    replay_id, messages = application.planned(**BY_TYPE, **options)

    job = application.job(replay_id)
    assert (job["state"], messages) == ("COMPLETE", [])
    assert f"no event that was acknowledged before {job['created_at']}. If one was" in job["advice"]


def test_a_replay_of_an_entity_does_not_wait_for_an_index(application: Application, known_lag: int) -> None:
    application.accept(paid())

    replay_id, messages = application.planned(**WHOLE_DAY)

    assert (len(messages), application.job(replay_id)["index_read_to"], known_lag) == (1, None, 5)


def test_a_search_by_entity_finds_an_event_at_once_and_one_by_type_once_its_index_shows_it(
    application: Application, wire: Wire
) -> None:
    event_id = application.accept(paid())["event_id"]
    wire.disturb(lagging(event_id, "ENTITY#"), "Query", times=ALWAYS)

    assert [item["event_id"] for item in application.get("/events", **WHOLE_DAY).json_body["items"]] == [event_id]
    assert application.get("/events", **BY_TYPE).json_body["items"] == []
    wire.mend()
    assert [item["event_id"] for item in application.get("/events", **BY_TYPE).json_body["items"]] == [event_id]


def test_a_later_arrival_that_is_not_shown_yet_changes_no_aggregate(
    application: Application, wire: Wire, storage: Storage
) -> None:
    event_id = application.accept(paid())["event_id"]
    application.ingest(paid())
    wire.disturb(lagging(event_id, "EVENT#"), "Query", times=ALWAYS)

    before = application.replayed(**WHOLE_DAY, include_duplicates=True)
    wire.mend()
    after = application.replayed(**WHOLE_DAY, include_duplicates=True)

    assert ledger.outcomes(storage, before) == {"INPUT": 1}
    assert ledger.outcomes(storage, after) == {"INPUT": 1, "DUPLICATE": 1}
    newer, older = application.versions("order-1", DAY)
    assert newer["inputs_hash"] == older["inputs_hash"]


# Pages end where they like
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html


def last_page_unknown(attempt: Attempt) -> AWSResponse:
    """A page as long as its limit names a position to go on after, although nothing follows."""
    answer = json.loads(attempt.delivered().content)
    rows = answer.get("Items", [])
    if rows and len(rows) == attempt.members.get("Limit"):
        keys = {"PK", "SK"} | ({"type_day"} if "IndexName" in attempt.members else set())
        answer["LastEvaluatedKey"] = {name: rows[-1][name] for name in keys}
    return attempt.answered(200, json.dumps(answer).encode())


@pytest.mark.parametrize("effect", [one_row_a_page, last_page_unknown])
@pytest.mark.parametrize("query", [WHOLE_DAY, BY_TYPE], ids=["entity", "type"])
def test_a_search_goes_through_all_pages_wherever_they_end(
    application: Application, wire: Wire, effect: Effect, query: dict[str, str]
) -> None:
    application.accept_all(paid_several(4))
    wire.disturb(effect, "Query", times=ALWAYS)

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        answer = application.get("/events", **query, limit="2", **({"cursor": cursor} if cursor else {})).json_body
        found += [item["event_time"] for item in answer["items"]]
        cursor, pages = answer["cursor"], pages + 1
        assert pages < 10

    assert sorted(found) == [paid(number)["event_time"] for number in range(1, 5)]


@pytest.mark.parametrize("effect", [one_row_a_page, last_page_unknown])
@pytest.mark.parametrize(
    "request_", [WHOLE_DAY, BY_TYPE, {**BY_TYPE, "whole_days": True}], ids=["entity", "type", "whole days"]
)
def test_a_replay_sends_everything_once_wherever_pages_end(
    application: Application,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    effect: Effect,
    request_: dict[str, object],
) -> None:
    for size in ("origins.ROWS_A_READ", "origins.FEWEST_ROWS_A_READ", "selection.ROWS_OF_A_DAY"):
        monkeypatch.setattr(f"chalicelib.replays.{size}", 4)
    ids = sorted(result["event_id"] for result in application.accept_all(paid_several(4)))
    if effect is last_page_unknown:
        wire.disturb(effect, "Query", times=ALWAYS, skip=1)  # the first counts
    else:
        wire.disturb(effect, "Query", times=ALWAYS)

    assert sent(application, **request_) == ids


# Receipt handles of before a message was delivered again
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
# https://repost.aws/knowledge-center/sqs-receipt-handle-error


def accepted_and_not_deleted(attempt: Attempt) -> AWSResponse:
    """A standard queue takes an old receipt handle, and the message stays."""
    entries = [{"Id": entry["Id"]} for entry in attempt.members["Entries"]]
    return attempt.answered(200, json.dumps({"Successful": entries, "Failed": []}).encode())


def expired(attempt: Attempt) -> AWSResponse:
    """An old receipt handle is refused."""
    why = {"SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired."}
    entries = [{"Id": entry["Id"], **why} for entry in attempt.members["Entries"]]
    return attempt.answered(200, json.dumps({"Successful": [], "Failed": entries}).encode())


def again(queue: Queue) -> list[str]:
    """What a queue gives out once all visibility timeouts have ended."""
    queue.a_minute_later()
    return sorted(found.body for found in queue.received())


@pytest.mark.parametrize("effect", [accepted_and_not_deleted, expired])
def test_messages_whose_receipts_are_old_are_delivered_again_and_count_once(
    application: Application, wire: Wire, effect: Effect
) -> None:
    application.accept_all(paid_several(3))
    replay_id, received = application.received_beside("{", **WHOLE_DAY)
    wire.disturb(effect, "DeleteMessageBatch", times=ALWAYS)

    for _ in range(2):
        with pytest.raises(Exception, match="1 of 4 messages failed"):
            application.process(received)

    assert again(application.messages) == sorted(found.body for found in received)
    assert (application.job(replay_id)["state"], application.job(replay_id)["processed"]) == ("COMPLETE", 3)
    assert application.versions("order-1", DAY)[0]["event_count"] == 3


@pytest.mark.parametrize("effect", [accepted_and_not_deleted, expired])
def test_dead_letters_whose_receipts_are_old_are_redriven_again_and_count_once(
    application: Application, wire: Wire, effect: Effect
) -> None:
    application.accept_all(paid_several(2))
    replay_id, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    application.give_up_on(messages[1:])
    wire.disturb(effect, "DeleteMessageBatch", times=1)

    for _ in range(2):
        application.call("POST", f"/replay/{replay_id}/redrive")
        application.plan()
        application.process(application.messages.taken())
        application.dead.a_minute_later()

    job = application.job(replay_id)
    assert (job["state"], job["processed"], job["failed"]) == ("COMPLETE", 2, 0)
    assert application.versions("order-1", DAY)[0]["event_count"] == 2
