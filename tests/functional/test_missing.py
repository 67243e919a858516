"""Replays of only what is missing, from the route to the queue: exactly what was not processed, or not sent there."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from chalicelib.core.errors import NotFound, RetraceError
from chalicelib.replays import commit_batch, estimate, origins
from chalicelib.replays.estimate import Takes
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.events import DAY, Json, paid
from tests.functional.storage import Storage
from tests.functional.test_outcomes import WHOLE_DAY, of, report, sent_to_billing
from tests.functional.wire import ALWAYS, Attempt, Effect, Killed, Wire, killed_after, killed_before, throttled

BILLING = {"destination": "billing"}


@pytest.fixture(autouse=True)
def few_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "LOOKED_UP_TOGETHER", 3)
    monkeypatch.setattr(origins, "LOOKED_UP_A_CALL", 2)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_batch, "MESSAGES_A_BATCH", 2)


def unprocessed(of_replay: str, **more: Any) -> Json:
    return {"only": "unprocessed", "of": of_replay, **more}


A_DOLLAR = Takes(api_requests=1 / Takes(api_requests=1).usd)


def looked_up(wire: Wire) -> list[Json]:
    """The keys that are looked up from now on, a hundred or fewer in a call."""
    found: list[Json] = []

    def noted(attempt: Attempt) -> AWSResponse:
        found.extend(key for table in attempt.members["RequestItems"].values() for key in table["Keys"])
        return attempt.delivered()

    wire.disturb(noted, "BatchGetItem", times=ALWAYS)
    return found


def ids(messages: list[Json]) -> list[str]:
    return sorted(each["event_id"] for each in messages)


def repeated(application: Application, of_replay: str, **more: Any) -> tuple[str, list[Json]]:
    """The replay of what another left, and what it sent to billing."""
    replay_id = application.requested_and_planned(**unprocessed(of_replay, **more))
    return replay_id, [each.members for each in application.billing.taken()]


def previewed(application: Application, body: Json) -> Json:
    return dict(application.preview(body).json_body)


@pytest.mark.parametrize("filters", [{}, {"exclude": {"event_types": ["order.refunded"]}}])
@pytest.mark.parametrize("only", ["unprocessed", "not_sent_to"])
def test_a_preview_prices_what_planners_look_up(
    reporting: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch, only: str, filters: Json
) -> None:
    first, messages = sent_to_billing(reporting, 7)
    report(reporting, first, of("done", messages[:4]))
    reporting.accept_all([paid(8), paid(9, event_type="order.refunded")])
    body = unprocessed(first) if only == "unprocessed" else {**WHOLE_DAY, **BILLING, "only": only}
    monkeypatch.setattr(estimate, "LOOKED_UP", A_DOLLAR)
    told = previewed(reporting, {**body, **filters})
    reporting.requested(**body, **filters)
    keys = looked_up(wire)

    reporting.plan()

    assert len(keys) == (7 if only == "unprocessed" else 8 if filters else 9)
    assert len(keys) <= told["estimated_cost_usd"] <= len(keys) + 0.001


def test_what_a_consumer_lost_or_failed_is_sent_again_and_nothing_else(
    reporting: Application, small_batches: None
) -> None:
    first, messages = sent_to_billing(reporting, 7)
    report(reporting, first, of("done", messages[:2]) + of("failed", messages[2:4], reason="no such account"))

    counted = previewed(reporting, unprocessed(first))
    second, again = repeated(reporting, first)

    assert ids(again) == ids(messages[2:])
    assert (counted["messages"], counted["exact"], counted["by_type"]) == (5, True, {"order.paid": 5})
    asked = {"destination": "billing", "only": "unprocessed", "of": first}
    assert asked.items() <= counted["request"].items()
    assert counted["request"] == reporting.job(second)["request"]
    assert {each["replay_id"] for each in again} == {second}
    assert reporting.job(second)["sent"] == 5

    report(reporting, second, of("done", again[1:]))
    _, last = repeated(reporting, second)
    assert ids(last) == ids(again[:1])


def test_once_all_is_done_nothing_is_left_and_the_answer_says_so(reporting: Application) -> None:
    first, messages = sent_to_billing(reporting, 3)
    report(reporting, first, of("done", messages))

    counted = previewed(reporting, unprocessed(first))
    second, again = repeated(reporting, first)

    told = f"Each of the 3 messages of replay {first} was processed, or passes no filter."
    assert (counted["messages"], counted["advice"]) == (0, told)
    assert (again, reporting.job(second)["advice"]) == ([], told)


def test_a_duplicate_that_was_lost_is_sent_again_as_that_duplicate(reporting: Application) -> None:
    for _ in range(3):
        reporting.ingest(paid(1))
    first = reporting.requested_and_planned(**WHOLE_DAY, **BILLING, include_duplicates=True)
    messages = [each.members for each in reporting.billing.taken()]
    lost = next(each for each in messages if "duplicate" in each)
    report(reporting, first, of("done", [each for each in messages if each is not lost]))

    _, again = repeated(reporting, first)

    assert [(each["event_id"], each["duplicate"]) for each in again] == [(lost["event_id"], lost["duplicate"])]


def test_messages_that_the_processor_never_got_or_could_not_process_are_sent_again(application: Application) -> None:
    application.accept_all([paid(number) for number in range(1, 7)])
    first, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:2])
    application.give_up_on(messages[2:3])

    counted = previewed(application, unprocessed(first, whole_days=True))
    _, again = application.planned(**unprocessed(first))

    assert sorted(each.members["event_id"] for each in again) == ids([each.members for each in messages[2:]])
    assert counted["messages"] == 6
    application.process(again)
    [second_version, first_version] = application.versions("order-1", DAY)
    assert (second_version["event_count"], first_version["event_count"]) == (4, 2)
    assert f"Its replay took only what replay {first} left unprocessed." in second_version["partial_because"]


def test_the_whole_days_of_what_the_processor_left_make_complete_versions(application: Application) -> None:
    application.accept_all([paid(number) for number in range(1, 4)])
    first, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])

    _, again = application.planned(**unprocessed(first, whole_days=True))
    application.process(again)

    newest = application.versions("order-1", DAY)[0]
    assert (newest["event_count"], newest["complete"]) == (3, True)


def test_messages_of_a_cancelled_replay_that_were_dropped_are_left(application: Application) -> None:
    application.accept_all([paid(number) for number in range(1, 4)])
    first, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:1])
    application.call("POST", f"/replay/{first}/cancel")
    application.process(messages[1:2])

    _, again = application.planned(**unprocessed(first))

    assert sorted(each.members["event_id"] for each in again) == ids([each.members for each in messages[1:]])


@pytest.mark.parametrize("end", [killed_before, killed_after], ids=["before", "after"])
@pytest.mark.parametrize("operation", ["PutItem", "SendMessageBatch", "BatchWriteItem", "BatchGetItem", "Query"])
@pytest.mark.parametrize("only", ["unprocessed", "not_sent_to"])
def test_a_planner_killed_at_any_call_loses_and_adds_nothing(  # noqa: PLR0913, PLR0917  # drawn one by one
    reporting: Application, small_batches: None, wire: Wire, end: Effect, operation: str, only: str
) -> None:
    first, messages = sent_to_billing(reporting, 5)
    report(reporting, first, of("done", messages[:2]))
    later = [each["event_id"] for each in reporting.accept_all([paid(number) for number in range(11, 16)])]
    if only == "unprocessed":
        asked, wanted = unprocessed(first), ids(messages[2:])
    else:
        asked, wanted = {**WHOLE_DAY, **BILLING, "only": "not_sent_to"}, sorted(later)
    replay_id = reporting.requested(**asked)

    ends = 0
    for skip in range(2):
        wire.disturb(end, operation, skip=skip)
    while slices := reporting.jobs.taken():
        for found in slices:
            try:
                reporting.call_planner(found)
            except Killed:
                ends += 1
                reporting.jobs.send(found.body)  # its visibility timeout ends

    sent = [each.members for each in reporting.billing.taken()]
    assert sorted({each["event_id"] for each in sent}) == wanted
    assert (ends > 0, reporting.job(replay_id)["sent"]) == (True, len(wanted))


def test_only_events_go_to_a_destination_that_were_never_sent_there(
    application: Application, small_batches: None
) -> None:
    application.accept_all([paid(number) for number in range(1, 6)])
    application.planned(**WHOLE_DAY)  # to the processor, which is another destination
    application.requested_and_planned(**WHOLE_DAY, **BILLING, max_messages=3)
    sent = [each.members for each in application.billing.taken()]
    asked = {**WHOLE_DAY, **BILLING, "only": "not_sent_to"}

    counted = previewed(application, asked)
    application.requested_and_planned(**asked)
    rest = [each.members for each in application.billing.taken()]
    nothing = previewed(application, asked)

    assert len(ids(sent + rest)) == len(set(ids(sent + rest))) == 5
    assert (counted["messages"], counted["exact"], counted["scanned"]) == (2, True, 5)
    assert (nothing["messages"], nothing["advice"]) == (
        0,
        "Each of the 5 events was sent to billing before, or passes no filter.",
    )


def test_what_is_kept_of_an_event_that_was_sent_is_a_key(application: Application, storage: Storage) -> None:
    [accepted] = application.accept_all([paid(1)])
    for _ in range(2):
        application.requested_and_planned(**WHOLE_DAY, **BILLING)

    kept = [row for row in storage.rows("REPLAYS_TABLE") if row["PK"].startswith("DESTINATION#billing#SENT#")]

    event_id = accepted["event_id"]
    assert kept == [{"PK": f"DESTINATION#billing#SENT#{event_id[:3]}", "SK": event_id}]


def test_what_a_replay_to_the_processor_sent_is_kept_by_the_batch_alone(
    application: Application, storage: Storage, small_batches: None
) -> None:
    application.accept_all([paid(number) for number in range(1, 6)])
    replay_id, _ = application.planned(**WHOLE_DAY)

    rows = [row for row in storage.rows("REPLAYS_TABLE") if row["PK"] == f"REPLAY#{replay_id}#OUTBOX"]

    listed = sorted(row["SK"] for row in rows if "commit_id" in row)
    assert listed == ["SENT#000000000000", "SENT#000000000002", "SENT#000000000004"]
    assert len(rows) == 2 * len(listed)
    assert all("expires_at" in row for row in rows)


@pytest.mark.parametrize("what", ["content", "commit_id"])
def test_a_replay_of_what_another_left_fails_if_a_batch_has_expired(
    reporting: Application, storage: Storage, small_batches: None, what: str
) -> None:
    first, _ = sent_to_billing(reporting, 5)
    replay_id = reporting.requested(**unprocessed(first))
    rows = [row for row in storage.rows("REPLAYS_TABLE") if row["PK"] == f"REPLAY#{first}#OUTBOX" and what in row]
    row = sorted(rows, key=lambda row: str(row["SK"]))[1]
    key = {name: {"S": row[name]} for name in ("PK", "SK")}
    clients.dynamodb().delete_item(TableName=SETTINGS["REPLAYS_TABLE"], Key=key)

    [task] = reporting.jobs.taken()
    reporting.call_planner(task)  # has time for one batch, which is there
    [task] = reporting.jobs.taken()
    with pytest.raises(NotFound):
        reporting.call_planner(task, receives=5)

    assert reporting.job(replay_id)["state"] == "FAILED"
    assert "expired after 30 days" in reporting.job(replay_id)["failure"]


def test_a_replay_that_is_still_sending_is_refused_and_shown(reporting: Application) -> None:
    reporting.accept(paid(1))
    first = reporting.requested(**WHOLE_DAY, **BILLING)

    for answer in (reporting.request_replay(unprocessed(first)), reporting.preview(unprocessed(first))):
        assert answer.status_code == 409
        assert f"GET /replay/{first}" in answer.json_body["detail"]


def test_a_destination_without_reports_is_refused_with_the_remedy(application: Application) -> None:
    first = application.requested_and_planned(**WHOLE_DAY, **BILLING)

    answer = application.request_replay(unprocessed(first))

    assert answer.status_code == 409
    assert "reports: true" in answer.json_body["detail"]


def test_a_large_rest_is_confirmed_by_the_number_that_the_counts_say(
    reporting: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.replays.preview.REQUEST_US", 1)
    first, messages = sent_to_billing(reporting, 6)
    report(reporting, first, of("done", messages[:2]))

    counted = previewed(reporting, unprocessed(first))

    assert (counted["messages"], counted["exact"]) == (4, True)
    assert counted["scanned"] < 6


def test_what_a_planner_could_not_send_was_not_sent(application: Application, wire: Wire) -> None:
    application.accept_all([paid(number) for number in range(1, 4)])
    given_up = application.requested(**WHOLE_DAY, **BILLING)
    [task] = application.jobs.taken()
    wire.disturb(throttled, "SendMessageBatch", times=ALWAYS)
    with pytest.raises(RetraceError):
        application.call_planner(task, receives=5)
    wire.mend()

    replay_id = application.requested_and_planned(**WHOLE_DAY, **BILLING, only="not_sent_to")

    assert (application.job(given_up)["state"], application.job(given_up)["sent"]) == ("FAILED", 3)
    assert application.job(replay_id)["sent"] == 3
