"""Wires queries of events, aggregates and rejections."""

from __future__ import annotations

from chalicelib.aggregates.dynamodb_history import DynamoAggregateHistory
from chalicelib.aggregates.dynamodb_totals import DynamoTotals
from chalicelib.aggregates.dynamodb_values import DynamoKeptValues
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.aggregates.tracing import TraceVersions
from chalicelib.aggregates.use_cases import InvestigateAggregates
from chalicelib.quarantine.use_cases import ReviewQuarantine
from chalicelib.runtime import system
from chalicelib.runtime.event_wiring import event_index, identities, raw_store, sources
from chalicelib.runtime.ingest_wiring import ingest, quarantine
from chalicelib.runtime.replay_wiring import definitions, replay_store
from chalicelib.search.gaps import FindGaps
from chalicelib.search.late import FindLate
from chalicelib.search.late_arrivals import LateArrivals
from chalicelib.search.sources import CheckFreshness, ListSources
from chalicelib.search.stale import FindStale
from chalicelib.search.use_cases import InvestigateEvent, SearchEvents
from chalicelib.totals.use_cases import FindValues


def search_events() -> SearchEvents:
    """GET /events."""
    return SearchEvents(identities(), event_index(), system.settings().shards_read, raw_store(), system.concurrently)


def find_late() -> FindLate:
    """GET /late and /late/summary."""
    return FindLate(late_arrivals(), system.concurrently)


def find_stale() -> FindStale:
    """GET /stale."""
    return FindStale(late_arrivals(), aggregate_history(), event_index(), replay_store(), system.concurrently)


def late_arrivals() -> LateArrivals:
    """Late arrivals of all sources."""
    return LateArrivals(sources(), event_index(), system.settings().shards_read)


def find_gaps() -> FindGaps:
    """GET /gaps."""
    return FindGaps(sources(), event_index(), system.settings().shards_read, system.now, system.concurrently)


def list_sources() -> ListSources:
    """GET /sources."""
    return ListSources(sources(), event_index(), system.settings().shards_read, system.now, system.concurrently)


def check_freshness() -> CheckFreshness:
    """GET /freshness."""
    return CheckFreshness(event_index(), system.settings().shards_read, system.now, system.concurrently)


def investigate_event() -> InvestigateEvent:
    """GET /events/{event_id} and /events/{event_id}/raw."""
    return InvestigateEvent(identities(), event_index(), raw_store(), aggregate_history(), system.concurrently)


def aggregate_history() -> DynamoAggregateHistory:
    """What is kept of daily aggregates."""
    return DynamoAggregateHistory(system.dynamodb(), system.settings().named("aggregates_table"), system.pause)


def investigate_aggregates() -> InvestigateAggregates:
    """GET /aggregates."""
    return InvestigateAggregates(
        aggregate_history(), event_index(), replay_store(), _stored_metrics(), system.concurrently
    )


def trace_versions() -> TraceVersions:
    """GET /aggregates/inputs and /aggregates/diff."""
    return TraceVersions(aggregate_history(), replay_store(), _stored_metrics(), system.concurrently)


def _stored_metrics() -> StoredMetrics:
    kept = DynamoKeptValues(system.dynamodb(), system.settings().named("aggregates_table"), system.pause)
    return StoredMetrics(aggregate_history(), definitions(), kept)


def totals() -> DynamoTotals:
    """Totals that are kept."""
    return DynamoTotals(system.dynamodb(), system.settings().named("aggregates_table"), system.pause)


def find_values() -> FindValues:
    """GET /metrics/{name}/values."""
    return FindValues(
        definitions(),
        definitions(),
        _stored_metrics(),
        replay_store(),
        aggregate_history(),
        event_index(),
        sources(),
        totals(),
        system.settings().shards_read,
        system.now,
        system.concurrently,
    )


def review_quarantine() -> ReviewQuarantine:
    """GET /rejected and the routes below it."""
    taken = ingest()
    return ReviewQuarantine(
        quarantine(), taken.take_in, taken.dry_run, identities(), raw_store(), system.now, system.concurrently
    )
