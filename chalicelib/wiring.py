"""Where use cases are handed their adapters; nothing is made before it is asked for."""

from __future__ import annotations

from typing import Any

from chalicelib import adapters, runtime
from chalicelib.admission import Admit
from chalicelib.dead_letters import RecordDeadLetters, RedriveDeadLetters
from chalicelib.digest import WriteDigests
from chalicelib.examine import Examine
from chalicelib.ingest import Ingest
from chalicelib.investigate import InvestigateEvent
from chalicelib.lineage import InvestigateAggregates, TraceVersions
from chalicelib.plan import PlanReplay
from chalicelib.preview import PreviewReplay
from chalicelib.process import Process
from chalicelib.quarantine import ReviewQuarantine
from chalicelib.recording import RecordInLedger
from chalicelib.replay import ControlReplay, FindReplays, RequestReplay
from chalicelib.replay_work import WorkOnReplay
from chalicelib.search import CheckFreshness, FindGaps, ListLate, SearchEvents
from chalicelib.settle import Settle


def ingest() -> Ingest:
    """POST /ingest."""
    return Ingest(
        adapters.raw_store(),
        adapters.identities(),
        adapters.event_index(),
        adapters.quarantine(),
        runtime.now,
        runtime.concurrently,
    )


def admit() -> Admit:
    """Who may POST /ingest, beyond what API Gateway has checked."""
    signed_webhooks = bool(runtime.settings().webhook_secret_arn)
    return Admit(adapters.webhook_secrets() if signed_webhooks else None, runtime.now)


def investigate_event() -> InvestigateEvent:
    """GET /events/{event_id} and /events/{event_id}/raw."""
    return InvestigateEvent(
        adapters.identities(), adapters.event_index(), adapters.raw_store(), adapters.aggregate_history()
    )


def investigate_aggregates() -> InvestigateAggregates:
    """GET /aggregates."""
    return InvestigateAggregates(
        adapters.aggregate_history(), adapters.event_index(), adapters.replay_store(), runtime.concurrently
    )


def trace_versions() -> TraceVersions:
    """GET /aggregates/inputs and /aggregates/diff."""
    return TraceVersions(adapters.aggregate_history())


def review_quarantine() -> ReviewQuarantine:
    """GET /rejected and what lies beneath it."""
    return ReviewQuarantine(adapters.rejections(), ingest(), runtime.now)


def search_events() -> SearchEvents:
    """GET /events."""
    return SearchEvents(adapters.event_index(), runtime.settings().type_day_shards, runtime.concurrently)


def list_late() -> ListLate:
    """GET /late."""
    return ListLate(adapters.event_index())


def find_gaps() -> FindGaps:
    """GET /gaps."""
    return FindGaps(adapters.event_index(), runtime.settings().type_day_shards, runtime.concurrently)


def check_freshness() -> CheckFreshness:
    """GET /freshness."""
    return CheckFreshness(adapters.event_index(), runtime.settings().type_day_shards, runtime.now, runtime.concurrently)


def openapi_document() -> dict[str, Any]:
    """GET /openapi.json."""
    from chalicelib.openapi import document  # noqa: PLC0415  # the models of all answers are needed for nothing else

    return document()


def request_replay() -> RequestReplay:
    """POST /replay."""
    chosen = runtime.settings()
    return RequestReplay(
        adapters.replay_store(),
        adapters.queues(),
        preview_replay(),
        confirm_above=chosen.confirm_above,
        shards=chosen.type_day_shards,
        now=runtime.now,
        new_id=runtime.new_id,
    )


def preview_replay() -> PreviewReplay:
    """POST /replay with dry_run."""
    chosen = runtime.settings()
    return PreviewReplay(
        adapters.event_index(), chosen.type_day_shards, chosen.processor_concurrency, runtime.concurrently
    )


def find_replays() -> FindReplays:
    """GET /replay and GET /replay/{id}."""
    return FindReplays(adapters.replay_store(), runtime.concurrently)


def control_replay() -> ControlReplay:
    """POST /replay/{id}/cancel and POST /replay/{id}/redrive."""
    return ControlReplay(adapters.replay_store(), adapters.queues(), runtime.now, runtime.new_id, runtime.pause)


def work_on_replay() -> WorkOnReplay:
    """ReplayJobsQueue."""
    return WorkOnReplay(_plan_replay(), redrive_dead_letters(), adapters.queues())


def _plan_replay() -> PlanReplay:
    chosen = runtime.settings()
    return PlanReplay(
        adapters.replay_store(),
        adapters.event_index(),
        adapters.queues(),
        runtime.now,
        runtime.sleep,
        runtime.new_id,
        runtime.concurrently,
        max_in_flight=chosen.max_in_flight if chosen.processor_enabled else None,
    )


def process() -> Process:
    """ReplayQueue."""
    return Process(_examine(), adapters.replay_states(), _record())


def settle() -> Settle:
    """How a batch from ReplayQueue ends."""
    return _settle(runtime.settings().replay_queue_url)


def record_dead_letters() -> RecordDeadLetters:
    """ReplayFailuresQueue."""
    return RecordDeadLetters(adapters.replay_states(), _examine(), _record(), adapters.dead_letter_queue())


def settle_dead_letters() -> Settle:
    """How a batch from ReplayFailuresQueue ends."""
    return _settle(runtime.settings().replay_failures_queue_url)


def redrive_dead_letters() -> RedriveDeadLetters:
    """One slice of sending a replay's dead letters back."""
    return RedriveDeadLetters(_record(), adapters.dead_letter_queue())


def write_digests() -> WriteDigests | None:
    """The hourly schedule; None where the stage has no digests."""
    if not runtime.settings().digest_queue_url:
        return None
    return WriteDigests(
        adapters.notifications(),
        adapters.written_objects(),
        adapters.digest_store(),
        adapters.signer(),
        runtime.now,
        runtime.concurrently,
    )


def _examine() -> Examine:
    return Examine(adapters.raw_store(), runtime.concurrently)


def _settle(queue_url: str) -> Settle:
    return Settle(adapters.delivery_queue(queue_url), runtime.settings().report_batch_item_failures)


def _record() -> RecordInLedger:
    return RecordInLedger(adapters.aggregate_store(), runtime.now, runtime.pause)
