"""Messages that nobody can process: each ends in the dead-letter queue with its reason, its neighbours count once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.events.raw_objects import MAX_RAW_OBJECT_BYTES
from chalicelib.replays.messages import MAX_MESSAGE_BYTES
from chalicelib.runtime import system
from tests.conftest import SETTINGS
from tests.functional import clients, ledger
from tests.functional.application import Application, Message, message
from tests.functional.conftest import Logs
from tests.functional.events import DAY, NEXT_DAY, paid, paid_several
from tests.functional.storage import Storage
from tests.functional.wire import ALWAYS, Effect, Wire, fails_with, throttled

WHOLE_DAY = {"entity_id": "order-1", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}
BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
RECEIVES = 5
NOBODY = "00000000-0000-7000-8000-000000000000"

Letter = tuple[str, str, str]
"""A dead letter: its body, its failure, its reason."""


def changed(found: Message, **members: Any) -> str:
    return json.dumps({**found.members, **members})


def tampered(storage: Storage, found: Message, before: bytes = b'"number": 7', after: bytes = b'"number": 8') -> str:
    storage.overwrite(found.members["s3_key"], before, after)
    return found.body


def lost(storage: Storage, found: Message) -> str:
    storage.lose(found.members["s3_key"])
    return found.body


Spoil = Callable[[Storage, Message], str]
POISON: dict[str, tuple[str, str, Spoil]] = {
    "another schema": (
        "unknown-schema",
        "The message has the schema urn:retrace:replay-message:2; this version reads urn:retrace:replay-message:1.",
        lambda storage, found: changed(found, schema="urn:retrace:replay-message:2"),
    ),
    "no JSON": ("malformed", "The message is not JSON.", lambda storage, found: "{"),
    "a member missing": (
        "malformed",
        "The message is not a replay message. (source is missing)",
        lambda storage, found: json.dumps({key: each for key, each in found.members.items() if key != "source"}),
    ),
    "a body beyond all": (
        "oversized",
        f"The message has {MAX_MESSAGE_BYTES + 1:,} characters. At most {MAX_MESSAGE_BYTES:,} are read.",
        lambda storage, found: changed(found, pad="").replace('"pad": "', '"pad": "' + "x" * _room(found)),
    ),
    "a line beyond all": (
        "oversized",
        f"The message refers to bytes beyond {MAX_RAW_OBJECT_BYTES:,}; no raw object has as many.",
        lambda storage, found: changed(found, s3_length=10**15),
    ),
    "the wrong bucket": (
        "wrong-bucket",
        "Messages must refer to the raw bucket, not to somebody-elses.",
        lambda storage, found: changed(found, s3_bucket="somebody-elses"),
    ),
    "an unknown replay": (
        "unknown-replay",
        f"There is no replay {NOBODY}.",
        lambda storage, found: changed(found, replay_id=NOBODY),
    ),
    "a missing object": ("missing-object", ".ndjson is missing.", lost),
    "a tampered object": ("integrity", "hashes to", tampered),
    "another event": (
        "integrity",
        "is not the event",
        lambda storage, found: changed(found, event_id="0" * 64),
    ),
}


def _room(found: Message) -> int:
    """How much is to be added to a message that it is one character too long."""
    return MAX_MESSAGE_BYTES + 1 - len(changed(found, pad=""))


@pytest.fixture(params=["partial responses", "none"])
def partial(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether failed messages are told in the response, as packaged, or by failing, as `chalice deploy` has it."""
    partial: bool = request.param == "partial responses"
    if partial:
        monkeypatch.setenv("REPORT_BATCH_ITEM_FAILURES", "true")
        system.settings.cache_clear()
    return partial


def delivered(application: Application, *, partial: bool) -> list[Message]:
    """Everything on ReplayQueue in one batch, as Lambda delivers it; answers what goes back to the queue."""
    received = application.messages.received()
    if partial:
        failed = {each["itemIdentifier"] for each in application.process(received)["batchItemFailures"]}
        for found in received:
            if found.message_id not in failed:
                clients.sqs().delete_message(QueueUrl=application.messages.url, ReceiptHandle=found.receipt_handle)
    else:
        with pytest.raises(Exception, match="messages failed and go back to the queue"):
            application.process(received)
    application.messages.given_back(received)
    back = application.messages.received()
    application.messages.given_back(back)
    return back


