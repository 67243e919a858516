"""The published contract of the messages: what is generated from their model, complete, and true of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.events.raw_objects import stored_events
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.messages import SCHEMA, message_of, parse_message
from tests.message_schema import FILE, text
from tests.unit.examples import RECEIPT, an_event

PUBLISHED: dict[str, Any] = json.loads(FILE.read_text())
MESSAGE = message_of("replay-1", TO_AGGREGATES, stored_events([an_event()], RECEIPT, "raw-bucket", "raw/key")[0])


def is_valid(message: Any) -> bool:
    return Draft202012Validator(PUBLISHED).is_valid(message)


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in (schema, *schema["$defs"].values()):
        yield from part["properties"].items()


def test_the_file_is_what_the_model_says() -> None:
    assert FILE.read_text() == text(), "python -m tests.message_schema writes it"


def test_it_is_a_json_schema_with_a_name_and_a_version() -> None:
    Draft202012Validator.check_schema(PUBLISHED)

    assert (PUBLISHED["$schema"], PUBLISHED["$id"]) == ("https://json-schema.org/draft/2020-12/schema", SCHEMA)


@pytest.mark.parametrize(("name", "field"), list(fields(PUBLISHED)))
def test_every_field_says_what_it_is(name: str, field: dict[str, Any]) -> None:
    assert field["description"].endswith("."), name


@pytest.mark.parametrize("example", PUBLISHED["examples"])
def test_the_examples_are_messages(example: dict[str, Any]) -> None:
    assert is_valid(example)
    assert parse_message(json.dumps(example)).model_dump(exclude_none=True) == example


def test_what_planners_send_is_valid() -> None:
    assert is_valid(json.loads(MESSAGE.model_dump_json(exclude_none=True)))


def test_members_that_a_consumer_does_not_know_may_be_added() -> None:
    assert is_valid(MESSAGE.model_dump(exclude_none=True) | {"added": "later"})


@pytest.mark.parametrize("name", PUBLISHED["required"])
def test_what_lacks_a_field_or_has_it_in_another_form_is_no_message(name: str) -> None:
    members = MESSAGE.model_dump(exclude_none=True)

    assert not is_valid({**members, name: []})
    assert not is_valid({key: value for key, value in members.items() if key != name})


def test_what_is_not_said_is_absent_and_never_null() -> None:
    assert not is_valid(MESSAGE.model_dump(exclude_none=True) | {"duplicate": None})


def test_every_field_but_the_repeated_arrival_is_required() -> None:
    assert set(PUBLISHED["required"]) == PUBLISHED["properties"].keys() - {"duplicate"}
