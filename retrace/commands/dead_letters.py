"""`retrace replay dead-letters` and `redrive`: lists the dead letters of a destination, and sends them back."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from chalicelib.replays.destinations import TO_AGGREGATES
from retrace.checking.destination_queues import dead_letters as letters_of
from retrace.checking.destination_queues import replays_of
from retrace.commands.replays import one_name
from retrace.context import AsJson, CommandContext, Limit, command_context
from retrace.event_ids import event_id_column
from retrace.output import Column, Output
from retrace.problem import Exit, Problem
from retrace.replay_progress import show_job
from retrace.replay_table import replay_column, whole_replay_id

_MOST = 10_000
"""A redrive of every replay to a destination looks at this many dead letters."""


def _one_name_if_any(text: str | None) -> str | None:
    return None if text is None else one_name(text)


def dead_letters(
    context: typer.Context,
    destination: Annotated[str, typer.Option("--destination", help="A declared destination.")] = TO_AGGREGATES,
    replay_id: Annotated[
        str | None, typer.Option("--replay", help="Only those of this replay.", callback=_one_name_if_any)
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = None,
) -> None:
    """List the dead letters of a destination: of which replay and event each is, and why it failed.

    It reads the queue with your own rights, and hides each message for ten seconds.

    retrace replay dead-letters --destination billing
    """
    call, output = command_context(context), Output(as_json=as_json)
    whole = None if replay_id is None else whole_replay_id(call.client, replay_id)
    found = (each for each in letters_of(call.target, destination) if whole in (None, each["replay_id"]))
    columns = (
        replay_column(output),
        event_id_column(output),
        Column("of", lambda item: item["entity_id"]),
        Column("why", lambda item: item["reason"]),
    )
    output.rows(islice(found, limit), columns, f"There are no dead letters of {destination}.")


def redrive(
    context: typer.Context,
    replay_id: Annotated[
        str | None, typer.Argument(help="The id of a replay, or its beginning as listed.", callback=_one_name_if_any)
    ] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", help="Redrive every replay that has dead letters there.")
    ] = None,
    as_json: AsJson = None,
) -> None:
    """Send a replay's dead letters back to its destination, and continue a failed replay. Others stay.

    retrace replay redrive 0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57
    retrace replay redrive --destination billing
    """
    call, output = command_context(context), Output(as_json=as_json)
    if (replay_id is None) == (destination is None):
        raise typer.BadParameter("give the id of a replay, or --destination")
    if replay_id is not None:
        _redrive(call, output, whole_replay_id(call.client, replay_id))
    elif destination is not None:
        _redrive_all(call, output, destination)


def _redrive(call: CommandContext, output: Output, replay_id: str) -> None:
    job = call.client.expect("POST", f"/replay/{replay_id}/redrive").json
    show_job(output, job)
    if job["state"] == "COMPLETE" and job["failed"] == 0:
        output.note("It has no dead letters, so nothing was sent back.")
    elif job["state"] in {"PLANNING", "SENDING"} and job["failed"] == 0:
        output.note(f"It continues. Watch it: retrace replay get {replay_id}")
    else:
        output.note(f"Dead letters are on their way back. Watch it: retrace replay get {replay_id}")


def _redrive_all(call: CommandContext, output: Output, destination: str) -> None:
    """Redrive each replay of the dead letters; exits with 1 if one was refused, as that of a cancelled replay is."""
    replay_ids = replays_of(letters_of(call.target, destination), _MOST)
    if not replay_ids:
        output.note(f"There are no dead letters of {destination}.")
    refused = 0
    for replay_id in replay_ids:
        try:
            _redrive(call, output, replay_id)
        except Problem as problem:
            refused += 1
            output.note(f"Replay {replay_id}: {problem.what}", "yellow")
    if refused:
        raise typer.Exit(Exit.DIFFERENT)
