"""What Retrace knows of an event of a file, as a line of JSON that can be sent, or as a row of a table."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from chalicelib.core.lossless_json import JsonSyntaxError, parse
from retrace.conflicts import difference
from retrace.output import Column, on_one_line, short_time

Json = dict[str, Any]


class Found(StrEnum):
    """What Retrace knows of an event."""

    MISSING = "missing"
    """It never arrived."""
    QUARANTINE = "quarantine"
    """It arrived and was refused."""
    CONFLICT = "conflict"
    """Its identity belongs to an event of other content, or to an earlier line of the files."""
    INVALID = "invalid"
    """It would be refused, and quarantine does not have it."""
    KNOWN = "known"
    REPEATED = "repeated"
    """It is missing, and an earlier line of the files has it."""


UNUSUAL = (Found.MISSING, Found.QUARANTINE, Found.CONFLICT, Found.INVALID)

NAMES = {
    Found.MISSING: "missing",
    Found.QUARANTINE: "in quarantine",
    Found.CONFLICT: "of other content",
    Found.INVALID: "not valid",
    Found.KNOWN: "known",
    Found.REPEATED: "missing, repeated",
}


def line_of(row: Json, text: bytes) -> str:
    """A line that `retrace ingest` reads back: the event comes last, verbatim unless it is not JSON."""
    decoded = text.decode(errors="replace")
    members = json.dumps(row, ensure_ascii=False, separators=(",", ":"))[:-1]
    try:
        parse(decoded)
    except JsonSyntaxError:
        return f'{members},"event_text":{json.dumps(decoded, ensure_ascii=False)}}}'
    return f'{members},"event":{decoded}}}'


def _who(row: Json) -> str:
    named = (row[name] for name in ("source", "entity_id", "idempotency_key"))
    return "\n".join(on_one_line(name) for name in named if name is not None) or "(cannot be read)"


def _why(row: Json) -> str:
    if "first_line" in row:
        where = "" if row["first_file"] == row["file"] else f" of {row['first_file']}"
        return f"Its key is in line {row['first_line']}{where}, with other content"
    if row.get("differences"):
        return "; ".join(difference(one["path"], one["file"], one["first"]) for one in row["differences"][:3])
    errors = "; ".join(f"{one.get('field', '')} {one['message']}".strip() for one in row.get("errors", [])[:3])
    refused = f"retrace rejected get {row['rejected_id'][:19]}" if "rejected_id" in row else ""
    received = f"received {short_time(row['ingest_time'])[:19]}" if "ingest_time" in row else ""
    return " ".join(part for part in (errors, refused, received) if part)


FILE = Column("file", lambda row: row["file"])
COLUMNS = (
    Column("arrived", lambda row: row["arrived"], whole=True),
    Column("line", lambda row: row["line"], number=True),
    Column("source, entity, key", _who, several_lines=True),
    Column("why", _why),
)
