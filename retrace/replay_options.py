"""The options that say what a replay sends, for each command that needs them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Annotated, Any

import typer

from retrace.context import TIME_HELP, command_context
from retrace.defining.metric_file import definitions_in
from retrace.output import Json, Output
from retrace.replay_request import Only, criteria, of_replay, request_of, selected_by_file, selection


def _request(
    context: typer.Context,
    entity: Annotated[str | None, typer.Argument(help="The entity. Without one, give --source and --type.")] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="All events of this source and --type.")] = None,
    event_types: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="All events of this type and --source. Repeatable.")
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(
            "--events",
            metavar="FILE",
            help="The events of a file (- is stdin): on each line an id, or JSON with event_id.",
        ),
    ] = None,
    day: Annotated[str | None, typer.Option("--day", "-d", help="On this day: yesterday, 3d, 2026-11-21.")] = None,
    since: Annotated[str | None, typer.Option("--since", help=f"From this time on. {TIME_HELP}")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before this time (excluded). Default: now.")] = None,
    from_day: Annotated[str | None, typer.Option("--from-day", help="From this day on (included).")] = None,
    to_day: Annotated[str | None, typer.Option("--to-day", help="To this day (included). Default: today.")] = None,
    calendar: Annotated[
        str | None, typer.Option("--calendar", help="The time zone of the days, such as Europe/Paris. Default: UTC.")
    ] = None,
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
    destination: Annotated[
        str | None, typer.Option(help="Send to this destination and nowhere else. Default: aggregates.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Compute this metric. Repeatable. Default: all active ones.")
    ] = None,
    draft: Annotated[
        str | None,
        typer.Option("--draft", metavar="FILE", help="What if: compute the definitions of this file, as drafts."),
    ] = None,
    only: Annotated[
        Only | None,
        typer.Option(help="Only what replay --of left unprocessed, or what no replay sent to --destination."),
    ] = None,
    of: Annotated[
        str | None, typer.Option(metavar="REPLAY", help="With --only unprocessed: the replay. It says which events.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why you request the replay, stored with it.")] = None,
) -> Json:
    call = command_context(context)
    chosen = entity, source, event_types or [], (since, until), (day, from_day, to_day), calendar
    if events is not None:
        selected = selected_by_file(call, events, of, *chosen)
    else:
        selected = selection(call, *chosen) if of is None else of_replay(call, of, *chosen)
    return request_of(
        **selected,
        only=only and only.value,
        include=criteria(include_source or [], include_type or [], include_event or [], include_min_lag_ms),
        exclude=criteria(exclude_source or [], exclude_type or [], exclude_event or [], exclude_min_lag_ms),
        max_messages=max_messages,
        include_duplicates=include_duplicates,
        whole_days=whole_days,
        rate=rate,
        destination=destination,
        metrics=[*(metric or []), *([] if draft is None else definitions_in(draft, Output()))] or None,
        reason=reason,
    )


_OPTIONS = signature(_request, eval_str=True)


def with_request(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a replay, hand it the `request` that they mean, and `calendar` if it asks."""
    own = signature(command, eval_str=True)
    others = [parameter for name, parameter in own.parameters.items() if name not in ("context", "request", "calendar")]

    def called(context: typer.Context, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in _OPTIONS.parameters if name != "context"}
        asked = {"calendar": chosen["calendar"]} if "calendar" in own.parameters else {}
        command(context, request=_request(context, **chosen), **asked, **given)

    # typer reads parameters from the signature.
    called.__signature__ = own.replace(parameters=[*_OPTIONS.parameters.values(), *others])  # type: ignore[attr-defined]
    called.__doc__ = command.__doc__
    return called
