"""CloudEvents: one event whatever its mode, every rule on attributes, and every fault at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Fault, InvalidRequest, RequestTooLarge
from chalicelib.core.lossless_json import parse
from chalicelib.events.cloudevent_attributes import TRANSPORT
from chalicelib.events.cloudevents import parse_binary, parse_structured
from chalicelib.events.event import Event, Form
from chalicelib.events.raw_objects import line_of, parse_line, verify
from chalicelib.ingest.request import MAX_BYTES, parse_request
from tests.unit.examples import RECEIPT, an_event, instants
from tests.unit.json_trees import Members, Num, Tree, randoms, trees, write

JSON_TYPES = ["application/json", "text/json", "application/vnd.shop.order+json; v=1", "Application/JSON"]
OTHER_TYPES = ["text/plain", "text/plain; charset=iso-8859-1", "application/xml", "application/json-seq", "image/png"]

allowed = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=8)
names = allowed.filter(bool)
sources = st.sampled_from(["/shop/checkout", "https://shop.example/a?b=c#d", "urn:uuid:6e8bc430", "mailto:a@b.example"])
extension_names = st.from_regex(r"x[a-z0-9]{0,12}", fullmatch=True)
extension_values = allowed | st.booleans() | st.integers(-(2**31), 2**31 - 1)


Value: TypeAlias = "str | bool | int"


@dataclass(frozen=True)
class Sent:
    """An event in the terms of the specification, and the requests that carry it."""

    attributes: dict[str, str]
    extensions: dict[str, Value]
    content_type: str | None = None
    json: tuple[Tree, ...] = ()
    data: bytes = b""

    def structured(self, rng: Random) -> str:
        """One of its texts in the JSON format."""
        members: Members = {"specversion": "1.0", **self.attributes, **self._typed(rng), **self._data_members(rng)}
        if self.content_type is not None and not (self.content_type == "application/json" and "data" in members):
            members["datacontenttype"] = self.content_type
        elif self.content_type is not None:
            members |= rng.choice([{}, {"datacontenttype": None}, {"datacontenttype": "application/json"}])
        absent: Members = {name: None for name in ("subject", "time", "dataschema", "xunset") if name not in members}
        return write(members | rng.choice([{}, absent]), rng)

    def _typed(self, rng: Random) -> Members:
        as_they_are: Members = {
            name: value if isinstance(value, bool | str) else Num(str(value)) for name, value in self.extensions.items()
        }
        return rng.choice([as_they_are, {name: in_a_header(value) for name, value in self.extensions.items()}])

    def _data_members(self, rng: Random) -> Members:
        if self.json:
            encoded = base64.b64encode(write(self.json[0], rng).encode()).decode()
            return rng.choice([{"data": self.json[0]}, {"data_base64": encoded}])
        if not self.data:
            return rng.choice([{}, {"data_base64": ""}, {"data_base64": None}])
        as_bytes: Members = {"data_base64": base64.b64encode(self.data).decode()}
        try:
            as_text: Members = {"data": self.data.decode()}
        except UnicodeDecodeError:
            return as_bytes
        return as_bytes if self.content_type is None else rng.choice([as_bytes, as_text])

    def binary(self, rng: Random) -> tuple[bytes, str | None, dict[str, str]]:
        """One of its requests in binary mode: body, content type and the other headers."""
        given = {"specversion": "1.0", **self.attributes, **self.extensions}
        headers = {f"ce-{name}": encoded(in_a_header(value), rng) for name, value in given.items()}
        body = write(self.json[0], rng).encode() if self.json else self.data
        return body, self.content_type, dict(rng.sample(list(headers.items()), len(headers)))


def in_a_header(value: Value) -> str:
    """The canonical string encoding of a value."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def encoded(value: str, rng: Random) -> str:
    """One of the header values of a text: percent-encoded where it must be, here and there where it need not be."""
    plain = "".join(
        character
        if "!" <= character <= "~" and character not in '%"' and rng.random() < 0.8
        else percent(character, rng)
        for character in value
    )
    quoted = plain.replace("\\", "\\\\")
    return rng.choice([plain, f' "{quoted}"', "".join(percent(character, rng) for character in value)])


def percent(character: str, rng: Random) -> str:
    return "".join(rng.choice([f"%{byte:02x}", f"%{byte:02X}"]) for byte in character.encode())


