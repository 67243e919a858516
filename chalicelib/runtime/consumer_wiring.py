"""Where the use cases behind queues and the schedule are handed their adapters; nothing is made before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.runtime import adapters, system

if TYPE_CHECKING:
    from chalicelib.digests.writer import WriteDigests
    from chalicelib.processing.acknowledge import AcknowledgeBatch
    from chalicelib.processing.dead_letters import RecordDeadLetters, RedriveDeadLetters
    from chalicelib.processing.fetcher import FetchAndVerify
    from chalicelib.processing.processor import Process
    from chalicelib.processing.recorder import RecordInLedger
    from chalicelib.replays.planner import PlanReplay
    from chalicelib.replays.worker import WorkOnReplay


def work_on_replay() -> WorkOnReplay:
    """ReplayJobsQueue."""
    from chalicelib.replays.worker import WorkOnReplay

    return WorkOnReplay(_plan_replay(), redrive_dead_letters(), adapters.queues(), adapters.replay_store(), system.now)


def _plan_replay() -> PlanReplay:
    from chalicelib.replays.planner import PlanReplay

    chosen = system.settings()
    return PlanReplay(
        adapters.replay_store(),
        adapters.event_index(),
        adapters.queues(),
        system.now,
        system.sleep,
        system.new_id,
        system.concurrently,
        max_in_flight=chosen.max_in_flight if chosen.processor_enabled else None,
        index_lag_s=chosen.index_lag_seconds,
    )


def process() -> Process:
    """ReplayQueue."""
    from chalicelib.processing.processor import Process

    return Process(_fetcher(), adapters.replay_states(), _record())


def acknowledge_batch() -> AcknowledgeBatch:
    """How a batch from ReplayQueue ends."""
    return _acknowledge(system.settings().named("replay_queue_url"))


def record_dead_letters() -> RecordDeadLetters:
    """ReplayFailuresQueue."""
    from chalicelib.processing.dead_letters import RecordDeadLetters

    return RecordDeadLetters(adapters.replay_states(), _fetcher(), _record(), adapters.dead_letter_queue())


def acknowledge_dead_letters() -> AcknowledgeBatch:
    """How a batch from ReplayFailuresQueue ends."""
    return _acknowledge(system.settings().named("replay_failures_queue_url"))


def redrive_dead_letters() -> RedriveDeadLetters:
    """One slice of sending a replay's dead letters back."""
    from chalicelib.processing.dead_letters import RedriveDeadLetters

    return RedriveDeadLetters(_record(), adapters.dead_letter_queue())


def write_digests() -> WriteDigests | None:
    """The hourly schedule; None where the stage has no digests."""
    from chalicelib.digests.writer import WriteDigests

    if not system.settings().digest_queue_url:
        return None
    return WriteDigests(
        adapters.notifications(),
        adapters.written_objects(),
        adapters.digest_store(),
        adapters.signer(),
        system.now,
        system.concurrently,
    )


def _fetcher() -> FetchAndVerify:
    from chalicelib.processing.fetcher import FetchAndVerify

    return FetchAndVerify(adapters.raw_store(), system.concurrently)


def _acknowledge(queue_url: str) -> AcknowledgeBatch:
    from chalicelib.processing.acknowledge import AcknowledgeBatch

    return AcknowledgeBatch(adapters.delivery_queue(queue_url), system.settings().report_batch_item_failures)


def _record() -> RecordInLedger:
    from chalicelib.processing.recorder import RecordInLedger

    return RecordInLedger(adapters.aggregate_store(), system.now, system.pause)
