"""JSON texts of a file: cut apart wherever they end, untouched, and each fault kept to the event that has it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import lossless_json
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.files import Format
from retrace.ingesting.records import Record
from tests.unit.cli.test_ingest_readers import SIZES, read, written

BETWEEN = st.sampled_from(["", " ", "\n", "\r\n\r\n", "\t", ",", ",\n", "\n\ufeff"])
EVENT = '{"n": 9007199254740993, "price": 1.10, "rate": 1e2, "text": "}{ \\" ,[", "list": [{}, 1]}'


def texts_of(found: list[Record]) -> list[bytes]:
    return [one.text for one in found]


def sound(found: list[Record]) -> list[bool]:
    return [one.fault is None for one in found]


@given(st.lists(st.tuples(written(), BETWEEN), min_size=1, max_size=6), SIZES)
def test_texts_come_out_token_for_token_whatever_is_between_them(
    parts: list[tuple[str, str]], sizes: list[int]
) -> None:
    file = "".join(text + between for text, between in parts)

    found = read(file.encode(), sizes=sizes)

    assert [one.text.decode() for one in found] == [lossless_json.one_line(text) for text, _ in parts]
    assert {one.fault for one in found} == {None}


@pytest.mark.parametrize("indent", [0, 1, 4, "\t"])
def test_a_number_is_sent_as_it_was_written_however_the_event_is_laid_out(indent: int | str) -> None:
    pretty = json.dumps(json.loads(EVENT), indent=indent).replace("1.1", "1.10").replace("100.0", "1e2")

    found = read(f"{pretty}\n{pretty}".encode())

    assert all(b"9007199254740993" in text and b"1.10" in text and b"1e2" in text for text in texts_of(found))
    assert [json.loads(text) for text in texts_of(found)] == [json.loads(EVENT)] * 2


def test_an_event_is_named_by_the_line_that_it_begins_on() -> None:
    found = read(b'{"a":1}{"a":2}\n\n{\n"a":3\n} {"a":4}\n{"a":5}')

    assert [one.line for one in found] == [1, 1, 3, 5, 6]


@pytest.mark.parametrize("cut", range(1, len(EVENT)))
def test_a_torn_line_costs_no_other_event(cut: int) -> None:
    torn = EVENT[:cut]

    found = read(f"{EVENT}\n{torn}\n{EVENT}\n{EVENT}\n".encode())

    assert texts_of(found) == [text.strip().encode() for text in (EVENT, torn, EVENT, EVENT)]


@pytest.mark.parametrize(
    ("broken", "refused"),
    [
        ('{\n "a": [}\n}', ['{\n "a": [}\n}']),
        ('{\n "a": "1\n2"\n}', ['{\n "a": "1\n2"\n}']),
        ('{\n "a": 1,\n', ['{\n "a": 1,']),
        ('{"a": 1}}', ['{"a": 1}}']),
        ('{"a": {}}, "idempotency_key": "k"}', ['{"a": {}}, "idempotency_key": "k"}']),
        ('{"a": {}},\n "idempotency_key": "k"}', ['{"a": {}},\n "idempotency_key": "k"}']),
        ('{"a": "at 10:', ['{"a": "at 10:']),
        ("refuse {", ["refuse {"]),
        ("[1, 2]", ["[1, 2]"]),
        ("[ERROR, (", ["[ERROR, ("]),
        ("5", ["5"]),
    ],
)
def test_what_is_broken_is_refused_alone_and_as_it_stands(broken: str, refused: list[str]) -> None:
    found = read(f'{{"a": 0}}\n{broken}\n{{"a": "}}"}}\n'.encode())

    assert texts_of(found) == [b'{"a": 0}', *(text.encode() for text in refused), b'{"a": "}"}']
    assert sound(found)[:1] == sound(found)[-1:] == [True]
    assert all("\n" not in text or not fine for text, fine in zip(refused, sound(found)[1:-1], strict=True))


def test_an_event_at_the_end_that_is_not_whole_is_refused() -> None:
    found = read(b'{"a": 1}\n{\n "a": 2,\n')

    assert texts_of(found) == [b'{"a": 1}', b'{\n "a": 2,']
    assert sound(found) == [True, False]


def test_texts_nested_too_deep_are_refused_by_the_server_and_not_read_on_for_ever() -> None:
    deep = b'{"a":' * 300

    assert texts_of(read(deep + b'\n{"a": 9}\n')) == [deep, b'{"a": 9}']


def test_lines_that_could_each_be_another_event_are_not_read_again_and_again() -> None:
    found = read(b'{"a":[\n' * 1_000 + b'{"a": 9}\n{"a": 9}\n')

    assert len(found) < 10
    assert texts_of(found)[-1] == b'{"a": 9}'


@pytest.mark.parametrize("layout", [lambda text: text, lambda text: text.replace(b":", b":\n")])
def test_a_text_that_no_request_can_hold_is_skipped(layout: Callable[[bytes], bytes]) -> None:
    large = layout(b'{"a":["' + b'", "'.join(itertools.repeat(b"x" * 70_000, 160)) + b'"]}')
    assert len(large) > MAX_BYTES

    found = read(b'{"a":1}' + large + b'{"a":2}')

    assert texts_of(found) == [b'{"a":1}', b"", b'{"a":2}']


def test_arrays_that_follow_one_another_are_read_as_one() -> None:
    found = read(b'[{"a":1}, {"a":2}][]\n[{"a":3}]\n')

    assert [(one.line, one.text) for one in found] == [(1, b'{"a":1}'), (2, b'{"a":2}'), (3, b'{"a":3}')]


def test_an_array_among_lines_is_not_an_array_of_events() -> None:
    assert texts_of(read(b'[1, 2]\n{"a":1}\n')) == [b"[1, 2]", b'{"a":1}']


def test_ndjson_lines_are_taken_unchanged_if_asked_for() -> None:
    found = read(b'{"a":\n1}{"a":2}\n', wanted=Format.NDJSON)

    assert texts_of(found) == [b'{"a":', b'1}{"a":2}']
