"""`retrace rejected …`: lists refused events, shows one, retries them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from retrace.concurrency import in_order
from retrace.conflicts import differences, facts_of_conflict, with_conflicts
from retrace.context import TIME_HELP, AsJson, CommandContext, Limit, command_context
from retrace.corrections import (
    AS_IT_WAS_KEPT,
    ID_DIGITS,
    Correction,
    Retried,
    corrections_of,
    is_like_an_id,
    line_for_correction,
    retried,
)
from retrace.json_layout import indented
from retrace.known_names import require_known
from retrace.output import Column, Json, Output, bar, on_one_line, short_time
from retrace.problem import Exit
from retrace.progress import Counting

_PAGE = 1_000
_NAMED = "source, entity, key"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")

RejectedId = Annotated[str, typer.Argument(help="The id of a refused event, or its day and first 6 digits or more.")]


def list_rejected(
    context: typer.Context,
    day: Annotated[str | None, typer.Option("--day", "-d", help="Received on this UTC day. Default: today.")] = None,
    since: Annotated[str | None, typer.Option("--since", help=f"Received from this time on. {TIME_HELP}")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Received before this time. Default: now.")] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Of this source.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only with this reason: REJECTED, CONFLICT, or an invalid field.")
    ] = None,
    unresolved: Annotated[
        bool, typer.Option("--unresolved", help="Only events that no retry has taken in: what is still to do.")
    ] = False,
    bodies: Annotated[
        bool, typer.Option("--bodies", help="JSON with each event, to correct for `retrace rejected retry --fix`.")
    ] = False,
    limit: Limit = 100,
    as_json: AsJson = None,
) -> None:
    """List refused events and why they were refused.

    retrace rejected list --unresolved --since 3d
    retrace rejected list --day yesterday --source shop/checkout --reason event_time --bodies > refused.ndjson
    """
    call, output = command_context(context), Output(as_json=True if bodies else as_json)
    query = _window(call, day, since, until)
    query |= {"source": source, "reason": reason, "resolved": "false" if unresolved else None}
    query["limit"] = str(min(limit, _PAGE))
    found = list(call.client.pages("/rejected", query, limit))
    if not found:
        require_known(call.client, source)
    nothing = f"No refused event of {_told(query)}. Look at other days with --since, or leave options out."
    if bodies:
        details = in_order(lambda item: call.client.expect("GET", f"/rejected/{item['rejected_id']}"), found)
        for answer in details:
            output.json_text(line_for_correction(answer.json))
        if not found:
            output.note(nothing)
    else:
        ordered = sorted(found, key=lambda item: str(item["ingest_time"]))
        ordered = ordered if output.as_json else with_conflicts(call.client, ordered)
        output.rows(ordered, _columns(output, retried=any(map(_done, found))), nothing)
    if len(found) == limit:
        output.note(f"Cut off at {limit}. There may be more: --limit")
    if not output.as_json:
        _show_reasons(output, found)


def _window(call: CommandContext, day: str | None, since: str | None, until: str | None) -> dict[str, str | None]:
    if since is None and until is not None:
        raise typer.BadParameter("needs a beginning: --since", param_hint="--until")
    if since is None:
        return {"day": call.day(day or "today", "--day")}
    if day is not None:
        raise typer.BadParameter("is a window by itself: leave out --since and --until", param_hint="--day")
    start, end = call.window(since, until or "now")
    return {"start_time": start, "end_time": end}


def _told(query: Json) -> str:
    when = query.get("day") or f"{short_time(query['start_time'])} to {short_time(query['end_time'])}"
    names = {"source": "source", "reason": "reason"}
    parts = [f"{name} {query[key]}" for key, name in names.items() if query[key] is not None]
    return ", ".join([when, *parts, *(["unresolved"] if query["resolved"] else [])])


def _who(item: Json) -> str:
    """Source, entity and key, as far as the event says them."""
    named = [item.get(name) for name in ("source", "entity_id", "idempotency_key")]
    several = [f"{item['events']} events"] if item.get("events", 1) > 1 else []
    return ", ".join(on_one_line(str(name)) for name in [*several, *named] if name is not None) or "(cannot be read)"


def _why(item: Json) -> str:
    differs = [told for conflict in item.get("conflicts", ()) for told in differences(conflict)]
    return on_one_line("; ".join(differs[:3] or map(_reason, item.get("errors", [])[:3])))


def _reason(error: Json) -> str:
    """A reason without hashes and nanoseconds: `retrace rejected get` shows what differs."""
    message = error["message"].partition(" (content_sha256")[0]
    return f"{error.get('field', '')} {_INSTANT.sub(lambda found: short_time(found[0]), message)}".strip()


def _done(item: Json) -> str:
    return "done" if item.get("resolved") else "tried" if item.get("retried") else ""


def _columns(output: Output, *, retried: bool) -> tuple[Column, ...]:
    """The columns of a list: reasons are below names unless there is room beside them."""
    below = Column(f"{_NAMED}, why", lambda item: f"{_who(item)}\n{_why(item)}", several_lines=True, cut=True)
    return (
        Column("id", lambda item: str(item["rejected_id"])[:ID_DIGITS], whole=True),
        Column("received", lambda item: str(item["ingest_time"])[11:19], whole=True),
        *((Column(_NAMED, _who), Column("why", _why)) if output.is_wide else (below,)),
        *([Column("retry", _done, whole=True)] * retried),
    )


def _show_reasons(output: Output, found: list[Json]) -> None:
    """How often each field is at fault, where that differs."""
    reasons = Counter(error.get("field") or "(whole)" for item in found for error in item.get("errors", [])[:1])
    if len(reasons) > 1:
        most = max(reasons.values())
        for name, count in reasons.most_common(10):
            output.say(f"{bar(count, most):24} {count:>5}  {name}", "dim")


def get_rejected(context: typer.Context, rejected_id: RejectedId, as_json: AsJson = None) -> None:
    """Show a refused event: why it was refused, its body, and for a conflict what differs from the first event.

    retrace rejected get 2026-11-22.1a611613
    """
    call, output = command_context(context), Output(as_json=as_json)
    item = call.client.expect("GET", f"/rejected/{_segment(rejected_id)}").json
    if output.as_json:
        output.json(item)
        return
    output.facts(
        [
            ("id", item["rejected_id"][: None if output.is_wide else ID_DIGITS]),
            ("received", short_time(item["ingest_time"])),
            ("status", item["status"]),
            *((name, item[member]) for name, member in _NAMES.items() if item.get(member) is not None),
            *(("why", _reason(fault)) for fault in item["errors"]),
            *(fact for conflict in item["conflicts"] for fact in facts_of_conflict(conflict, item)),
            *(("retried", _result(retry)) for retry in item["retries"]),
        ]
    )
    output.say(_body(item))


_NAMES = {"source": "source", "type": "event_type", "entity": "entity_id", "key": "idempotency_key"}


def _segment(rejected_id: str) -> str:
    if not is_like_an_id(rejected_id):
        raise typer.BadParameter("is not the id of a refused event: run `retrace rejected list`", param_hint="ID")
    return rejected_id


def _result(retry: Json) -> str:
    came_of_it = Counter(result["status"] for result in retry["results"])
    counts = ", ".join(f"{count} {status}" for status, count in came_of_it.items())
    return f"{short_time(retry['requested_at'])} by {retry['requested_by']}: {counts}"


def _body(item: Json) -> str:
    if "body" not in item:
        return f"(base64) {item['body_base64']}"
    try:
        return indented(item["body"]) if item["content_type"] != "application/x-ndjson" else str(item["body"])
    except (ValueError, IndexError):
        return str(item["body"])


def retry_rejected(
    context: typer.Context,
    rejected_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="Refused events, sent as they were kept.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option("--fix", help="Send the corrected events of this file, of `list --bodies`. - is standard input."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing. Report what would happen.")] = False,
    as_json: AsJson = None,
) -> None:
    """Send refused events through ingest again, as they were kept or corrected.

    retrace rejected retry 2026-11-22.1a611613
    retrace rejected list --unresolved --bodies > refused.ndjson
    retrace rejected retry --fix corrected.ndjson --dry-run

    Correct the event in each line of the file. Exits with 1 if any event was refused again.
    """
    call, output = command_context(context), Output(as_json=as_json)
    if bool(rejected_ids) == (fix is not None):
        raise typer.BadParameter("name refused events, or give --fix FILE", param_hint="ID…")
    as_kept = [Correction(_segment(one), AS_IT_WAS_KEPT) for one in rejected_ids or ()]
    wanted = as_kept if fix is None else corrections_of(fix)
    refused: list[Retried] = []
    with Counting(output.notes, "Retrying") as progress:
        for result in in_order(lambda one: retried(call.client, one, dry_run=dry_run), wanted):
            progress.add(**result.counts)
            refused += [] if result.taken_in else [result]
            if output.as_json:
                output.json(result.to_json())
        told = str(progress)
    if not output.as_json:
        output.rows([one.to_json() for one in refused], _REFUSED_AGAIN, "") if refused else None
    output.note(f"{len(wanted):,} retried{'. Would be' if dry_run else ''}: {told}" if wanted else "The file is empty.")
    if refused:
        raise typer.Exit(Exit.DIFFERENT)


_REFUSED_AGAIN = (
    Column("id", lambda item: str(item["rejected_id"])[:ID_DIGITS], whole=True),
    Column("refused again because", _why),
)
