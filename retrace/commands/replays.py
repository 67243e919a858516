"""Commands that request, preview, list, show and cancel replays, and list the destinations of a stage."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

import typer

from chalicelib.metrics.definition import Definition
from retrace.context import AsJson, CommandContext, command_context
from retrace.known_names import require_known, require_known_entity
from retrace.output import Column, Json, Output
from retrace.problem import Exit
from retrace.replay_options import with_request
from retrace.replay_progress import Watch, cancelled, conclude, next_command, show_job, show_preview
from retrace.replay_request import counted, sent
from retrace.replay_table import job_columns, whole_replay_id
from retrace.what_if import comparisons, drafts_in

_PAGE = 25
"""As many as the API lists at a time."""

_DESTINATIONS = (
    Column("destination", lambda item: item["name"], whole=True),
    Column("kind", lambda item: f"{item['kind']}{_how_counted(item)}", whole=True),
    Column("rate/s", lambda item: _or_dash(item["rate"]), number=True),
    Column("sending", lambda item: item["sending"], number=True),
    Column("in flight", lambda item: _or_dash(item["in_flight"]), number=True),
    Column(
        "failed", lambda item: _or_dash(item["failed"]), number=True, style=lambda item: "red" * bool(item["failed"])
    ),
)


def _how_counted(item: Json) -> str:
    return ", built in" if item["built_in"] else ", reports" if item["reports"] else ""


def _or_dash(number: float | None) -> str:
    return "-" if number is None else f"{number:,}"


def one_name(text: str) -> str:
    """The name of a replay; raises BadParameter for what no id can be."""
    if not text or quote(text, safe="") != text:
        raise typer.BadParameter("is not a replay id: run `retrace replay list` to list them")
    return text


Wait = Annotated[bool, typer.Option("--wait", help="Wait until it ends, and show its progress.")]
ReplayId = Annotated[str, typer.Argument(help="The id of a replay, or its beginning as listed.", callback=one_name)]


@with_request
def create(
    context: typer.Context,
    request: Json,
    calendar: str | None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before sending.")] = False,
    wait: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="Wait until it ends. The default on a terminal.")
    ] = None,
    as_json: AsJson = None,
) -> None:
    """Send stored events to be processed again: count them first, show the counts, and ask.

    retrace replay create order-1007 --day yesterday
    retrace replay create --source shop/checkout --type order.paid --since 10:00 --until 12:00
    retrace replay create --source shop/checkout --type order.paid --from-day 7d --to-day yesterday --yes --wait
    retrace replay create merchant-42 --day 2025-11-28 --draft metrics.yaml
    retrace replay create --only unprocessed --of 0199b0f4-5a1c
    retrace replay create --events lost.txt --destination billing

    An event must match every --include-… option and no --exclude-… option. Values of one option are alternatives.
    While it waits, Ctrl-C offers to cancel. Exits with 1 if you declined, if the replay was cancelled or failed, or if
    any of its messages is a dead letter.
    """
    call, output = command_context(context), Output(as_json=as_json)
    counts = _counted(call, request)
    show_preview(output.notes, counts)
    if counts["messages"] == 0 and counts["exact"]:
        output.note("Nothing was sent.")
        return
    job = sent(call.client, output, request, counts, yes=yes)
    messages = counts["messages"] if counts["exact"] else None
    wait = sys.stdout.isatty() if wait is None else wait
    _report(call, output, job, messages, drafts_in(request), calendar, wait=wait)


@with_request
def preview(context: typer.Context, request: Json, as_json: AsJson = None) -> None:
    """Count what a replay would send, by day, source and type, and estimate its time and cost. Send nothing.

    retrace replay preview order-1007 --day yesterday
    """
    call, output = command_context(context), Output(as_json=as_json)
    counts = _counted(call, request)
    if output.as_json:
        output.json(counts)
    else:
        show_preview(output.console, counts)


def _counted(call: CommandContext, request: Json) -> Json:
    """What a replay would send; raises Problem if it has nothing of a source, type or entity that is unknown."""
    _require_known_filters(call, request)
    found = counted(call.client, request)
    for event_type in request.get("event_types", [request["event_type"]] if "event_type" in request else []):
        if "of" not in request and found["exact"] and event_type not in found["by_type"]:
            require_known(call.client, request.get("source"), event_type)
    if found["messages"] == 0 and found["exact"]:
        require_known_entity(call.client, request.get("entity_id"))
    return found


def _require_known_filters(call: CommandContext, request: Json) -> None:
    """Raise Problem if a filter names an unknown source or type: it would choose nothing, or leave nothing out."""
    for named in (request.get("include", {}), request.get("exclude", {})):
        for source in named.get("sources", ()):
            require_known(call.client, source)
        require_known(call.client, None, *named.get("event_types", ()))


def _report(
    call: CommandContext,
    output: Output,
    job: Json,
    messages: int | None,
    drafts: Sequence[Definition],
    calendar: str | None,
    *,
    wait: bool,
) -> None:
    """Show a replay, as it is or, where it is waited for, as it ended; and end the command accordingly."""
    output.note(f"Replay {job['replay_id']} {'is under way.' if wait else 'was requested.'}")
    if wait:
        job = Watch(call.client, output, job["replay_id"], messages).until_over()
    show_job(output, job)
    follow = next_command(job, calendar) if wait else f"retrace replay get {job['replay_id']} --wait"
    if follow is not None and not (wait and drafts):
        output.note(f"{'What came of it' if wait else 'Watch it'}: {follow}")
    for command in comparisons(call.client, job, drafts):
        output.note(f"{'What came of it' if wait else 'Once it is complete'}: {command}")
    conclude(job)


def list_replays(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most this many.")] = 20,
    as_json: AsJson = None,
) -> None:
    """List replays and how far they are, newest first.

    retrace replay list --limit 5
    """
    call, output = command_context(context), Output(as_json=as_json)
    found = call.client.pages("/replay", {"limit": str(min(limit, _PAGE))}, limit)
    output.rows(found, job_columns(output), "No replay was requested yet: retrace replay create --help")


def destinations(context: typer.Context, as_json: AsJson = None) -> None:
    """List where replays may send, and what the newest replays have there.

    retrace destinations
    """
    call, output = command_context(context), Output(as_json=as_json)
    output.rows(call.client.get("/destinations")["items"], _DESTINATIONS, "No destination is declared.")


def get_replay(context: typer.Context, replay_id: ReplayId, wait: Wait = False, as_json: AsJson = None) -> None:
    """Show a replay and its progress. Exits with 1 if it was cancelled, has failed, or has dead letters.

    retrace replay get 0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57 --wait
    """
    call, output = command_context(context), Output(as_json=as_json)
    replay_id = whole_replay_id(call.client, replay_id)
    job = call.client.get(f"/replay/{replay_id}")
    if wait:
        job = Watch(call.client, output, replay_id).until_over()
    show_job(output, job)
    conclude(job)


def cancel(context: typer.Context, replay_id: ReplayId, as_json: AsJson = None) -> None:
    """Cancel a replay: send nothing more, and drop messages in flight. Exits with 1 if it was already complete.

    retrace replay cancel 0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57
    """
    call, output = command_context(context), Output(as_json=as_json)
    job = cancelled(call.client, output, whole_replay_id(call.client, replay_id))
    show_job(output, job)
    if job["state"] != "CANCELLED":
        raise typer.Exit(Exit.DIFFERENT)
