"""Answers about replays."""

from __future__ import annotations

from typing import Annotated, NotRequired

from chalicelib.core.percent_encoding import for_path
from chalicelib.core.schemas import Count, Cursor, DescribedBy, JsonSchema, Shape, Time
from chalicelib.core.timestamps import Instant
from chalicelib.replays.destinations import DestinationKind
from chalicelib.replays.estimate import cost_usd
from chalicelib.replays.in_flight import quiet_hours
from chalicelib.replays.job import FailureReason, JobState, ReplayJob
from chalicelib.replays.preview_report import Preview
from chalicelib.replays.request import ReplayRequest
from chalicelib.replays.schemas import PinnedMetricShape, PreviewAnswer, counted_file, partial_shape
from chalicelib.replays.use_cases import ReplaysFound

STATES = ["PLANNING", "SENDING", "SENT", "COMPLETE", "CANCELLED", "FAILED"]
_AND_REPLAY = ', and replay only what is missing ("only": "unprocessed")'


class ReplayAnswer(Shape):
    """A replay and how far it is."""

    replay_id: str
    state: Annotated[str, JsonSchema(enum=STATES)]
    request: Annotated[dict[str, object], DescribedBy(ReplayRequest)]
    destination: Annotated[str, JsonSchema(description="Where its messages go, and nowhere else.")]
    destination_arn: Annotated[
        str, JsonSchema(description="Its queue or event bus, as declared when the replay was requested.")
    ]
    reports: Annotated[
        bool, JsonSchema(description="Whether outcomes are counted, so that the replay becomes COMPLETE.")
    ]
    requested_by: str
    created_at: Time
    updated_at: Time
    index_read_to: Annotated[
        Time | None,
        JsonSchema(
            description="By type: every event acknowledged before this was in the index. Null until all is read."
        ),
    ]
    cancelled_by: str | None
    may_change_until: Annotated[
        Time | None,
        JsonSchema(
            description="Of a cancelled replay: until then, a batch that a processor had in hand may still count in"
            " `processed` and in aggregates. Afterwards neither changes."
        ),
    ]
    failure: Annotated[str | None, JsonSchema(description="Why it has failed.")]
    scanned: Annotated[Count, JsonSchema(description="Rows of the index that were read.")]
    matched: Annotated[Count, JsonSchema(description="Events among them that are sent.")]
    sent: Annotated[Count, JsonSchema(description="Messages that were sent.")]
    processed: Annotated[Count, JsonSchema(description="Of these, those that were processed.")]
    failed: Annotated[
        Count,
        JsonSchema(description="Of these, those that failed: dead letters, until these expire, or reported so."),
    ]
    dropped: Annotated[Count, JsonSchema(description="Of these, those that came after a cancel and were dropped.")]
    dead_letters_until: Annotated[
        Time | None, JsonSchema(description="By when the last of its dead letters has expired; null if it has none.")
    ]
    estimated_cost_usd: Annotated[float, JsonSchema(minimum=0, description="Of what was sent, at most, list prices.")]
    metrics: NotRequired[
        Annotated[list[PinnedMetricShape], JsonSchema(description="Computed beside those that are built in.")]
    ]
    not_found: NotRequired[
        Annotated[Count, JsonSchema(description="Ids of its file, of those read, that no event has.")]
    ]
    what_if: NotRequired[
        Annotated[bool, JsonSchema(description="True: it computes drafts, and is never the newest version.")]
    ]
    advice: Annotated[
        str | None, JsonSchema(description="What to do where it does not get on by itself, or found nothing.")
    ]


class ReplayList(Shape):
    """Replays, newest first."""

    items: list[ReplayAnswer]
    cursor: Cursor


def job(shown: ReplayJob, now: Instant) -> ReplayAnswer:
    """A replay and how far it is now. One that computes only what is built in says nothing of metrics."""
    answer: ReplayAnswer = {
        "replay_id": shown.replay_id,
        "state": shown.public_state.value,
        "request": shown.request.as_asked(),
        "destination": shown.destination.name,
        "destination_arn": shown.destination.arn,
        "reports": shown.destination.reports,
        "requested_by": shown.requested_by,
        "created_at": shown.created_at,
        "updated_at": shown.updated_at,
        "index_read_to": shown.index_read_to,
        "cancelled_by": shown.cancelled_by,
        "may_change_until": shown.may_change_until,
        "failure": shown.failure,
        "scanned": shown.scanned,
        "matched": shown.matched,
        "sent": shown.sent,
        "processed": shown.processed,
        "failed": shown.failed,
        "dropped": shown.dropped,
        "dead_letters_until": shown.dead_letters_until,
        "estimated_cost_usd": cost_usd(shown.sent, shown.destination),
        "advice": _advice(shown, now),
    }
    if shown.metrics:
        answer["metrics"] = [{"name": each.name, "definition_sha256": each.definition_sha256} for each in shown.metrics]
    if shown.request.events_file is not None:
        answer["not_found"] = shown.not_found
    if shown.request.is_what_if:
        answer["what_if"] = True
    return answer


