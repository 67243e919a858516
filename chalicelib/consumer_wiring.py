"""Where the use cases behind queues and the schedule are handed their adapters; nothing is made before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import adapters, runtime

if TYPE_CHECKING:
    from chalicelib.dead_letters import RecordDeadLetters, RedriveDeadLetters
    from chalicelib.digest import WriteDigests
    from chalicelib.examine import Examine
    from chalicelib.plan import PlanReplay
    from chalicelib.process import Process
    from chalicelib.recording import RecordInLedger
    from chalicelib.replay_work import WorkOnReplay
    from chalicelib.settle import Settle


def work_on_replay() -> WorkOnReplay:
    """ReplayJobsQueue."""
    from chalicelib.replay_work import WorkOnReplay

    return WorkOnReplay(_plan_replay(), redrive_dead_letters(), adapters.queues(), adapters.replay_store(), runtime.now)


def _plan_replay() -> PlanReplay:
    from chalicelib.plan import PlanReplay

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
        index_lag_s=chosen.index_lag_seconds,
    )


def process() -> Process:
    """ReplayQueue."""
    from chalicelib.process import Process

    return Process(_examine(), adapters.replay_states(), _record())


def settle() -> Settle:
    """How a batch from ReplayQueue ends."""
    return _settle(runtime.settings().named("replay_queue_url"))


def record_dead_letters() -> RecordDeadLetters:
    """ReplayFailuresQueue."""
    from chalicelib.dead_letters import RecordDeadLetters

    return RecordDeadLetters(adapters.replay_states(), _examine(), _record(), adapters.dead_letter_queue())


def settle_dead_letters() -> Settle:
    """How a batch from ReplayFailuresQueue ends."""
    return _settle(runtime.settings().named("replay_failures_queue_url"))


def redrive_dead_letters() -> RedriveDeadLetters:
    """One slice of sending a replay's dead letters back."""
    from chalicelib.dead_letters import RedriveDeadLetters

    return RedriveDeadLetters(_record(), adapters.dead_letter_queue())


def write_digests() -> WriteDigests | None:
    """The hourly schedule; None where the stage has no digests."""
    from chalicelib.digest import WriteDigests

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
    from chalicelib.examine import Examine

    return Examine(adapters.raw_store(), runtime.concurrently)


def _settle(queue_url: str) -> Settle:
    from chalicelib.settle import Settle

    return Settle(adapters.delivery_queue(queue_url), runtime.settings().report_batch_item_failures)


def _record() -> RecordInLedger:
    from chalicelib.recording import RecordInLedger

    return RecordInLedger(adapters.aggregate_store(), runtime.now, runtime.pause)