@st.composite
def events(draw: st.DrawFn) -> Sent:
    """Any CloudEvent: without data, with JSON, with text or with bytes."""
    attributes = {"id": draw(names), "source": draw(sources), "type": draw(names)}
    optional = {"subject": names, "time": instants(), "dataschema": st.just("https://shop.example/schema")}
    attributes |= {name: draw(values) for name, values in optional.items() if draw(st.booleans())}
    without_data = Sent(attributes, draw(st.dictionaries(extension_names, extension_values, max_size=3)))
    kind = draw(st.sampled_from(["none", "json", "text", "bytes"]))
    if kind == "json":
        return replace(without_data, content_type=draw(st.sampled_from(JSON_TYPES)), json=(draw(trees()),))
    if kind == "none":
        return replace(without_data, content_type=draw(st.none() | st.sampled_from(OTHER_TYPES)))
    data = draw(st.text(max_size=9)).encode() if kind == "text" else draw(st.binary(max_size=9))
    return replace(without_data, content_type=draw(st.none() | st.sampled_from(OTHER_TYPES)), data=data)


def structured(text: str) -> Event:
    return parse_structured(parse(text))


def without_text(event: Event) -> Event:
    return replace(event, text="")


class TestModes:
    @given(events(), randoms)
    def test_in_every_mode_it_is_the_same_event(self, sent: Sent, rng: Random) -> None:
        first = structured(sent.structured(rng))

        assert without_text(structured(sent.structured(rng))) == without_text(first)
        assert without_text(parse_binary(*sent.binary(rng))) == without_text(first)

    @given(events(), randoms)
    def test_attributes_take_the_place_of_native_fields(self, sent: Sent, rng: Random) -> None:
        event = parse_binary(*sent.binary(rng))

        assert event.source == sent.attributes["source"]
        assert event.event_type == sent.attributes["type"]
        assert event.entity_id == sent.attributes.get("subject", event.source)
        assert (event.event_time is None) == ("time" not in sent.attributes)
        assert event.form is Form.CLOUDEVENT

    @given(events(), randoms)
    def test_what_is_stored_of_it_can_be_read_again(self, sent: Sent, rng: Random) -> None:
        for event in (structured(sent.structured(rng)), parse_binary(*sent.binary(rng))):
            assert "\n" not in event.text
            assert structured(event.text) == event
            assert verify(parse_line(line_of(event, RECEIPT))) == event

    @given(events(), randoms)
    def test_the_order_of_headers_has_no_part_in_what_is_stored(self, sent: Sent, rng: Random) -> None:
        body, content_type, headers = sent.binary(rng)
        other_order = dict(reversed(headers.items()))

        assert parse_binary(body, content_type, other_order) == parse_binary(body, content_type, headers)

    @given(events(), randoms)
    def test_a_structured_event_is_kept_token_for_token(self, sent: Sent, rng: Random) -> None:
        text = sent.structured(rng)

        assert structured(text).text == text.strip(" \t\r\n").replace("\r", " ").replace("\n", " ")

    @given(st.lists(events(), max_size=3), randoms)
    def test_a_batch_holds_the_events_that_each_alone_is(self, several: list[Sent], rng: Random) -> None:
        texts = [sent.structured(rng) for sent in several]

        request = parse_request(f"[{','.join(texts)}]".encode(), "application/cloudevents-batch+json", None)

        assert request.batch
        assert request.submissions == tuple(map(structured, texts))


EVENT: Mapping[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "order.paid",
    "subject": "order-1",
    "time": "2026-11-21T10:00:00Z",
    "datacontenttype": "application/json",
    "data": {"amount": 1},
}


def with_members(**members: Any) -> Event:
    return structured(json.dumps({**EVENT, **members}))


