"""Answers to consumers that report outcomes."""

from __future__ import annotations

from typing import Annotated, NotRequired

from chalicelib.core.schemas import Count, DescribedBy, JsonSchema, Sha256, Shape
from chalicelib.processing.reported import RecordedReport
from chalicelib.replays.messages import Duplicate, MessageIdentity
from chalicelib.replays.responses import STATES


class NeverSent(Shape):
    """A message that was reported, but that the replay never sent."""

    event_id: Sha256
    duplicate: NotRequired[Annotated[dict[str, object], DescribedBy(Duplicate)]]


class ReportAnswer(Shape):
    """What was recorded of a consumer's report, and how far the replay is."""

    replay_id: str
    state: Annotated[str, JsonSchema(enum=STATES)]
    sent: Annotated[Count, JsonSchema(description="Messages that were sent.")]
    processed: Annotated[Count, JsonSchema(description="Of these, those that were reported done.")]
    failed: Annotated[Count, JsonSchema(description="Of these, those that were reported failed, and not done since.")]
    recorded: Annotated[Count, JsonSchema(description="Messages of this report, each once, that were recorded.")]
    never_sent: Annotated[list[NeverSent], JsonSchema(description="Reported, but never sent by this replay.")]


def report(recorded: RecordedReport) -> ReportAnswer:
    """What was recorded of a consumer's report."""
    shown = recorded.job
    return {
        "replay_id": shown.replay_id,
        "state": shown.public_state.value,
        "sent": shown.sent,
        "processed": shown.processed,
        "failed": shown.failed,
        "recorded": recorded.recorded,
        "never_sent": list(map(_never_sent, recorded.never_sent)),
    }


def _never_sent(identity: MessageIdentity) -> NeverSent:
    event_id, duplicate = identity
    return {"event_id": event_id} if duplicate is None else {"event_id": event_id, "duplicate": duplicate.model_dump()}