def dead_letters(application: Application) -> list[Letter]:
    """What rests in the dead-letter queue, by failure and reason."""
    letters: list[Letter] = []
    while (
        received := clients.sqs()
        .receive_message(QueueUrl=application.dead.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        .get("Messages")
    ):
        for each in received:
            attributes = {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
            assert attributes.keys() - {"source", "event_type", "replay_id"} == {"failure", "reason"}
            letters.append((each["Body"], attributes["failure"], attributes["reason"]))
    return sorted(letters, key=lambda letter: letter[1:])


def worked_off(application: Application, bodies: list[str], *, partial: bool) -> list[Letter]:
    """Have ReplayQueue deliver messages, five times where they fail, and then lay them aside."""
    for body in bodies:
        application.messages.send(body)
    back: list[Message] = []
    for _ in range(RECEIVES):
        back = delivered(application, partial=partial)
    assert application.give_up_on(back) == {"batchItemFailures": []}
    return dead_letters(application)


@pytest.mark.parametrize("kind", POISON)
def test_poison_ends_with_its_reason_and_its_neighbours_are_processed_once(
    application: Application, storage: Storage, kind: str, *, partial: bool
) -> None:
    failure, reason, spoil = POISON[kind]
    application.accept_all(paid_several(3))
    application.accept(paid(7))  # in an object of its own
    replay_id, messages = application.planned(**WHOLE_DAY)
    *good, last = sorted(messages, key=lambda found: str(found.members["event_time"]))
    poison = spoil(storage, last)

    [letter] = worked_off(application, [good[0].body, poison, *(found.body for found in good[1:])], partial=partial)

    assert (letter[0], letter[1]) == (poison, failure)
    assert reason in letter[2]
    assert application.versions("order-1", DAY)[0]["event_count"] == 3
    assert ledger.counts(storage, replay_id)["processed"] == 3


def test_all_kinds_at_once_end_with_their_reasons_and_the_neighbours_are_processed_once(
    application: Application, storage: Storage, *, partial: bool
) -> None:
    application.accept_all(paid_several(len(POISON)))
    for number in range(len(POISON)):
        application.accept(paid(7, entity_id=f"poisoned-{number}"))
    replay_id, messages = application.planned(**BY_TYPE)
    good = [found.body for found in messages if found.members["entity_id"] == "order-1"]
    bad = [found for found in messages if found.body not in good]
    poison = {spoil(storage, found): failure for (failure, _, spoil), found in zip(POISON.values(), bad, strict=True)}

    letters = worked_off(
        application, [body for pair in zip(good, poison, strict=True) for body in pair], partial=partial
    )

    assert {body: failure for body, failure, _ in letters} == poison
    assert len(letters) == len(poison)
    assert application.versions("order-1", DAY)[0]["event_count"] == len(good)
    assert ledger.counts(storage, replay_id)["processed"] == len(good)


@pytest.mark.parametrize(
    ("effect", "attempts"), [(throttled, 3), (fails_with(400, "ValidationException"), 1)], ids=["throttled", "refused"]
)
def test_a_valid_message_says_that_the_processor_failed_and_under_which_id_it_logged_why(
    application: Application, wire: Wire, logs: Logs, effect: Effect, attempts: int
) -> None:
    application.accept(paid())
    _, [found] = application.planned(**WHOLE_DAY)
    wire.disturb(effect, "TransactWriteItems", times=RECEIVES * attempts)

    [(body, failure, reason)] = worked_off(application, [found.body], partial=False)

    assert (body, failure) == (found.body, "consumer")
    assert reason.startswith("Message and event are valid, so the processor or your consumer failed with it.")
    assert reason.endswith("A redrive fails again for as long as that cause is there.")
    [logged] = re.findall("under message_id ([^ ]+)[.]", reason)
    failures = [entry for entry in logs.lines("message failed") if entry["message_id"] == logged]
    assert len(failures) == RECEIVES
    assert all("while writing what became of messages" in entry["reason"] for entry in failures)


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        # As AWS answers of an object that is not there to who may not list the bucket; the emulators answer 404.
        (fails_with(403, "AccessDenied"), "is missing, or the function may not read it, or not list the bucket"),
        (throttled, "AWS did not take a call while reading a raw event (SlowDown)."),
    ],
    ids=["refused", "throttled"],
)
def test_a_raw_object_that_s3_does_not_give_out_is_told_as_such(
    application: Application, wire: Wire, effect: Effect, told: str
) -> None:
    application.accept(paid())
    _, [found] = application.planned(**WHOLE_DAY)
    wire.disturb(effect, "GetObject", times=ALWAYS)

    [(_, failure, reason)] = worked_off(application, [found.body], partial=False)

    assert failure == "storage"
    assert told in reason