class TestIdentity:
    @pytest.mark.parametrize(
        "change",
        [
            {"type": "order.sent"},
            {"subject": "order-2"},
            {"subject": None},
            {"time": "2026-11-21T10:00:01Z"},
            {"time": None},
            {"data": {"amount": "1"}},
            {"data": None},
            {"datacontenttype": "text/json"},
            {"dataschema": "https://shop.example/schema"},
            {"dataschema": "https://shop.example/schema#2"},
            {"level": 5},
            {"level": ""},
        ],
        ids=str,
    )
    def test_other_content_under_an_id_has_the_same_id_and_another_hash(self, change: dict[str, Any]) -> None:
        assert with_members(**change).event_id == with_members().event_id
        assert with_members(**change).content_sha256 != with_members().content_sha256

    @pytest.mark.parametrize("name", sorted(TRANSPORT))
    def test_what_may_change_on_the_way_is_kept_and_is_no_part_of_the_content(self, name: str) -> None:
        one, other = with_members(**{name: "1"}), with_members(**{name: "2"})

        assert one.content_sha256 == other.content_sha256 == with_members().content_sha256
        assert json.loads(one.text)[name] == "1"
        assert verify(parse_line(line_of(one, RECEIPT))) == one

    @pytest.mark.parametrize("name", ["sequence", "recordedtime", "tracestate2", "authid", "dataref"])
    def test_any_other_extension_is_part_of_the_content(self, name: str) -> None:
        assert with_members(**{name: "1"}).content_sha256 != with_members(**{name: "2"}).content_sha256

    def test_what_may_change_on_the_way_is_checked_like_any_extension(self) -> None:
        assert faults_of(traceparent=["00"]) == {"traceparent": "must be a string, a whole number, true or false"}

    def test_no_data_is_not_null(self) -> None:
        no_data = structured(json.dumps({name: value for name, value in EVENT.items() if name != "data"}))

        assert no_data.content_sha256 != with_members(data=None).content_sha256

    def test_a_json_string_is_not_the_bytes_whose_base64_it_is(self) -> None:
        not_json = {name: value for name, value in EVENT.items() if name != "data"} | {"data_base64": "/w=="}

        assert structured(json.dumps(not_json)).content_sha256 != with_members(data="/w==").content_sha256

    def test_another_source_or_id_is_another_event(self) -> None:
        ids = {with_members(**change).event_id for change in ({}, {"id": "2"}, {"source": "/other"})}

        assert len(ids) == 3

    def test_the_same_content_in_the_native_form_is_the_same_event(self) -> None:
        native = an_event(
            source="/shop",
            event_type="order.paid",
            entity_id="order-1",
            event_time="2026-11-21T10:00:00Z",
            payload={"amount": 1},
            idempotency_key="1",
            extensions={"tenant": "eu", "level": 5, "test": True, "traceparent": "00-1"},
        )
        cloudevent = with_members(tenant="eu", level=5, test=True, traceparent="00-2")

        assert (native.event_id, native.content_sha256) == (cloudevent.event_id, cloudevent.content_sha256)


