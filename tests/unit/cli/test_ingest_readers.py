"""Readers of `retrace ingest`: events come out as they are written, whatever the format and the pieces it comes in."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import lossless_json
from chalicelib.events.event import NativeEvent
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.elements import Elements
from retrace.ingesting.files import Format, records
from retrace.ingesting.foreign_formats import Mapped
from retrace.ingesting.records import Record
from retrace.problem import Problem
from tests.e2e.samples import Sample, chosen_sample, own_sample


class Dripping(io.RawIOBase):
    """Hands its content out in pieces of given sizes, over and over."""

    def __init__(self, content: bytes, sizes: Sequence[int]) -> None:
        self._content = io.BytesIO(content)
        self._sizes = sizes
        self._reads = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = self._sizes[self._reads % len(self._sizes)]
        self._reads += 1
        piece = self._content.read(min(size, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


def read(
    content: bytes,
    name: str = "x",
    wanted: Format | None = None,
    mapped: Mapped | None = None,
    sizes: Sequence[int] = (65_536,),
) -> list[Record]:
    stream = io.BufferedReader(Dripping(content, sizes))
    return list(records(name, stream, wanted, mapped or Mapped()))


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["\\", '"', '\\"', "[{,"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
SPACE = st.sampled_from(["", " ", "\t", "\n", "\r\n  "])
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5)
PACKINGS = [bytes, gzip.compress, zstandard.compress, lambda b: gzip.compress(b[:7]) + gzip.compress(b[7:])]
PACKINGS.append(lambda b: zstandard.compress(b[:7]) + zstandard.compress(b[7:]))


@st.composite
def written(draw: st.DrawFn) -> str:
    """An event as some producer writes it: blanks between tokens, escapes or not, numbers of any form."""
    value = {"n": draw(VALUES)}
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    return text.replace("null", draw(st.sampled_from(["null", "1.10", "-0", "1E+2"])))


@given(st.lists(written(), max_size=6), SPACE, SIZES, st.sampled_from(PACKINGS))
def test_elements_of_an_array_come_out_token_for_token_however_it_is_chunked(
    texts: list[str], space: str, sizes: list[int], pack: Any
) -> None:
    array = f"{space}[{space}" + f"{space},{space}".join(texts) + f"{space}]{space}"

    found = read(pack(array.encode()), sizes=sizes)

    assert [one.text.decode() for one in found] == list(map(lossless_json.one_line, texts))
    assert [one.line for one in found] == list(range(1, len(texts) + 1))
    assert {one.fault for one in found} <= {None}


@given(st.lists(st.binary(max_size=30).map(lambda b: b'{"a"' + b.replace(b"\n", b"")), max_size=6), SIZES)
def test_lines_come_out_byte_for_byte_valid_or_not(lines: list[bytes], sizes: list[int]) -> None:
    found = read(b"\n\r\n".join(lines), wanted=Format.NDJSON, sizes=sizes)

    assert [one.text for one in found] == [line.rstrip(b"\r") for line in lines]
    assert [one.line for one in found] == [1 + 2 * number for number in range(len(lines))]


@given(st.binary(max_size=60), st.integers(1, 7))
def test_the_scanner_finds_the_same_in_any_chunks(content: bytes, size: int) -> None:
    def fed(chunks: list[bytes]) -> tuple[list[bytes | None], str]:
        elements = Elements()
        found: list[bytes | None] = []
        try:
            for chunk in chunks:
                if elements.rest is None:
                    found += elements.feed(chunk)
        except ValueError as error:
            return found, str(error)
        return found, "ended" if elements.rest is not None else "open"

    assert fed([content]) == fed([content[at : at + size] for at in range(0, len(content), size)])


@pytest.mark.sample
def test_a_cloudtrail_log_becomes_the_native_events_of_its_records() -> None:
    lines = of_cloudtrail(chosen_sample()) or of_cloudtrail(own_sample())
    payloads = [line[line.index(b'"payload":') + 10 : line.rindex(b',"idempotency_key"')] for line in lines]

    found = read(gzip.compress(b'{"Records":[' + b",".join(payloads) + b"]}\n"), "123_CloudTrail_eu.json.gz")

    assert len(lines) > 10
    assert [one.text for one in found] == lines


def of_cloudtrail(sample: Sample) -> list[bytes]:
    """The events that were made from records of CloudTrail."""
    return [line for line in sample.lines if line.startswith(b'{"source":"aws.cloudtrail/')]


@pytest.mark.parametrize(
    ("identity", "entity"),
    [
        ({"arn": "arn:user", "principalId": "P"}, "arn:user"),
        ({"principalId": "P", "accountId": "1"}, "P"),
        ({"accountId": "1"}, "1"),
        ({}, "999"),
        (None, "999"),
    ],
)
def test_the_entity_of_a_cloudtrail_record_is_who_did_it(identity: object, entity: str) -> None:
    record = {"eventSource": "s", "eventName": "n", "eventTime": "t", "eventID": "i", "recipientAccountId": "999"}

    found = read(json.dumps({"Records": [record | {"userIdentity": identity}]}, indent=1).encode())

    assert json.loads(found[0].text)["entity_id"] == entity


def test_records_that_are_not_of_cloudtrail_are_refused_one_by_one() -> None:
    found = read(b'{"Records": [{"eventSource":"aws:s3"}, 5, {"a":}, {"eventSource":"s","eventName":"n"}]}')

    assert [one.fault.field if one.fault else None for one in found] == ["eventName", "", "body", "eventTime"]


def test_columns_of_csv_that_name_an_extension_are_one_unless_the_cell_is_empty() -> None:
    mapped = Mapped({"extensions.tenant": "Mandant"}, {"source": "s", "event_type": "t", "extensions.region": "eu"})
    heading, same = "entity_id,event_time,Mandant,extensions.traceparent", "order-1,2026-11-21T10:00:00Z"

    found = [json.loads(one.text) for one in read(f"{heading}\n{same},acme,00-1\n{same},,\n".encode(), mapped=mapped)]

    assert [one["extensions"] for one in found] == [
        {"region": "eu", "tenant": "acme", "traceparent": "00-1"},
        {"region": "eu"},
    ]
    assert [one["payload"] for one in found] == [{}, {}]


def test_rows_of_csv_become_events_with_the_other_columns_as_payload() -> None:
    mapped = Mapped({"entity_id": "order", "event_type": "kind"}, {"source": "shop/csv"})
    table = (
        "\ufefforder,kind,event_time,price,idempotency_key\r\n"
        '1007,paid,2026-11-21T10:00:00Z,"1,10",k-1\r\n\r\n"two\nlines",paid,2026-11-21T10:00:01Z,,\r\n'
        "é,paid,t,1,k\r\n"
    )

    found = read(table.encode(), mapped=mapped, sizes=[1])

    assert [one.line for one in found] == [2, 4, 6]
    assert [json.loads(one.text) for one in found] == [
        {
            "source": "shop/csv",
            "event_type": "paid",
            "entity_id": "1007",
            "event_time": "2026-11-21T10:00:00Z",
            "idempotency_key": "k-1",
            "payload": {"price": "1,10"},
        },
        {
            "source": "shop/csv",
            "event_type": "paid",
            "entity_id": "two\nlines",
            "event_time": "2026-11-21T10:00:01Z",
            "payload": {"price": ""},
        },
        {
            "source": "shop/csv",
            "event_type": "paid",
            "entity_id": "é",
            "event_time": "t",
            "idempotency_key": "k",
            "payload": {"price": "1"},
        },
    ]


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=5, max_size=5), max_size=4), SIZES)
def test_every_cell_of_csv_is_the_text_that_was_written(rows: list[list[str]], sizes: list[int]) -> None:
    names = ["source", "event_type", "entity_id", "event_time", "note"]
    table = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in [names, *rows])

    found = read(table.encode(), "x.csv", sizes=sizes)

    events = [json.loads(one.text) for one in found]
    assert [[*(event[name] for name in names[:4]), event["payload"]["note"]] for event in events] == rows


@pytest.mark.parametrize(
    ("name", "between", "before"),
    [
        ("x.csv", ";", ""),
        ("x.csv", "\t", ""),
        ("x.csv", "|", ""),
        ("x.tsv", ",", ""),
        ("x.csv", ",", "sep=,\n"),
        ("x.csv", ";", "SEP=;\r\n"),
        ("x.csv", "~", '"sep=~"\n'),
    ],
)
def test_a_table_tells_by_its_heading_what_is_between_columns(name: str, between: str, before: str) -> None:
    heading = between.join(["source", "event_type", "entity_id", "event_time", '"a,b;c\t|"'])
    cells = between.join(["s", "t", "e", "2026-11-21T10:00:00Z", '"x;y,z"'])

    [found] = read(f"{before}{heading}\n{cells}\n".encode(), name)

    assert json.loads(found.text)["payload"] == {"a,b;c\t|": "x;y,z"}
    assert found.fault is None
    assert found.line == 2 + bool(before)


def test_semicolons_in_cells_are_not_delimiters() -> None:
    [found] = read(b"source,event_type,entity_id,event_time,x;y\ns,t,e;f,T,1;2\n", "x.csv")

    event = json.loads(found.text)
    assert (event["entity_id"], event["payload"]) == ("e;f", {"x;y": "1;2"})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@given(texts=st.lists(written(), min_size=1, max_size=4), form=st.sampled_from(["%s", "[%s]"]), sizes=SIZES)
def test_other_unicode_encodings_are_read_as_the_same_characters(
    encoding: str, pack: Any, texts: list[str], form: str, sizes: list[int]
) -> None:
    found = read(pack((form % ",".join(texts)).encode(encoding)), sizes=sizes)

    assert [one.text.decode() for one in found] == list(map(lossless_json.one_line, texts))


def test_a_table_in_utf_16_is_read() -> None:
    table = "source;event_type;entity_id;event_time\nłódź;t;😀;T\n"

    [found] = read(codecs.BOM_UTF16_BE + table.encode("utf-16-be"), "x.csv", sizes=[1])

    assert json.loads(found.text) | {"payload": {}} == {
        "source": "łódź",
        "event_type": "t",
        "entity_id": "😀",
        "event_time": "T",
        "payload": {},
    }


def test_a_row_that_is_wrong_is_refused_alone() -> None:
    head = b"source;event_type;entity_id;event_time;x\n"

    found = read(head + b"a;b;c;d\n\xff;b;c;d;e\na;b;c;d;e\n", "x.csv", mapped=Mapped(delimiter=";"))

    faults = [one.fault.message if one.fault else "" for one in found]
    assert faults[0].startswith("has 4 cells where the heading has 5")
    assert faults[1:] == ["is not UTF-8", ""]


@pytest.mark.parametrize("row", ["a,b", "a,b,c,d,e,f"])
def test_a_row_with_cells_too_few_or_too_many_becomes_an_event_that_is_not_taken_before_it_is_corrected(
    row: str,
) -> None:
    found = read(f"source,event_type,entity_id,event_time,x\n{row}\n".encode(), "x.csv")

    event = json.loads(found[0].text)
    assert (event["source"], event["event_type"]) == ("a", "b")
    assert event["row"] == row.split(",")
    assert "row" not in NativeEvent.model_fields


@pytest.mark.parametrize("sizes", [[1], [65_536]])
@pytest.mark.parametrize("first", [b"# exported 2026-11-21", b'"source": "a"}', b'{"source": "a', b"null"])
def test_a_first_line_that_is_no_event_is_broken_alone(first: bytes, sizes: list[int]) -> None:
    lines = [first, b'{"a":1}', b'{"a":2}']

    assert [record.text for record in read(b"\n".join([*lines, b""]), "x.ndjson", sizes=sizes)] == lines


@pytest.mark.parametrize(
    ("content", "name", "what"),
    [
        (b'[{"a":1}, {"b":2}', "x", "ends before its closing bracket"),
        (b'[{"a":1}}', "x", "one closing brace too many"),
        (b'[{"a":1}] {}', "x", "goes on after"),
        (b'{"Records": [{}], "more": 1}', "x", "goes on after"),
        (b"order,paid\n", "x", "begins neither with"),
        (b"\xff\xfe[\x00{", "x", "not UTF-16 within"),
        (b"a~b~c\n", "x.csv", "No column or text is given for source"),
        (gzip.compress(b'{"a":1}\n' * 99, mtime=0)[:-9], "x", "not whole"),
        (zstandard.compress(b'{"a":1}\n' * 99)[:-9], "x", "not whole"),
        (zstandard.compress(b'{"a":1}\n' * 99) + b"junk", "x", "not whole: it cannot be unpacked"),
        (b'a,b\n"1', "x.csv", "No column or text is given for source"),
        (b'source,event_type,entity_id,event_time\n"1', "x.csv", "not CSV at line"),
        (b"source,source\n", "x.csv", "Two columns"),
    ],
)
def test_a_file_that_cannot_be_read_on_is_told_with_a_remedy(content: bytes, name: str, what: str) -> None:
    with pytest.raises(Problem, match=what) as told:
        read(content, name)
    assert told.value.remedy


def test_what_is_read_before_the_fault_comes_out_first() -> None:
    found = records("x", io.BufferedReader(Dripping(b'[{"a":1}, {"b":2}, {', [3])), None, Mapped())

    assert [next(found).text, next(found).text] == [b'{"a":1}', b'{"b":2}']
    with pytest.raises(Problem):
        next(found)


@pytest.mark.parametrize("form", ["[%s]", "%s", '{"Records":[%s]}'])
def test_an_event_that_no_request_can_hold_is_refused_and_the_next_one_read(form: str) -> None:
    large, small = '{"a":"' + "x" * MAX_BYTES + '"}', '{"a":1}'
    between = "\n" if form == "%s" else ","

    found = read((form % between.join([small, large, small])).encode(), wanted=None)

    assert [one.line for one in found] == [1, 2, 3]
    assert found[1].text == b""
    assert found[1].fault is not None
    assert "10,000,000 bytes" in found[1].fault.message


def test_a_line_break_inside_a_string_is_never_made_a_blank() -> None:
    found = read(b'[{"a":\n1}, {"b":"1\n2"}, {"c":1}, , 7]')

    assert [one.text for one in found] == [b'{"a": 1}', b'{"b":"1\n2"}', b'{"c":1}', b"", b"7"]
    assert [one.fault is None for one in found] == [True, False, True, False, True]


def test_nothing_is_found_in_nothing() -> None:
    assert [read(content) for content in (b"", b"\n \n", b"[]", b" [ ] ", gzip.compress(b""))] == [[]] * 5
