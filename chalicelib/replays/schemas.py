"""What answers about replays have of previews, destinations, and the metrics that a replay computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NotRequired

from chalicelib.core.schemas import Count, Day, DescribedBy, JsonSchema, Problem, Sha256, Shape, Time
from chalicelib.replays.destinations import DeclaredDestination, DestinationKind, Destinations
from chalicelib.replays.events_file import LINE_BYTES, EventsFile, Upload
from chalicelib.replays.in_flight import at_destination
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.partial_days import PartialDays
from chalicelib.replays.preview_report import NOT_FOUND_SHOWN
from chalicelib.replays.request import MAX_REPLAYS, ReplayRequest


class PinnedMetricShape(Shape):
    """A metric that a replay computes."""

    name: str
    definition_sha256: Annotated[Sha256, JsonSchema(description="Of the definition that it had at the request.")]


class PartialDayShape(Shape):
    """A day that a replay covers only in part, and the window that covers it."""

    day: Day
    start_time: Time
    end_time: Time


class PartialDaysShape(Shape):
    """The days of a calendar that a replay covers only in part."""

    calendar: str
    days: Annotated[
        list[PartialDayShape] | None, JsonSchema(description="Null: each that the replay touches, whatever its window.")
    ]


class CountedFile(Shape):
    """The file of a replay, as it was counted."""

    bytes: Count
    events: Annotated[Count, JsonSchema(description="How many ids it has.")]
    not_found: Annotated[Count, JsonSchema(description="How many of them no event has; at least, if not `exact`.")]
    not_found_ids: Annotated[list[Sha256], JsonSchema(description="The first 20 of them.")]


class UploadShape(Shape):
    """The request that uploads a file. It needs no signature, and does nothing else."""

    method: str
    url: str
    headers: Annotated[dict[str, str], JsonSchema(description="Send exactly these.")]
    expires_at: Time


class EventsFileAnswer(Shape):
    """A file of event ids, and how to upload it."""

    events_file: Annotated[Sha256, JsonSchema(description="For `events_file` of POST /replay.")]
    bytes: Count
    events: Count
    upload: Annotated[UploadShape | None, JsonSchema(description="Null if the file is there.")]


class PreviewAnswer(Shape):
    """What a replay would send."""

    request: Annotated[dict[str, object], DescribedBy(ReplayRequest)]
    destination: Annotated[str, JsonSchema(description="Where they would go.")]
    messages: Annotated[Count, JsonSchema(description="How many messages; at least, if `exact` is false.")]
    exact: Annotated[bool, JsonSchema(description="False if counting stopped before the end.")]
    index_read_to: Annotated[
        Time | None, JsonSchema(description="By type: every event acknowledged before this is in the index.")
    ]
    scanned: Annotated[Count, JsonSchema(description="Rows of the index that were read.")]
    by_day: dict[str, Count]
    by_source: Annotated[dict[str, Count], JsonSchema(description="The 100 with most messages.")]
    by_type: Annotated[dict[str, Count], JsonSchema(description="The 100 with most messages.")]
    estimated_seconds: Annotated[
        Count, JsonSchema(description="To a destination with a rate: with the share that other replays leave.")
    ]
    estimated_cost_usd: Annotated[
        float, JsonSchema(minimum=0, description="At most, at list prices, with what `only` or a file looks up.")
    ]
    estimated_reports_usd: Annotated[
        float, JsonSchema(minimum=0, description="Of that, for outcomes that a consumer reports in thousands.")
    ]
    metrics: NotRequired[Annotated[list[PinnedMetricShape], JsonSchema(description="Those that the request chooses.")]]
    partial_days: NotRequired[
        Annotated[list[PartialDaysShape], JsonSchema(description="Calendars whose versions it makes partial, if any.")]
    ]
    events_file: NotRequired[Annotated[CountedFile, JsonSchema(description="Of a replay of a file.")]]
    advice: Annotated[str | None, JsonSchema(description="Where to look, if it would send nothing.")]


class DestinationAnswer(Shape):
    """A destination that the stage declares, and what the newest replays have there."""

    name: str
    kind: Annotated[str, JsonSchema(enum=[each.value for each in DestinationKind])]
    arn: Annotated[str, JsonSchema(description="Of its queue or event bus.")]
    built_in: Annotated[bool, JsonSchema(description="Whether the processor of Retrace reads it.")]
    ordered: Annotated[bool, JsonSchema(description="Whether messages of an entity come in order of time.")]
    reports: Annotated[bool, JsonSchema(description="Whether outcomes are counted, so that replays become COMPLETE.")]
    rate: Annotated[
        float | None, JsonSchema(exclusiveMinimum=0, description="Messages a second that all replays to it share.")
    ]
    max_in_flight: Annotated[
        int | None, JsonSchema(minimum=1, description="Most messages in flight there, of all replays together.")
    ]
    sending: Annotated[
        Count, JsonSchema(description=f"Of the {MAX_REPLAYS} newest replays, those that still send to it.")
    ]
    in_flight: Annotated[
        Count | None, JsonSchema(description="Messages of these replays without an outcome; null without reports.")
    ]
    failed: Annotated[
        Count | None, JsonSchema(description="Messages of these replays that failed; null without reports.")
    ]


class DestinationList(Shape):
    """Every destination of the stage."""

    items: list[DestinationAnswer]


class UnconfirmedProblem(Problem):
    """The replay is large, and was not confirmed with the number of its messages."""

    preview: PreviewAnswer


def destination_list(declared: Destinations, newest: Sequence[ReplayJob]) -> DestinationList:
    """What the stage declares, in its order."""
    return {"items": [_destination(each, declared, newest) for each in declared.declared]}


def _destination(each: DeclaredDestination, declared: Destinations, newest: Sequence[ReplayJob]) -> DestinationAnswer:
    there = at_destination(each.name, newest)
    return {
        "name": each.name,
        "kind": each.kind.value,
        "arn": each.arn,
        "built_in": each.is_aggregates,
        "ordered": each.is_ordered,
        "reports": each.reports,
        "rate": declared.rates.get(each.name),
        "max_in_flight": declared.window if each.has_window else None,
        "sending": there.sending,
        "in_flight": there.in_flight if each.reports else None,
        "failed": there.failed if each.reports else None,
    }


def counted_file(file: EventsFile, not_found: Sequence[str]) -> CountedFile:
    """A file, with the first ids of it that no event has."""
    first = list(not_found[:NOT_FOUND_SHOWN])
    return {"bytes": file.size, "events": file.events, "not_found": len(not_found), "not_found_ids": first}


def partial_shape(found: PartialDays) -> PartialDaysShape:
    """The days of a calendar that a replay covers only in part."""
    if found.days is None:
        return {"calendar": found.calendar, "days": None}
    days: list[PartialDayShape] = [{"day": day, "start_time": of.start, "end_time": of.end} for day, of in found.days]
    return {"calendar": found.calendar, "days": days}


def upload_shape(sha256: str, found: EventsFile | Upload, events: int) -> EventsFileAnswer:
    """A file, and how to upload it unless it is there."""
    if isinstance(found, EventsFile):
        return {"events_file": sha256, "bytes": found.size, "events": found.events, "upload": None}
    upload: UploadShape = {
        "method": found.method,
        "url": found.url,
        "headers": found.headers,
        "expires_at": found.expires_at,
    }
    return {"events_file": sha256, "bytes": events * LINE_BYTES, "events": events, "upload": upload}
