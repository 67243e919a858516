"""Commands of replays: ask for one, watch it, cancel it, and send its dead letters back."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import quote

import typer

from retrace.context import TIME_HELP, AsJson, CommandContext, command_context
from retrace.known_sources import require_known
from retrace.output import Json, Output
from retrace.problem import Exit
from retrace.replay_progress import JOB_COLUMNS, Watch, cancelled, conclude, next_command, show_job, show_preview
from retrace.replay_request import counted, criteria, request_of, selection, sent

_PAGE = 25
"""As many as the API lists at a time."""


def _one_name(text: str) -> str:
    if not text or quote(text, safe="") != text:
        raise typer.BadParameter("is not a replay id: run `retrace replays` to list them")
    return text


Wait = Annotated[bool, typer.Option("--wait", help="Wait until it ends, and show its progress.")]
ReplayId = Annotated[str, typer.Argument(help="The id of a replay.", callback=_one_name)]


def replay(
    context: typer.Context,
    entity: Annotated[str | None, typer.Argument(help="The entity. Without one, give --source and --type.")] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="All events of this source and --type.")] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", "-t", help="All events of this type and --source.")
    ] = None,
    day: Annotated[str | None, typer.Option("--day", "-d", help="On this UTC day: yesterday, 3d, 2026-11-21.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help=f"From this time on. Whole days for a type. {TIME_HELP}")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before this time (excluded). Default: now.")] = None,
    from_day: Annotated[str | None, typer.Option("--from-day", help="From this day on (included).")] = None,
    to_day: Annotated[str | None, typer.Option("--to-day", help="To this day (included). Default: today.")] = None,
    include_source: Annotated[list[str] | None, typer.Option(help="Only of this source. Repeatable.")] = None,
    include_type: Annotated[list[str] | None, typer.Option(help="Only of this type. Repeatable.")] = None,
    include_event: Annotated[list[str] | None, typer.Option(help="Only the event with this id. Repeatable.")] = None,
    include_min_lag_ms: Annotated[int | None, typer.Option(min=0, help="Only events at least this late (ms).")] = None,
    exclude_source: Annotated[list[str] | None, typer.Option(help="No events of this source. Repeatable.")] = None,
    exclude_type: Annotated[list[str] | None, typer.Option(help="No events of this type. Repeatable.")] = None,
    exclude_event: Annotated[list[str] | None, typer.Option(help="Not the event with this id. Repeatable.")] = None,
    exclude_min_lag_ms: Annotated[int | None, typer.Option(min=0, help="No events at least this late (ms).")] = None,
    max_messages: Annotated[int | None, typer.Option(min=1, help="Send at most this many messages.")] = None,
    include_duplicates: Annotated[
        bool, typer.Option("--include-duplicates", help="Also send each event once for each of its duplicates.")
    ] = False,
    whole_days: Annotated[
        bool, typer.Option("--whole-days", help="All events of each entity and UTC day that is touched.")
    ] = False,
    rate: Annotated[float | None, typer.Option(help="Maximum messages per second.")] = None,
    order: Annotated[
        str | None, typer.Option(help="entity: in order for each entity, on the FIFO queue, for a consumer of yours.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why you request the replay, stored with it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent. Send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before sending.")] = False,
    wait: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="Wait until it ends. The default on a terminal.")
    ] = None,
    as_json: AsJson = None,
) -> None:
    """Send stored events to be processed again: count them first, show the counts, and ask.

    retrace replay order-1007 --day yesterday
    retrace replay --source shop/checkout --type order.paid --from-day 7d --to-day yesterday --yes --wait

    An event must match every --include-… option and no --exclude-… option. Values of one option are alternatives.
    While it waits, Ctrl-C offers to cancel. Exits with 1 if you declined, if the replay was cancelled or failed, or if
    any of its messages is a dead letter.
    """
    call, output = command_context(context), Output(as_json=as_json)
    request = request_of(
        **selection(call, entity, source, event_type, (since, until), (day, from_day, to_day)),
        include=criteria(include_source or [], include_type or [], include_event or [], include_min_lag_ms),
        exclude=criteria(exclude_source or [], exclude_type or [], exclude_event or [], exclude_min_lag_ms),
        max_messages=max_messages,
        include_duplicates=include_duplicates,
        whole_days=whole_days,
        rate=rate,
        order=order,
        reason=reason,
    )
    preview = counted(call.client, request)
    if preview["messages"] == 0 and preview["exact"]:
        require_known(call.client, source, event_type)
    if dry_run:
        _previewed(output, preview)
        return
    show_preview(output.notes, preview)
    if preview["messages"] == 0 and preview["exact"]:
        output.note("Nothing was sent.")
        return
    job = sent(call.client, output, request, preview, yes=yes)
    messages = preview["messages"] if preview["exact"] else None
    _report(call, output, job, messages, wait=sys.stdout.isatty() if wait is None else wait)


def _previewed(output: Output, preview: Json) -> None:
    if output.as_json:
        output.json(preview)
    else:
        show_preview(output.console, preview)


def _report(call: CommandContext, output: Output, job: Json, messages: int | None, *, wait: bool) -> None:
    """Show a replay, as it is or, where it is waited for, as it ended; and end the command accordingly."""
    output.note(f"Replay {job['replay_id']} {'is under way.' if wait else 'was asked for.'}")
    if wait:
        job = Watch(call.client, output, job["replay_id"], messages).until_over()
    show_job(output, job)
    follow = next_command(job) if wait else f"retrace replay-status {job['replay_id']} --wait"
    if follow is not None:
        output.note(f"{'What came of it' if wait else 'Watch it'}: {follow}")
    conclude(job)


def replays(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most this many.")] = 20,
    as_json: AsJson = None,
) -> None:
    """Replays and how far they are, newest first.

    retrace replays --limit 5
    """
    call, output = command_context(context), Output(as_json=as_json)
    found = call.client.pages("/replay", {"limit": str(min(limit, _PAGE))}, limit)
    output.rows(found, JOB_COLUMNS, "No replay was requested yet: retrace replay --help")


def replay_status(context: typer.Context, replay_id: ReplayId, wait: Wait = False, as_json: AsJson = None) -> None:
    """Show a replay and its progress. Exits with 1 if it was cancelled, has failed, or has dead letters.

    retrace replay-status 0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57 --wait
    """
    call, output = command_context(context), Output(as_json=as_json)
    job = call.client.get(f"/replay/{replay_id}")
    if wait:
        job = Watch(call.client, output, replay_id).until_over()
    show_job(output, job)
    conclude(job)


def replay_cancel(context: typer.Context, replay_id: ReplayId, as_json: AsJson = None) -> None:
    """Cancel a replay: send nothing more, and drop messages in flight. Exits with 1 if it was already complete.

    retrace replay-cancel 0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57
    """
    call, output = command_context(context), Output(as_json=as_json)
    job = cancelled(call.client, output, replay_id)
    show_job(output, job)
    if job["state"] != "CANCELLED":
        raise typer.Exit(Exit.DIFFERENT)


def redrive(context: typer.Context, replay_id: ReplayId, as_json: AsJson = None) -> None:
    """Send a replay's dead letters back to be processed, and go on where it was given up.

    retrace redrive 0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57
    """
    call, output = command_context(context), Output(as_json=as_json)
    job = call.client.expect("POST", f"/replay/{replay_id}/redrive").json
    show_job(output, job)
    if job["state"] == "COMPLETE" and job["failed"] == 0:
        output.note("It has no dead letters, so nothing was sent back.")
    else:
        output.note(f"Dead letters are on their way back. Watch it: retrace replay-status {replay_id}")
