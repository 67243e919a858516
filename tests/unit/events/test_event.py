"""Native events: what is valid, every reason why not, and what is kept of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.events.cloudevent_attributes import TRANSPORT
from chalicelib.events.raw_objects import line_of, parse_line, verify
from tests.unit.examples import RECEIPT, an_event, event_in, native, natives
from tests.unit.json_trees import Members, numbers, randoms, write


def faults_of(text: str) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        event_in(text)
    return {fault.field: fault.message for fault in caught.value.faults}


def faults_with(**members: Any) -> dict[str, str]:
    return faults_of(json.dumps(native(**members)))


def test_an_event_is_what_its_members_say() -> None:
    event = an_event(source="s", event_type="t", entity_id="e", event_time="2026-11-22T01:00:00+02:00")

    assert (event.source, event.event_type, event.entity_id) == ("s", "t", "e")
    assert event.event_time == "2026-11-21T23:00:00.000000000Z"


@given(natives(), randoms.map(lambda rng: rng))
def test_the_text_of_an_event_is_kept_token_for_token_on_one_line(native: Members, rng: Any) -> None:
    sent = write(native, rng)

    assert event_in(sent).text == sent.strip(" \t\r\n").replace("\r", " ").replace("\n", " ")


@given(st.lists(numbers, max_size=5))
def test_numbers_are_kept_as_they_were_written(written: list[Any]) -> None:
    payload = f"[{', '.join(number.literal for number in written)}]"

    assert event_in(json.dumps(native(payload="?")).replace('"?"', payload)).text.endswith(f'"payload": {payload}}}')


@pytest.mark.parametrize("payload", [None, True, 0, "", [], {}, [None], {"": {"": []}}])
def test_a_payload_is_any_json(payload: Any) -> None:
    assert json.loads(an_event(payload=payload).text)["payload"] == payload


OF_NO_TYPE = "must be a string, a whole number, true or false"
OF_NO_SIZE = "must be a whole number from -2147483648 to 2147483647, without fraction or exponent"
NO_NAME = "is not an attribute name: lower-case letters a to z and digits only"
NO_EXTENSION = "is an attribute of CloudEvents itself, and not an extension"


class TestExtensions:
    def test_are_kept_as_they_were_sent(self) -> None:
        given = {"tenant": "eu", "level": -5, "test": True, "traceparent": "00-1"}

        assert json.loads(an_event(extensions=given).text)["extensions"] == given

    @pytest.mark.parametrize("nothing", [None, {}, {"traceparent": "00-1"}])
    def test_that_say_nothing_of_the_event_are_no_part_of_its_content(self, nothing: Any) -> None:
        assert an_event(extensions=nothing).content_sha256 == an_event().content_sha256

    def test_are_the_same_in_any_order_and_as_text(self) -> None:
        one, other = an_event(extensions={"a": 5, "b": True}), an_event(extensions={"b": "true", "a": "5"})

        assert one.content_sha256 == other.content_sha256
        assert one.content_sha256 != an_event(extensions={"a": 5, "b": False}).content_sha256
        assert one.content_sha256 != an_event(payload={"total": 1, "extensions": {"a": 5, "b": True}}).content_sha256

    @given(st.sampled_from(sorted(TRANSPORT)), st.text(st.characters(min_codepoint=32, max_codepoint=126)))
    def test_of_transport_change_nothing_but_the_text(self, name: str, value: str) -> None:
        event = an_event(extensions={"tenant": "eu", name: value})

        assert event.event_id == an_event(extensions={"tenant": "eu"}).event_id
        assert verify(parse_line(line_of(event, RECEIPT))) == event

    @pytest.mark.parametrize(
        ("extensions", "faults"),
        [
            ([], {"extensions": "must be a JSON object"}),
            ({"Tenant": "eu"}, {"extensions.Tenant": NO_NAME}),
            ({"subject": "x", "data": 1}, dict.fromkeys(("extensions.subject", "extensions.data"), NO_EXTENSION)),
            ({"a": None, "b": [1]}, dict.fromkeys(("extensions.a", "extensions.b"), OF_NO_TYPE)),
            ({"a": 2**31, "b": 1.0}, dict.fromkeys(("extensions.a", "extensions.b"), OF_NO_SIZE)),
            ({"a": "\x00"}, {"extensions.a": "contains a control character or a code point that is not a character"}),
        ],
        ids=str,
    )
    def test_that_no_cloudevent_can_have_are_refused_beside_every_other_fault(
        self, extensions: Any, faults: dict[str, str]
    ) -> None:
        assert faults_with(extensions=extensions, source="") == {"source": "must not be empty", **faults}
        assert faults_with(extensions=extensions) == faults

    @pytest.mark.parametrize("number", [2**31 - 1, -(2**31), 0])
    def test_may_be_integers_of_32_bits(self, number: int) -> None:
        as_number, as_text = an_event(extensions={"a": number}), an_event(extensions={"a": str(number)})

        assert as_number.content_sha256 == as_text.content_sha256


class TestRefusal:
    def test_lists_every_reason_at_once(self) -> None:
        text = '{"source":"","event_type":7,"event_time":"2026-11-21","payload":[NaN,{"a":1,"a":2}],"entityId":"e"}'

        assert faults_of(text) == {
            "payload[0]": "NaN is not a JSON number",
            "payload[1].a": "is a duplicate key",
            "source": "must not be empty",
            "event_type": "must be a string",
            "entity_id": "is missing",
            "event_time": "is not an RFC 3339 timestamp such as 2026-11-21T23:59:59.123Z",
            "entityId": "is not a known field",
        }

    @pytest.mark.parametrize("field", ["source", "event_type", "entity_id", "event_time", "payload"])
    def test_names_a_missing_field(self, field: str) -> None:
        members = native()
        del members[field]

        assert faults_of(json.dumps(members)) == {field: "is missing"}

    @pytest.mark.parametrize("field", ["source", "event_type", "entity_id", "idempotency_key"])
    def test_names_an_empty_field(self, field: str) -> None:
        assert faults_with(**{field: ""}) == {field: "must not be empty"}

    @pytest.mark.parametrize("field", ["source", "event_type", "entity_id", "event_time", "idempotency_key"])
    @pytest.mark.parametrize("value", [1, True, ["x"], {"x": 1}])
    def test_names_a_field_of_another_type(self, field: str, value: Any) -> None:
        assert faults_with(**{field: value}) == {field: "must be a string"}

    @pytest.mark.parametrize("field", ["source", "event_type", "entity_id", "event_time"])
    def test_takes_null_for_no_string(self, field: str) -> None:
        assert faults_with(**{field: None}) == {field: "must be a string"}

    @pytest.mark.parametrize("field", ["source", "event_type", "entity_id", "event_time", "idempotency_key"])
    def test_names_a_field_with_a_lone_surrogate(self, field: str) -> None:
        assert faults_with(**{field: "\ud800"}) == {
            field: "contains a lone surrogate, which is not a Unicode character"
        }

    def test_names_a_field_that_stands_twice(self) -> None:
        text = json.dumps(native()).replace("{", '{"source": "other", ', 1)

        assert faults_of(text) == {"source": "is a duplicate key"}

    def test_does_not_show_what_was_sent(self) -> None:
        faults = faults_with(source=["secret"], event_time="secret", entity_id="secret" * 200)

        assert set(faults) == {"source", "event_time", "entity_id"}
        assert "secret" not in "".join(faults.values())

    @pytest.mark.parametrize("text", ["1", '"event"', "null", "[]", "NaN"])
    def test_is_the_answer_to_what_is_no_object(self, text: str) -> None:
        assert "must be a JSON object" in faults_of(text).values() or "NaN" in faults_of(text)[""]

    def test_is_given_a_reason_even_where_a_key_is_no_unicode(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            event_in(json.dumps(native(**{"\ud800": 1})))

        assert all(fault.field.encode().decode() == fault.field for fault in caught.value.faults)


# Inside S3 keys all but unreserved characters are percent-encoded; inside DynamoDB keys "#" and "%" alone are.
LIMITS = [
    ("source", "s" * 384),
    ("source", "/" * 128),
    ("source", "é" * 64),
    ("event_type", "t" * 384),
    ("event_type", "#" * 128),
    ("event_type", "é" * 192),
    ("entity_id", "e" * 1024),
    ("entity_id", "%" * 341 + "e"),
    ("entity_id", "😀" * 256),
    ("idempotency_key", "k" * 512),
    ("idempotency_key", "#" * 512),
    ("idempotency_key", "é" * 256),
]


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_field_as_long_as_allowed_is_accepted(field: str, value: str) -> None:
    assert json.loads(an_event(**{field: value}).text)[field] == value


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_field_one_byte_longer_is_refused_with_both_sizes(field: str, value: str) -> None:
    faults = faults_with(**{field: f"{value}x"})

    assert list(faults) == [field]
    assert "bytes" in faults[field]
    assert "are allowed" in faults[field]


def test_the_two_sizes_are_those_that_count() -> None:
    assert faults_with(source="/" * 129) == {"source": "is 387 bytes once percent-encoded: at most 384 are allowed"}
    assert faults_with(idempotency_key="é" * 257) == {"idempotency_key": "is 514 bytes: at most 512 are allowed"}


def test_many_unknown_fields_are_not_all_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        event_in(json.dumps(native(**{f"{'x' * 300}{number}": 1 for number in range(5_000)})))

    assert len(caught.value.faults) == 21
    assert max(len(fault.field) for fault in caught.value.faults) == 100
