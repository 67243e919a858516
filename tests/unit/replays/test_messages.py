"""Replay messages: a public contract, read strictly and refused with reasons."""

from __future__ import annotations

import itertools
import json
import random
from math import ceil
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.sqs_batches import MESSAGES_A_CALL
from chalicelib.core.errors import InvalidRequest, UnknownSchema
from chalicelib.core.pagination import chunked
from chalicelib.events.raw_objects import stored_events
from chalicelib.replays.commit_batch import ORDERED_MESSAGES_A_BATCH
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.messages import (
    Duplicate,
    ObjectReference,
    ReplayMessage,
    by_entity_and_day,
    message_of,
    ordered_calls,
    parse_message,
    side_by_side,
)
from tests.unit.examples import INGESTED, RECEIPT, an_event, event_in, natives, small, stored
from tests.unit.json_trees import Members, Num, Tree, randoms, trees, write

STORED = stored_events([an_event()], RECEIPT, "raw-bucket", "raw/key")[0]
MESSAGE = message_of("replay-1", TO_AGGREGATES, STORED)


def members(**others: Any) -> dict[str, Any]:
    return MESSAGE.model_dump(exclude_none=True) | others


def faults_of(body: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_message(json.dumps(body))
    return {fault.field: fault.message for fault in caught.value.faults}


def test_a_message_says_what_the_event_is_and_where_it_stands() -> None:
    assert json.loads(MESSAGE.model_dump_json(exclude_none=True)) == {
        "schema": "urn:retrace:replay-message:1",
        "replay_id": "replay-1",
        "destination": "aggregates",
        "event_id": STORED.event_id,
        "entity_id": "order-1007",
        "event_time": "2026-11-21T23:59:59.500000000Z",
        "ingest_time": INGESTED,
        "source": "shop/checkout",
        "event_type": "order.paid",
        "content_sha256": STORED.content_sha256,
        "s3_bucket": "raw-bucket",
        "s3_key": "raw/key",
        "s3_offset": 0,
        "s3_length": STORED.location.length,
    }


@given(natives(small), randoms)
def test_a_message_is_read_as_it_was_sent(native: Members, rng: Random) -> None:
    [stored] = stored_events([event_in(write(native, rng))], RECEIPT, "raw-bucket", "raw/key")
    message = message_of("replay-1", TO_AGGREGATES, stored)

    assert parse_message(message.body) == message
    assert message.location == stored.location


def test_a_message_of_a_later_version_may_say_more() -> None:
    assert parse_message(json.dumps(members(trace_id="x"))) == MESSAGE


@pytest.mark.parametrize("field", list(members()))
def test_a_message_without_one_of_its_fields_is_refused(field: str) -> None:
    body = members()
    del body[field]

    assert field in faults_of(body) or field == "replay_id"
    assert faults_of(body)


@pytest.mark.parametrize("schema", ["urn:retrace:replay-message:2", "", None, 1, ["x"], {"a": "b" * 1_000}, "\ud800"])
def test_a_message_of_another_schema_is_refused_as_such(schema: Any) -> None:
    body = json.dumps({"schema": schema, "replay_id": 7})

    with pytest.raises(UnknownSchema, match=r"this version reads urn:retrace:replay-message:1\.") as caught:
        parse_message(body)

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("destination", ""),
        ("ingest_time", "yesterday"),
        ("event_id", "ab"),
        ("event_id", "AB" * 32),
        ("event_id", "ab" * 32 + "\n"),
        ("content_sha256", "g" * 64),
        ("replay_id", ""),
        ("replay_id", None),
        ("entity_id", ""),
        ("s3_key", ""),
        ("s3_offset", -1),
        ("s3_offset", "0"),
        ("s3_offset", 0.5),
        ("s3_length", 0),
        ("s3_length", True),
        ("replay_id", "#" * 100),
        ("entity_id", "e" * 1_025),
        ("event_time", "2026-11-21T23:59:59Z"),
        ("event_time", "2026-11-21T23:59:59.500000000+00:00"),
        ("event_time", "\u0662026-11-21T23:59:59.500000000Z"),
    ],
)
def test_a_message_with_a_wrong_value_is_refused_by_name(field: str, value: Any) -> None:
    assert list(faults_of(members(**{field: value}))) == [field]


@pytest.mark.parametrize(
    "body", ["", "replay", "[]", "null", "7", '"{}"', "[" * 100_000, '{"a":' * 100_000, "9" * 5_000]
)
def test_what_is_no_message_is_refused_and_not_an_accident(body: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_message(body)


class TestLaterArrival:
    DUPLICATE = Duplicate(ingest_time=INGESTED, request_id="again", position=3)

    def test_is_named_by_the_message_that_stands_for_it(self) -> None:
        message = message_of("replay-1", TO_AGGREGATES, STORED, self.DUPLICATE)

        assert json.loads(message.model_dump_json(exclude_none=True)) == members(
            duplicate={"ingest_time": INGESTED, "request_id": "again", "position": 3}
        )
        assert parse_message(message.body) == message
        assert hash(parse_message(message.model_dump_json())) == hash(message)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("ingest_time", "yesterday"),
            ("ingest_time", None),
            ("request_id", ""),
            ("request_id", "r" * 513),
            ("position", -1),
            ("position", "3"),
        ],
    )
    def test_with_a_wrong_value_is_refused_by_name(self, field: str, value: Any) -> None:
        assert list(faults_of(members(duplicate=self.DUPLICATE.model_dump() | {field: value}))) == [
            f"duplicate.{field}"
        ]


