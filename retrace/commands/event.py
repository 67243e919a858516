"""The command that shows one event: what is known of it, and its own text."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer
from rich.highlighter import JSONHighlighter
from rich.text import Text

from retrace.context import AsJson, calling
from retrace.output import Column, Output, escaped, short_time
from retrace.pretty_json import indented

_EVENT_ID = re.compile(r"[0-9a-f]{64}")
_LISTED = ("arrivals", "more_arrivals", "aggregates", "more_aggregates")


def event(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(help="The id of an event: 64 hex digits.")],
    raw: Annotated[bool, typer.Option("--raw", help="Only the event as it was sent, byte for byte.")] = False,
    as_json: AsJson = None,
) -> None:
    """What is known of one event: its metadata, later arrivals, the aggregates it went into, and its text.

    retrace event 1a61161322230d9602eedf304c617d9ee46f64091763446c5f378d739edb9352
    retrace event --raw 1a61161322230d9602eedf304c617d9ee46f64091763446c5f378d739edb9352 > event.json
    """
    call, output = calling(context), Output(as_json=as_json)
    wanted = event_id.strip().lower()
    if _EVENT_ID.fullmatch(wanted) is None:
        why = f"is no event id; one has 64 hex digits, this {len(wanted)}. `retrace events --json` shows them"
        raise typer.BadParameter(why, param_hint="EVENT_ID")
    if raw:
        _write(call.client.expect("GET", f"/events/{wanted}/raw").body)
        return
    found = call.client.get(f"/events/{wanted}")
    if output.as_json:
        output.json(found)
        return
    output.facts([(name, value) for name, value in found.items() if name not in _LISTED])
    arrivals = (
        Column("arrived again (UTC)", lambda item: short_time(item["ingest_time"])),
        Column("as", lambda item: item["status"]),
        Column("in request", lambda item: item["request_id"], whole=True),
    )
    output.rows(found["arrivals"], arrivals, "It arrived once.")
    if found.get("more_arrivals"):
        output.note("It arrived more often than is listed.")
    versions = (
        Column("in the aggregate of", lambda item: item["day"]),
        Column("replay", lambda item: item["replay_id"], whole=True),
    )
    output.rows(found["aggregates"], versions, "It is in no aggregate yet.")
    if found.get("more_aggregates"):
        output.note("It may be in older versions as well: only the newest of its day were looked at.")
    shown = Text(escaped(indented(call.client.expect("GET", f"/events/{wanted}/raw").body.decode())))
    JSONHighlighter().highlight(shown)
    output.console.print(shown, soft_wrap=True)


def _write(event: bytes) -> None:
    """The bytes as they are; to a terminal without characters that it may act on."""
    if sys.stdout.isatty():
        event = escaped(event.decode(errors="replace")).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(event + b"\n")
    sys.stdout.buffer.flush()
