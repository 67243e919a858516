"""Makes native events of rows of CSV and records of CloudTrail logs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any

from chalicelib.core.errors import Fault
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.elements import arrays, element_record
from retrace.ingesting.records import Record, Records, Stream, too_large, whole_line
from retrace.problem import Exit, Problem

REQUIRED = ("source", "event_type", "entity_id", "event_time")
FIELDS = (*REQUIRED, "idempotency_key")
EXTENSION = "extensions."
"""Begins the name of a field that is an extension attribute."""
_DELIMITERS = ",;\t|"
_SAYS_DELIMITER = re.compile(r'"?sep=([^"\r\n])"?', re.IGNORECASE)
"""A line before the heading by which spreadsheets name the delimiter."""
_QUOTED = re.compile(r'"[^"]*"?')
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where the fields of an event come from: columns by name, or the same text for all; else a column named so."""

    columns: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    constants: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    delimiter: str | None = None

    @property
    def given(self) -> bool:
        """Whether anything was said, so that it must be CSV."""
        return bool(self.columns or self.constants or self.delimiter)


class BrokenTable(ValueError):
    """The text is not CSV from here on; the message goes on after "it"."""


def table_records(stream: Stream, mapped: Mapped, delimiter: str = ",") -> Records:
    """The rows below the heading."""
    csv.field_size_limit(MAX_BYTES)
    lines = _lines(stream)
    first = next(lines, "")
    says = _SAYS_DELIMITER.fullmatch(first.strip("\r\n"))
    chosen = mapped.delimiter or (says[1] if says else _delimiter_of(first, delimiter))
    rows = csv.reader(lines if says else chain([first], lines), delimiter=chosen, strict=True)
    passed = 1 if says else 0
    try:
        header = next(rows, None)
        if not header:
            return
        columns = _columns(header, mapped)
        before = rows.line_num
        for row in rows:
            if row:
                yield _record(passed + before + 1, row, header, columns, mapped.constants)
            before = rows.line_num
    except csv.Error as error:
        raise BrokenTable(f"is not CSV at line {passed + rows.line_num}: {error}") from error


def _delimiter_of(heading: str, usual: str) -> str:
    """The delimiter of a heading: the usual one if it is there, else another if it is the only one."""
    names = _QUOTED.sub("", heading)
    others = [one for one in _DELIMITERS if one in names]
    return others[0] if usual not in names and len(others) == 1 else usual


def _lines(stream: Stream) -> Iterator[str]:
    number = 0
    while line := whole_line(stream, MAX_BYTES):
        number += 1
        if len(line) == MAX_BYTES and not line.endswith(b"\n"):
            raise BrokenTable(f"has a line of more than {MAX_BYTES:,} bytes, line {number}")
        yield line.decode("utf-8", "surrogateescape")


def _columns(header: Sequence[str], mapped: Mapped) -> Mapping[str, int]:
    """The place of the column of each field that has one."""
    shown = ", ".join(header)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise Problem(f"Two columns are named {twice[0]!r}.", f"The columns are {shown}: rename one.", Exit.USAGE)
    named = {name: name for name in header if is_field(name) and name not in mapped.constants}
    wanted = named | dict(mapped.columns)
    for name, column in wanted.items():
        if column not in header:
            remedy = f"The columns are {shown}."
            raise Problem(f"There is no column {column!r} to take {name} from.", remedy, Exit.USAGE)
    missing = [name for name in REQUIRED if name not in wanted and name not in mapped.constants]
    if missing:
        remedy = f"Give --map {missing[0]}=COLUMN or --set {missing[0]}=TEXT. The columns are {shown}."
        if len(header) == 1:
            remedy = f"The heading has one column: {shown}. If it should have several, give --delimiter. {remedy}"
        raise Problem(f"No column or text is given for {' and '.join(missing)}.", remedy, Exit.USAGE)
    return {name: header.index(column) for name, column in wanted.items()}


def is_field(name: str) -> bool:
    """Whether a column of this name is a field of the event, or one of its extensions."""
    return name in FIELDS or name.startswith(EXTENSION)


def _record(
    line: int, row: Sequence[str], header: Sequence[str], columns: Mapping[str, int], constants: Mapping[str, str]
) -> Record:
    given = {**constants, **{name: row[place] for name, place in columns.items() if place < len(row)}}
    event: dict[str, object] = {
        name: text for name, text in given.items() if name in REQUIRED or (text and name in FIELDS)
    }
    extensions = {name.removeprefix(EXTENSION): text for name, text in given.items() if text and name not in FIELDS}
    if extensions:
        event["extensions"] = extensions
    used = frozenset(columns.values())
    event["payload"] = {name: cell for place, (name, cell) in enumerate(zip(header, row)) if place not in used}  # noqa: B905  # a row may be short
    fault = _fault(row, header)
    if len(row) != len(header):
        event["row"] = list(row)
    text = _json(event)
    if fault is not None:
        return Record(line, text, fault)
    return Record(line, text) if len(text) <= MAX_BYTES else too_large(line)


def _fault(row: Sequence[str], header: Sequence[str]) -> Fault | None:
    if len(row) != len(header):
        remedy = "complete the event and remove `row` from it, or correct the file"
        return Fault("row", f"has {len(row)} cells where the heading has {len(header)}: {remedy}")
    return Fault("", "is not UTF-8") if any(map(_undecoded, row)) else None


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")


def _undecoded(text: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in text) if not text.isascii() else False


BEGINS = re.compile(rb'\{\s*"Records"\s*:\s*\[')
_ENDS = re.compile(rb"\}")
_WHO = ("arn", "invokedBy", "principalId", "accountId")
_NEEDED = ("eventSource", "eventName", "eventTime", "eventID")


def cloudtrail_records(stream: Stream) -> Records:
    """The records of a log file as native events."""
    for position, text in enumerate(arrays(stream, BEGINS, _ENDS), 1):
        yield too_large(position) if text is None else _as_event(element_record(position, text))


def _as_event(record: Record) -> Record:
    if record.fault is not None:
        return record
    try:
        found = json.loads(record.text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        return Record(record.line, record.text, Fault("body", f"is not JSON: {error}"))
    fault = _fault_of(found)
    if fault is not None:
        return Record(record.line, record.text, fault)
    members = {
        "source": f"aws.cloudtrail/{found['eventSource']}",
        "event_type": found["eventName"],
        "entity_id": _entity(found),
        "event_time": found["eventTime"],
    }
    opening = json.dumps(members, ensure_ascii=False, separators=(",", ":"))[:-1].encode("utf-8", "surrogatepass")
    key = json.dumps(found["eventID"], ensure_ascii=False).encode("utf-8", "surrogatepass")
    text = b'%s,"payload":%s,"idempotency_key":%s}' % (opening, record.text, key)
    return Record(record.line, text) if len(text) <= MAX_BYTES else too_large(record.line)


def _fault_of(found: Any) -> Fault | None:
    if not isinstance(found, dict):
        return Fault("", "must be a JSON object")
    missing = [name for name in _NEEDED if not isinstance(found.get(name), str)]
    if missing:
        return Fault(missing[0], f"is missing: every CloudTrail record has {', '.join(_NEEDED)}")
    return (
        None
        if _entity(found)
        else Fault("userIdentity", "has no name for the caller, and recipientAccountId is missing, too")
    )


def _entity(found: dict[str, Any]) -> str:
    identity = found.get("userIdentity")
    named = [identity.get(name) for name in _WHO] if isinstance(identity, dict) else []
    known = [name for name in (*named, found.get("recipientAccountId")) if isinstance(name, str) and name]
    return known[0] if known else ""
