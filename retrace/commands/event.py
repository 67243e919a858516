"""`retrace event`: shows when an event arrived, how often and from where, and its text."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated

import typer
from rich.highlighter import JSONHighlighter
from rich.text import Text

from retrace.context import AsJson, CommandContext, command_context
from retrace.corrections import ID_DIGITS
from retrace.event_ids import is_like_an_event_id, whole_event_id
from retrace.event_table import lag
from retrace.json_layout import indented
from retrace.known_names import require_known
from retrace.output import Column, Json, Output, escaped, short_time
from retrace.problem import Exit, Problem

QUARANTINE_DAYS = ("today", "yesterday")
PAGES_A_DAY = 3
"""Quarantine has no index of keys: a page reads up to a thousand of its objects."""

_PAGE = 1_000
_CONFLICTS_SHOWN = 3
_ARRIVED_AGAIN = (
    Column("arrived again (UTC)", lambda item: short_time(item["ingest_time"]), whole=True),
    Column("as", lambda item: item["status"], whole=True),
    Column("in request", lambda item: item["request_id"], whole=True),
)
_VERSIONS = (
    Column("in the aggregate of", lambda item: item["day"], whole=True),
    Column("replay", lambda item: item["replay_id"], whole=True),
)


def event(
    context: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(metavar="SOURCE|EVENT_ID", help="The source, followed by the key; or an id, or its beginning."),
    ],
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="The idempotency key, or the id of a CloudEvent.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", help="Find the beginning of an id among the events of this entity.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Write only the event as it was sent, byte for byte.")] = False,
    as_json: AsJson = None,
) -> None:
    """Show whether an event arrived, when, how often and from where, the aggregates that contain it, and its text.

    An event that was not accepted is looked for in quarantine, of today and yesterday.

    The beginning of an id has 6 digits or more. It finds events of the last week, or with --entity those of an entity.

    retrace event shop/checkout payment-000491
    retrace event --raw shop/checkout payment-000491 > event.json
    retrace event 1a6116132223 --entity order-1007
    """
    if key is not None and entity is not None:
        raise typer.BadParameter("goes with the beginning of an id, not with a key", param_hint="--entity")
    call, output = command_context(context), Output(as_json=as_json)
    event_id = _given_id(call, subject, entity) if key is None else _id_under(call, subject, key)
    if event_id is None:
        rejections = _rejections(call, {"source": subject, "idempotency_key": str(key)})
        if output.as_json and not raw:
            output.rows(rejections, (), "")
        raise _not_accepted(rejections)
    if raw:
        _write(_text_of(call, event_id))
    elif output.as_json:
        output.json(call.client.get(f"/events/{event_id}"))
    else:
        _show(output, call.client.get(f"/events/{event_id}"), key)
        _show_text(output, _text_of(call, event_id).decode())


def _given_id(call: CommandContext, given: str, entity: str | None) -> str:
    wanted = given.strip().lower()
    if not is_like_an_event_id(wanted):
        why = "is not an event id: one has 64 hex digits, of which you give 6 or more. By key: retrace event SOURCE KEY"
        raise typer.BadParameter(why, param_hint="EVENT_ID")
    return whole_event_id(call.client, wanted, entity, call.clock())


def _id_under(call: CommandContext, source: str, key: str) -> str | None:
    found = call.client.get("/events", {"source": source, "idempotency_key": key})["items"]
    return str(found[0]["event_id"]) if found else None


def _text_of(call: CommandContext, event_id: str) -> bytes:
    return call.client.expect("GET", f"/events/{event_id}/raw").body


def _show(output: Output, found: Json, key: str | None) -> None:
    output.facts([(name, value) for name, value in _facts(found, key) if value is not None])
    if output.is_wide:
        place = f"byte {found['s3_offset']}, {found['s3_length']} bytes long"
        output.facts([("stored in", found["s3_key"]), ("at", place)])
    else:
        output.note("Where it is stored: --json, or a wider terminal.")
    if found["arrivals"]:
        output.rows(found["arrivals"], _ARRIVED_AGAIN, "")
    if found.get("more_arrivals"):
        output.note("It arrived more often than is listed.")
    conflicts = [arrival["rejected_id"] for arrival in found["arrivals"] if arrival.get("rejected_id")]
    for rejected_id in conflicts[:_CONFLICTS_SHOWN]:
        output.say(f"Conflict in quarantine: retrace rejected get {rejected_id[:ID_DIGITS]}")
    output.rows(found["aggregates"], _VERSIONS, "It is in no aggregate yet.")
    if found.get("more_aggregates"):
        output.note("Older versions may contain it, too: only the newest of its day were searched.")


def _facts(found: Json, key: str | None) -> Iterator[tuple[str, object]]:
    yield "source", found["source"]
    yield "key", key
    yield "type", found["event_type"]
    yield "entity", found["entity_id"]
    yield "event time", f"{short_time(found['event_time'])} UTC"
    yield "arrived", f"{short_time(found['ingest_time'])} UTC, lag {lag(found)}"
    yield "how often", _how_often(found)
    yield "sent by", found["sent_by"]
    yield "in request", found["request_id"]
    yield "event id", found["event_id"]


def _how_often(found: Json) -> str:
    again = Counter(arrival["status"] for arrival in found["arrivals"])
    if not again:
        return "once"
    least = "at least " if found.get("more_arrivals") else ""
    kinds = (_counted(again[status], status.lower()) for status in ("DUPLICATE", "CONFLICT") if again[status])
    return f"{least}{again.total() + 1} times: accepted, then {' and '.join(kinds)}"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _show_text(output: Output, text: str) -> None:
    shown = Text(escaped(indented(text)))
    JSONHighlighter().highlight(shown)
    output.console.print(shown, soft_wrap=True)


def _rejections(call: CommandContext, identity: Mapping[str, str]) -> list[Json]:
    """What quarantine has under a source and key that no accepted event has; raises Problem if it has nothing."""
    days = [str(call.day(day, "--day")) for day in QUARANTINE_DAYS]
    searched = {day: list(_refused(call, identity, day)) for day in days}
    found = [item for pages in searched.values() for page in pages for item in page]
    if not found:
        require_known(call.client, identity["source"])
        raise _not_found(identity, days, [day for day, pages in searched.items() if len(pages) == PAGES_A_DAY])
    return sorted(found, key=lambda item: str(item["ingest_time"]))


def _refused(call: CommandContext, identity: Mapping[str, str], day: str) -> Iterator[list[Json]]:
    query = {**identity, "day": day, "limit": str(_PAGE)}
    return islice(call.client.each_page("/rejected", query), PAGES_A_DAY)


def _not_found(identity: Mapping[str, str], days: Sequence[str], in_part: Sequence[str]) -> Problem:
    what = f"No event of {identity['source']} with the key {identity['idempotency_key']} was accepted"
    looked = f"Quarantine of {' and '.join(days)} does not have it"
    part = f" (of {' and '.join(in_part)}, only the beginning was searched)" if in_part else ""
    remedy = "Check the source and the key. An event without a key is found with `retrace events`."
    return Problem(f"{what}. {looked}{part}.", remedy, Exit.NOT_FOUND)


def _not_accepted(rejections: Sequence[Json]) -> Problem:
    told = (
        f"{item['status']} {short_time(item['ingest_time'])} UTC, because "
        + "; ".join(f"{error['field']} {error['message']}" for error in item["errors"][:3])
        for item in rejections
    )
    remedy = f"Correct it and retry it: retrace rejected retry {rejections[-1]['rejected_id'][:ID_DIGITS]}"
    return Problem("\n".join(f"Not accepted: {line}." for line in told), remedy, Exit.DIFFERENT)


def _write(event: bytes) -> None:
    """The bytes as they are; to a terminal without characters that it may act on."""
    if sys.stdout.isatty():
        event = escaped(event.decode(errors="replace")).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(event + b"\n")
    sys.stdout.buffer.flush()