def test_the_largest_messages_are_kept_although_one_call_takes_few_of_them(application: Application) -> None:
    # ReplayQueue takes 256 KiB, and no call of SQS more than 1 MiB in all.
    bodies = [json.dumps({"number": number, "pad": "x" * 262_100}) for number in range(10)]

    assert application.give_up_on(list(map(message, bodies))) == {"batchItemFailures": []}

    letters = dead_letters(application)
    assert sorted(body for body, _, _ in letters) == bodies
    assert {failure for _, failure, _ in letters} == {"oversized"}


def test_names_that_sqs_does_not_take_are_told_in_visible_ascii(application: Application) -> None:
    application.give_up_on([message({"s3_bucket": "\u0000\ufffe\ud800", "s3_key": "k" * 5_000, "\u0001": "\n"})])

    [(_, failure, reason)] = dead_letters(application)
    assert failure == "malformed"
    assert reason.isascii()
    assert reason.isprintable()


def test_a_redriven_message_takes_no_reason_along_and_gets_another_if_it_fails_again(
    application: Application, storage: Storage
) -> None:
    application.accept(paid())
    replay_id, [found] = application.planned(**WHOLE_DAY)
    tampered(storage, found, b'"number": 1', b'"number": 2')
    application.give_up_on([found])
    application.call("POST", f"/replay/{replay_id}/redrive")
    application.plan()

    [attributes] = application.messages.attributes()
    assert attributes == {"source": "shop/checkout", "event_type": "order.paid", "replay_id": replay_id}
    storage.lose(found.members["s3_key"])
    application.give_up_on([found])
    assert [failure for _, failure, _ in dead_letters(application)] == ["missing-object"]


def test_a_dead_letter_keeps_the_attributes_of_its_message(application: Application) -> None:
    application.accept(paid())
    replay_id, [found] = application.planned(**WHOLE_DAY)

    application.give_up_on([found, message("{")])

    of_message, of_no_message = sorted(application.dead.attributes(), key=len, reverse=True)
    assert of_message.items() >= {"source": "shop/checkout", "event_type": "order.paid", "replay_id": replay_id}.items()
    assert of_message["failure"] == "consumer"
    assert of_no_message.keys() == {"failure", "reason"}


def test_why_a_message_is_a_dead_letter_is_logged_too(application: Application, logs: Logs) -> None:
    application.give_up_on([message("{")])

    [line] = logs.lines("message is a dead letter")
    assert (line["failure"], line["reason"]) == ("malformed", "The message is not JSON.")


def test_no_more_is_read_of_an_object_than_any_raw_object_has(application: Application) -> None:
    key = "raw/source=huge/event_date=2023-06-30/ingest_date=2023-06-30/huge.ndjson"
    clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=key, Body=b"x" * (MAX_RAW_OBJECT_BYTES + 1))

    application.give_up_on([message({"s3_bucket": SETTINGS["RAW_BUCKET"], "s3_key": key})])

    [(_, failure, reason)] = dead_letters(application)
    assert (failure, reason) == ("integrity", f"The raw object {key} is larger than any that Retrace writes.")
