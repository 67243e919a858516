"""Where the use cases behind the routes are handed their adapters; nothing is made, or imported, before it is needed.

What a cold function does not run it does not import either: of all use cases most need one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.runtime import adapters, system

if TYPE_CHECKING:
    from chalicelib.aggregates.use_cases import InvestigateAggregates, TraceVersions
    from chalicelib.ingest.authentication import Admit
    from chalicelib.ingest.use_cases import Ingest
    from chalicelib.quarantine.use_cases import ReviewQuarantine
    from chalicelib.replays.preview import PreviewReplay
    from chalicelib.replays.use_cases import ControlReplay, FindReplays, RequestReplay
    from chalicelib.search.event_history import InvestigateEvent
    from chalicelib.search.freshness import CheckFreshness
    from chalicelib.search.use_cases import FindGaps, ListLate, SearchEvents


def ingest() -> Ingest:
    """POST /ingest."""
    from chalicelib.ingest.use_cases import Ingest

    return Ingest(
        adapters.raw_store(),
        adapters.identities(),
        adapters.event_index(),
        adapters.quarantine(),
        system.now,
        system.concurrently,
    )


def admit() -> Admit:
    """Which requests are read at all."""
    from chalicelib.ingest.authentication import Admit

    takes_webhooks = bool(system.settings().webhook_secret_arn)
    return Admit(adapters.webhook_secrets() if takes_webhooks else None, system.now, system.in_lambda())


def investigate_event() -> InvestigateEvent:
    """GET /events/{event_id} and /events/{event_id}/raw."""
    from chalicelib.search.event_history import InvestigateEvent

    return InvestigateEvent(
        adapters.identities(),
        adapters.event_index(),
        adapters.raw_store(),
        adapters.aggregate_history(),
        system.concurrently,
    )


def investigate_aggregates() -> InvestigateAggregates:
    """GET /aggregates."""
    from chalicelib.aggregates.use_cases import InvestigateAggregates

    return InvestigateAggregates(
        adapters.aggregate_history(), adapters.event_index(), adapters.replay_store(), system.concurrently
    )


def trace_versions() -> TraceVersions:
    """GET /aggregates/inputs and /aggregates/diff."""
    from chalicelib.aggregates.use_cases import TraceVersions

    return TraceVersions(adapters.aggregate_history(), system.concurrently)


def review_quarantine() -> ReviewQuarantine:
    """GET /rejected and what lies beneath it."""
    from chalicelib.quarantine.use_cases import ReviewQuarantine

    return ReviewQuarantine(adapters.rejections(), ingest(), system.now)


def search_events() -> SearchEvents:
    """GET /events."""
    from chalicelib.search.use_cases import SearchEvents

    return SearchEvents(adapters.event_index(), system.settings().shards_read, system.concurrently)


def list_late() -> ListLate:
    """GET /late."""
    from chalicelib.search.use_cases import ListLate

    return ListLate(adapters.event_index(), system.settings().shards_read, system.concurrently)


def find_gaps() -> FindGaps:
    """GET /gaps."""
    from chalicelib.search.use_cases import FindGaps

    return FindGaps(adapters.event_index(), system.settings().shards_read, system.concurrently)


def check_freshness() -> CheckFreshness:
    """GET /freshness."""
    from chalicelib.search.freshness import CheckFreshness

    return CheckFreshness(adapters.event_index(), system.settings().shards_read, system.now, system.concurrently)


def request_replay() -> RequestReplay:
    """POST /replay."""
    from chalicelib.replays.use_cases import RequestReplay

    chosen = system.settings()
    return RequestReplay(
        adapters.replay_store(),
        adapters.queues(),
        preview_replay(),
        confirm_above=chosen.confirm_above,
        shards=chosen.shards_read,
        index_lag_s=chosen.index_lag_seconds,
        now=system.now,
        id_at=system.id_at,
    )


def preview_replay() -> PreviewReplay:
    """POST /replay with dry_run."""
    from chalicelib.replays.preview import PreviewReplay

    chosen = system.settings()
    return PreviewReplay(
        adapters.event_index(),
        chosen.shards_read,
        chosen.processor_concurrency,
        chosen.index_lag_seconds,
        system.now,
        system.concurrently,
    )


def find_replays() -> FindReplays:
    """GET /replay and GET /replay/{id}."""
    from chalicelib.replays.use_cases import FindReplays

    return FindReplays(adapters.replay_store(), system.concurrently)


def control_replay() -> ControlReplay:
    """POST /replay/{id}/cancel and POST /replay/{id}/redrive."""
    from chalicelib.replays.use_cases import ControlReplay

    return ControlReplay(adapters.replay_store(), adapters.queues(), system.now, system.new_id, system.pause)