def _advice(shown: ReplayJob, now: Instant) -> str | None:
    """What to do about a replay that does not get on by itself, or that got on with nothing."""
    again = f"POST /replay/{shown.replay_id}/redrive"
    if shown.public_state is JobState.CANCELLED or shown.failed_because is FailureReason.EVENTS_FILE:
        return None  # the failure of such a file says all of it
    if shown.public_state is JobState.FAILED:
        return f"{_about_refused(shown)}It was given up. Once the cause is gone, {again} goes on where it stopped."
    if shown.public_state is JobState.COMPLETE and shown.sent == 0:
        return _about_nothing(shown.request, shown.scanned, shown.not_found, shown.index_read_to)
    hours = quiet_hours(shown, now) if shown.destination.reports else 0
    told = [_about_silence(shown, hours, again)] if hours else []
    if shown.failed > 0 and shown.destination.is_aggregates:
        told.append(_about_dead_letters(shown, again))
    elif shown.failed > 0:
        reported = f"as the consumer of {shown.destination.name} reported"
        told.append(f"{_messages(shown.failed)} failed, {reported}. It may report them done later.")
    return " ".join(told) or None


def _about_refused(shown: ReplayJob) -> str:
    """What to do if AWS let no planner send."""
    to = shown.destination
    if to.is_aggregates or shown.failed_because is not FailureReason.DESTINATION_REFUSED:
        return ""
    return f"See whether {to.arn} exists and, in another account, has the policy that the deployment prints. "


def _about_silence(shown: ReplayJob, hours: int, again: str) -> str:
    """What to do about messages that were sent, and of which nothing was heard for longer than SQS retries them."""
    to, name, built_in = shown.destination, shown.destination.name, shown.destination.is_aggregates
    since = "an hour" if hours == 1 else f"{hours} hours"
    resting = f"{name}: {again} sends those of this replay back"
    if not built_in and to.kind is DestinationKind.EVENTBRIDGE:  # planners cannot read them
        resting = "the targets of its rules"
    elif not built_in and not to.is_made_by_stage:
        resting = f"{name}: `aws sqs start-message-move-task --source-arn` with the ARN of their queue moves all back"
    return (
        f"{_messages(shown.in_flight)} sent to {name}, and none {'processed' if built_in else 'reported'} for {since}."
        f" See whether {'the processor' if built_in else 'its consumer'} runs, and look at the dead letters of"
        f" {resting}. Or cancel it{'' if built_in else _AND_REPLAY}."
    )


def _about_dead_letters(shown: ReplayJob, again: str) -> str:
    """What to do about messages that failed, before their dead letters expire and after."""
    return (
        f"{_messages(shown.failed)} failed. Once the cause is gone, {again} sends them back to be processed."
        f" Dead letters expire after 14 days, the last of these by {shown.dead_letters_until}: then replay again."
    )


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _about_nothing(request: ReplayRequest, scanned: int, not_found: int, index_read_to: Instant | None) -> str:
    """Why a replay may have no events, and where to look."""
    if request.events_file is not None and request.of is None and scanned == not_found:
        return "No event has any id of the file. GET /events lists events with their ids."
    if scanned > 0:
        return _about_filters(request, scanned - not_found)
    if request.of is not None:
        return f"Replay {request.of} sent no message."
    if request.entity_id is not None:
        known = "The entity has no event in this window."
        look = f"GET /events?entity_id={for_path(request.entity_id)} lists all events of the entity"
    else:
        known = (
            f"The index by type shows no event that was acknowledged before {index_read_to}."
            " If one was acknowledged later, send the request again."
        )
        source, event_type = for_path(request.source or ""), for_path(request.types[0])
        parameters = f"source={source}&event_type={event_type}&look_back_days=366"
        look = f"GET /freshness?{parameters} finds the newest event of {'the' if len(request.types) == 1 else 'a'} type"
    return f"{known} Names are compared to the letter, and times are event times; {look}."


def _about_filters(request: ReplayRequest, scanned: int) -> str:
    """Why none of the rows that were read is sent."""
    if request.of is not None:
        return f"Each of the {scanned} messages of replay {request.of} was processed, or passes no filter."
    if request.only is not None:
        return f"Each of the {scanned} events was sent to {request.destination} before, or passes no filter."
    return f"The filters leave none of the {scanned} events that were read."


def jobs(found: ReplaysFound, now: Instant) -> ReplayList:
    """A page of replays."""
    return {"items": [job(each, now) for each in found.jobs], "cursor": found.cursor}


def preview(counted: Preview) -> PreviewAnswer:
    """What a replay would send, the metrics that its request chooses, if it chooses any, and days it makes partial."""
    answer: PreviewAnswer = {
        "request": counted.request.as_asked(),
        "destination": counted.request.destination,
        "messages": counted.messages,
        "exact": counted.exact,
        "index_read_to": counted.index_read_to,
        "scanned": counted.scanned,
        "by_day": dict(counted.by_day),
        "by_source": dict(counted.by_source),
        "by_type": dict(counted.by_type),
        "estimated_seconds": counted.estimate.seconds,
        "estimated_cost_usd": counted.estimate.cost_usd,
        "estimated_reports_usd": counted.estimate.reports_usd,
        "advice": _advice_before(counted),
    }
    if counted.metrics is not None:
        answer["metrics"] = [{"name": each.name, "definition_sha256": each.sha256} for each in counted.metrics]
    if counted.file is not None:
        answer["events_file"] = counted_file(counted.file, counted.not_found)
    if counted.partial_days:
        answer["partial_days"] = list(map(partial_shape, counted.partial_days))
    return answer


def _advice_before(counted: Preview) -> str | None:
    """Why nothing would be sent, if so."""
    if counted.messages > 0:
        return None
    if not counted.exact:
        return (
            "Counting ran out of reads before it found anything. Set max_messages to replay it uncounted,"
            " or a shorter window to have all of it counted."
        )
    return _about_nothing(counted.request, counted.scanned, len(counted.not_found), counted.index_read_to)