def faults_of(**members: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        with_members(**members)
    return {fault.field: fault.message for fault in refused.value.faults}


def test_many_wrong_attributes_are_not_all_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        with_members(**{f"{'X' * 300}{number}": 1 for number in range(5_000)})

    assert len(refused.value.faults) == 21
    assert max(len(fault.field) for fault in refused.value.faults) == 100


class TestAttributeRules:
    @pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
    @pytest.mark.parametrize("value", [None, "", 1, True, {}, []], ids=repr)
    def test_required_attributes_are_texts_that_are_not_empty(self, name: str, value: Any) -> None:
        assert list(faults_of(**{name: value})) == [name]

    @pytest.mark.parametrize("name", ["subject", "time", "datacontenttype", "dataschema"])
    @pytest.mark.parametrize("value", ["", 1, False, ["x"]], ids=repr)
    def test_optional_attributes_are_absent_or_texts_that_are_not_empty(self, name: str, value: Any) -> None:
        assert list(faults_of(**{name: value})) == [name]

    @pytest.mark.parametrize(
        ("name", "size"), [("id", 513), ("source", 385), ("type", 385), ("subject", 1_025)], ids=str
    )
    def test_the_limits_of_events_hold_under_the_names_of_attributes(self, name: str, size: int) -> None:
        with_members(**{name: "x" * (size - 1)})
        assert "at most" in faults_of(**{name: "x" * size})[name]

    @pytest.mark.parametrize(
        "character", ["\0", "\n", "\x1f", "\x7f", "\x9f", "\ufdd0", "\ufffe", "\U0010ffff", "\ud800"]
    )
    @pytest.mark.parametrize("name", ["id", "type", "subject", "note"])
    def test_texts_hold_characters_only(self, name: str, character: str) -> None:
        assert list(faults_of(**{name: f"a{character}b"})) == [name]

    @pytest.mark.parametrize("name", ["Note", "no_te", "no-te", "", "nöte", "no te"])
    def test_names_are_of_lower_case_letters_and_digits(self, name: str) -> None:
        assert list(faults_of(**{name: "x"})) == [name]

    @pytest.mark.parametrize("literal", ["-2147483648", "2147483647", "0", "-0", "true", '"any \\u20ac text"', "null"])
    def test_extensions_of_every_type_are_taken(self, literal: str) -> None:
        assert structured(json.dumps(EVENT)[:-1] + f',"note":{literal}}}').event_id

    @pytest.mark.parametrize("literal", ["2147483648", "-2147483649", "1.0", "1e2", "[]", "{}", "1" + "0" * 5_000])
    def test_extensions_of_no_type_are_refused(self, literal: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            structured(json.dumps(EVENT)[:-1] + f',"note":{literal}}}')
        assert [fault.field for fault in refused.value.faults] == ["note"]

    @pytest.mark.parametrize(
        "source",
        [
            "1-555-123-4567",
            "//host/a:b",
            "a/b:c",
            "./a:b",
            "?q",
            "#f",
            "//[::1]:80/",
            "http://u:p@h:8/%C3%A9?a=/?#/?",
            "x:",
            "/",
        ],
    )
    def test_any_uri_reference_is_a_source(self, source: str) -> None:
        assert with_members(source=source).source == source

    @pytest.mark.parametrize(
        "source",
        [
            "a b",
            "é",
            ":a",
            "1:a",
            "a|b",
            "%",
            "%4",
            "%GG",
            "http://[::1",
            "http://a@b@c/",
            "a#b#c",
            "a\\b",
            "http://h:x/",
        ],
    )
    def test_nothing_else_is(self, source: str) -> None:
        assert list(faults_of(source=source)) == ["source"]

    @pytest.mark.parametrize("schema", ["/relative", "//host/x", "schema.json", "1:x", "https://a b/"])
    def test_a_schema_is_a_uri_with_a_scheme(self, schema: str) -> None:
        assert list(faults_of(dataschema=schema)) == ["dataschema"]

    @pytest.mark.parametrize(
        "media_type", ["text/plain;charset=utf-8", 'a/b ; c="d;\\"e" ;', "application/cloudevents+json"]
    )
    def test_media_types_may_have_parameters(self, media_type: str) -> None:
        assert with_members(datacontenttype=media_type, data="text").event_id

    @pytest.mark.parametrize(
        "media_type", ["text", "text/", "/plain", "text/plain; charset", "a b/c", 'a/b; c="d', "té/xt"]
    )
    def test_what_is_no_media_type_is_refused(self, media_type: str) -> None:
        assert list(faults_of(datacontenttype=media_type, data="text")) == ["datacontenttype"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("dataschema", "http://" + "a:" * 500_000 + "\\"),
            ("dataschema", "a" * 1_000_000 + "\\"),
            ("datacontenttype", "a/b;" + " " * 1_000_000 + "\\"),
            ("datacontenttype", "a/b" + ";a=b" * 250_000 + "\\"),
        ],
        ids=["authority", "path", "blanks", "parameters"],
    )
    def test_long_attributes_take_no_longer_than_their_length(self, name: str, text: str) -> None:
        assert list(faults_of(**{name: text}, data="text")) == [name]

    def test_every_fault_is_named_at_once(self) -> None:
        found = faults_of(
            specversion="0.3", id="", source="a b", type=None, time="noon", subject="\ud800", Big=1, small=1.5
        )

        assert found.keys() == {"specversion", "id", "source", "type", "time", "subject", "Big", "small"}

    def test_an_event_is_an_object(self) -> None:
        for text in ("[]", "1", "null", '"{}"'):
            with pytest.raises(InvalidRequest):
                structured(text)


class TestData:
    @pytest.mark.parametrize("data", [1, True, {}, [], None], ids=repr)
    def test_that_is_not_json_is_a_text(self, data: Any) -> None:
        assert list(faults_of(datacontenttype="text/plain", data=data)) == ["data"]

    @pytest.mark.parametrize("encoded", ["?", "a", "YQ", "YQ==\n", "YQ==YQ==", "é", "_-8=", 1, [], {}], ids=repr)
    def test_in_base64_is_base64(self, encoded: Any) -> None:
        without_data = {name: value for name, value in EVENT.items() if name != "data"}
        with pytest.raises(InvalidRequest) as refused:
            structured(json.dumps(without_data | {"data_base64": encoded}))
        assert [fault.field for fault in refused.value.faults] == ["data_base64"]

    def test_comes_once(self) -> None:
        assert list(faults_of(data_base64="YQ==")) == ["data_base64"]


def in_binary_mode(body: bytes = b"{}", content_type: str | None = "application/json", **headers: str) -> Event:
    given = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid"} | headers
    return parse_binary(body, content_type, {f"ce-{name}": value for name, value in given.items()})


def event_or_faults(body: bytes, content_type: str | None, headers: Mapping[str, str]) -> Event | Sequence[Fault]:
    complete = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", **headers}
    try:
        return parse_binary(body, content_type, complete)
    except InvalidRequest as error:
        return error.faults


class TestBinaryMode:
    @pytest.mark.parametrize(
        ("value", "decoded"),
        [
            ("Euro%20%E2%82%AC%20%f0%9f%98%80", "Euro € 😀"),
            ('"Euro %E2%82%AC \\"x\\" \\\\"', 'Euro € "x" \\'),
            ('{"a": 5}', '{"a": 5}'),
            ("%2541", "%41"),
            ("  padded\t", "padded"),
        ],
    )
    def test_header_values_are_unquoted_and_decoded_once(self, value: str, decoded: str) -> None:
        assert in_binary_mode(subject=value).entity_id == decoded

    @pytest.mark.parametrize(
        "value", ["%C0%A0", "%ED%A0%80", "%ff", "100%", "%4", "%zz", "é", "€", "a\nb", "%00", "%0A", ""]
    )
    def test_header_values_that_are_not_encoded_right_are_refused(self, value: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            in_binary_mode(subject=value)
        assert [fault.field for fault in refused.value.faults] == ["subject"]

    @pytest.mark.parametrize("name", ["datacontenttype", "data", "data_base64"])
    def test_what_has_its_place_elsewhere_is_no_header(self, name: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            in_binary_mode(b"{}", "application/json", **{name: "application/json"})
        assert [fault.field for fault in refused.value.faults] == [name]

    @pytest.mark.parametrize(
        "body", [b"{", b"I'm", b"\xff", b" ", b'1,"id":"2"', b'1},{"a":1', b"\xef\xbb\xbf{}", b"[" * 9_999]
    )
    def test_a_body_that_should_be_json_is(self, body: bytes) -> None:
        with pytest.raises(InvalidRequest) as refused:
            in_binary_mode(body)
        assert [fault.field for fault in refused.value.faults] == ["data"]

    @pytest.mark.parametrize(
        ("body", "place"), [(b'{"a":{"b":1,"b":2}}', "data.a.b"), (b"[1,NaN]", "data[1]"), (b'"\\ud800"', "data")]
    )
    def test_faults_inside_the_data_are_located_in_it(self, body: bytes, place: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            in_binary_mode(body)
        assert [fault.field for fault in refused.value.faults] == [place]

    @pytest.mark.parametrize("depth", range(240, 270))
    def test_whatever_depth_is_taken_can_be_read_again(self, depth: int) -> None:
        outcome = event_or_faults(b"[" * depth + b"]" * depth, JSON_TYPES[0], {})

        if isinstance(outcome, Event):
            assert structured(outcome.text) == outcome
        else:
            assert {fault.field for fault in outcome} == {"data"}

    @pytest.mark.parametrize("depth", [900, 950, 990, 1_000, 1_100, 100_000])
    def test_no_depth_is_more_than_a_fault(self, depth: int) -> None:
        with pytest.raises(InvalidRequest):
            in_binary_mode(b"[" * depth + b"]" * depth)

    @given(
        st.binary(max_size=20) | trees().map(lambda tree: write(tree, Random(1)).encode()),
        st.none() | st.text(max_size=9) | st.sampled_from(JSON_TYPES + OTHER_TYPES),
        st.dictionaries(
            st.text(max_size=5).map("ce-".__add__) | st.sampled_from(["ce-id", "ce-time"]), st.text(max_size=9)
        ),
    )
    def test_any_request_is_an_event_or_refused(
        self, body: bytes, content_type: str | None, headers: dict[str, str]
    ) -> None:
        outcome = event_or_faults(body, content_type, headers)

        if isinstance(outcome, Event):
            assert structured(outcome.text) == outcome
        else:
            assert outcome

    def test_is_no_larger_in_the_json_format_than_a_body_may_be(self) -> None:
        headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}

        with pytest.raises(RequestTooLarge):
            parse_request(b"\xff" * (MAX_BYTES * 3 // 4), "image/png", None, headers)