WRITTEN: Members = {name: Num(str(value)) if isinstance(value, int) else value for name, value in members().items()}


@given(st.sampled_from(list(WRITTEN)), trees(), randoms)
def test_any_json_is_a_message_or_refused(field: str, tree: Tree, rng: Random) -> None:
    for body in (write(tree, rng), write({**WRITTEN, field: tree}, rng)):
        try:
            message = parse_message(body)
        except InvalidRequest:
            message = MESSAGE
        assert isinstance(message, ReplayMessage | ObjectReference)
        assert message.s3_key


class TestObjectReference:
    def test_names_a_whole_object(self) -> None:
        assert parse_message('{"s3_bucket": "b", "s3_key": "k"}') == ObjectReference(s3_bucket="b", s3_key="k")

    def test_says_nothing_else(self) -> None:
        assert faults_of({"s3_bucket": "b", "s3_key": "k", "s3_offset": 0}) == {"s3_offset": "is not a known field"}

    def test_gives_the_same_version_whenever_it_is_delivered(self) -> None:
        one, again = (
            parse_message(body) for body in ('{"s3_bucket":"b","s3_key":"k"}', '{"s3_key": "k", "s3_bucket": "b"}')
        )

        assert one.replay_id == again.replay_id

    @given(st.tuples(st.text("abé/#", min_size=1), st.text("abé/#", min_size=1)), st.data())
    def test_gives_no_two_objects_one_version(self, names: tuple[str, str], data: st.DataObject) -> None:
        joined = "".join(names)
        cut = data.draw(st.integers(1, len(joined) - 1))
        one = ObjectReference(s3_bucket=names[0], s3_key=names[1])
        other = ObjectReference(s3_bucket=joined[:cut], s3_key=joined[cut:])

        assert (one.replay_id == other.replay_id) == (one == other)

    def test_gives_a_version_that_no_replay_has(self) -> None:
        assert ObjectReference(s3_bucket="b", s3_key="k").replay_id.startswith("object-")


def test_a_message_is_strict_about_types_as_a_model_too() -> None:
    with pytest.raises(ValueError, match="s3_offset"):
        ReplayMessage.model_validate(members(s3_offset="0"))


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_rounds_hold_every_message_once_each_entitys_in_order_and_none_of_an_entity_twice(entities: list[str]) -> None:
    messages = [
        MESSAGE.model_copy(update={"entity_id": entity, "s3_offset": number}) for number, entity in enumerate(entities)
    ]

    together = list(side_by_side(ordered_calls(messages, 3)))

    calls = [call for some in together for call in some]
    most_of_one = max((entities.count(entity) for entity in entities), default=0)
    assert len(calls) == max(most_of_one, ceil(len(entities) / 3))
    for call in calls:
        assert 0 < len({message.entity_id for message in call}) == len(call) <= 3
    for some in together:
        assert len({message.entity_id for call in some for message in call}) == sum(map(len, some))
    for entity in set(entities):
        of_entity = [message for call in calls for message in call if message.entity_id == entity]
        assert of_entity == [message for message in messages if message.entity_id == entity]


def test_ten_thousand_events_of_a_hundred_entities_take_few_calls_in_order() -> None:
    """Ordered batches of events that come as they happened, the entities mixed at random."""
    entities = random.Random(1).choices([f"order-{number}" for number in range(100)], k=10_000)  # of a test
    messages = [
        MESSAGE.model_copy(update={"entity_id": entity, "s3_offset": number}) for number, entity in enumerate(entities)
    ]

    batches = chunked(messages, ORDERED_MESSAGES_A_BATCH)
    calls = [call for batch in batches for call in ordered_calls(batch, MESSAGES_A_CALL)]

    assert len(calls) / len(messages) <= 0.15
    for entity in set(entities):
        sent = [message.s3_offset for call in calls for message in call if message.entity_id == entity]
        assert sent == sorted(sent)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["2026-11-21", "2026-11-22"])), max_size=30))
def test_messages_of_an_entity_and_day_come_one_after_the_other_in_their_order(places: list[tuple[str, str]]) -> None:
    messages = [
        MESSAGE.model_copy(
            update={"entity_id": entity, "event_time": f"{day}T12:00:00.000000000Z", "s3_offset": number}
        )
        for number, (entity, day) in enumerate(places)
    ]

    together = by_entity_and_day(messages)

    groups = [
        (key, [message.s3_offset for message in group])
        for key, group in itertools.groupby(together, lambda message: (message.entity_id, message.event_time[:10]))
    ]
    assert dict(groups) == {place: [n for n, other in enumerate(places) if other == place] for place in places}
    assert len(groups) == len(set(places))


@given(st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable() or "\uffff" in name))
def test_a_message_is_sent_in_characters_that_sqs_takes_and_read_as_it_was(entity_id: str) -> None:
    """SQS refuses, or replaces, what XML does not know, such as U+FFFF."""
    message = message_of("replay-1", TO_AGGREGATES, stored(an_event(entity_id=f"{entity_id}\uffff\ufffe")))

    assert message.body.isascii()
    assert parse_message(message.body) == message
