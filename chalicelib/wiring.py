"""Where the use cases behind the routes are handed their adapters; nothing is made, or imported, before it is needed.

What a cold function does not run it does not import either: of all use cases most need one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib import adapters, runtime

if TYPE_CHECKING:
    from chalicelib.admission import Admit
    from chalicelib.freshness import CheckFreshness
    from chalicelib.ingest import Ingest
    from chalicelib.investigate import InvestigateEvent
    from chalicelib.lineage import InvestigateAggregates, TraceVersions
    from chalicelib.preview import PreviewReplay
    from chalicelib.quarantine import ReviewQuarantine
    from chalicelib.replay import ControlReplay, FindReplays, RequestReplay
    from chalicelib.search import FindGaps, ListLate, SearchEvents


def ingest() -> Ingest:
    """POST /ingest."""
    from chalicelib.ingest import Ingest

    return Ingest(
        adapters.raw_store(),
        adapters.identities(),
        adapters.event_index(),
        adapters.quarantine(),
        runtime.now,
        runtime.concurrently,
    )


def admit() -> Admit:
    """Which requests are read at all."""
    from chalicelib.admission import Admit

    takes_webhooks = bool(runtime.settings().webhook_secret_arn)
    return Admit(adapters.webhook_secrets() if takes_webhooks else None, runtime.now, runtime.in_lambda())


def investigate_event() -> InvestigateEvent:
    """GET /events/{event_id} and /events/{event_id}/raw."""
    from chalicelib.investigate import InvestigateEvent

    return InvestigateEvent(
        adapters.identities(),
        adapters.event_index(),
        adapters.raw_store(),
        adapters.aggregate_history(),
        runtime.concurrently,
    )


def investigate_aggregates() -> InvestigateAggregates:
    """GET /aggregates."""
    from chalicelib.lineage import InvestigateAggregates

    return InvestigateAggregates(
        adapters.aggregate_history(), adapters.event_index(), adapters.replay_store(), runtime.concurrently
    )


def trace_versions() -> TraceVersions:
    """GET /aggregates/inputs and /aggregates/diff."""
    from chalicelib.lineage import TraceVersions

    return TraceVersions(adapters.aggregate_history(), runtime.concurrently)


def review_quarantine() -> ReviewQuarantine:
    """GET /rejected and what lies beneath it."""
    from chalicelib.quarantine import ReviewQuarantine

    return ReviewQuarantine(adapters.rejections(), ingest(), runtime.now)


def search_events() -> SearchEvents:
    """GET /events."""
    from chalicelib.search import SearchEvents

    return SearchEvents(adapters.event_index(), runtime.settings().shards_read, runtime.concurrently)


def list_late() -> ListLate:
    """GET /late."""
    from chalicelib.search import ListLate

    return ListLate(adapters.event_index(), runtime.settings().shards_read, runtime.concurrently)


def find_gaps() -> FindGaps:
    """GET /gaps."""
    from chalicelib.search import FindGaps

    return FindGaps(adapters.event_index(), runtime.settings().shards_read, runtime.concurrently)


def check_freshness() -> CheckFreshness:
    """GET /freshness."""
    from chalicelib.freshness import CheckFreshness

    return CheckFreshness(adapters.event_index(), runtime.settings().shards_read, runtime.now, runtime.concurrently)


def openapi_document() -> dict[str, Any]:
    """GET /openapi.json."""
    from chalicelib.openapi import document

    return document()


def request_replay() -> RequestReplay:
    """POST /replay."""
    from chalicelib.replay import RequestReplay

    chosen = runtime.settings()
    return RequestReplay(
        adapters.replay_store(),
        adapters.queues(),
        preview_replay(),
        confirm_above=chosen.confirm_above,
        shards=chosen.shards_read,
        index_lag_s=chosen.index_lag_seconds,
        now=runtime.now,
        id_at=runtime.id_at,
    )


def preview_replay() -> PreviewReplay:
    """POST /replay with dry_run."""
    from chalicelib.preview import PreviewReplay

    chosen = runtime.settings()
    return PreviewReplay(
        adapters.event_index(),
        chosen.shards_read,
        chosen.processor_concurrency,
        chosen.index_lag_seconds,
        runtime.now,
        runtime.concurrently,
    )


def find_replays() -> FindReplays:
    """GET /replay and GET /replay/{id}."""
    from chalicelib.replay import FindReplays

    return FindReplays(adapters.replay_store(), runtime.concurrently)


def control_replay() -> ControlReplay:
    """POST /replay/{id}/cancel and POST /replay/{id}/redrive."""
    from chalicelib.replay import ControlReplay

    return ControlReplay(adapters.replay_store(), adapters.queues(), runtime.now, runtime.new_id, runtime.pause)
