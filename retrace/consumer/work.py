"""One run of a consumer: threads receive messages, hold them and report them, and workers take them from here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrace.client import jittered
from retrace.consumer.holding import Holding
from retrace.consumer.lanes import Lanes
from retrace.consumer.message import Message
from retrace.consumer.queue import AWS_ERRORS, MESSAGES_A_CALL, Held, Queue
from retrace.consumer.reading import Reader
from retrace.consumer.reporting import Outcome, Reporter

log = logging.getLogger("retrace.consumer")


@dataclass(frozen=True, slots=True)
class Options:
    """How a consumer receives, and how it ends."""

    retry_after_s: int | None
    receive_at_once: int
    wait_s: int
    stop_when_empty: bool
    close_timeout_s: float
    max_pause_s: float


class Work:
    """What is received and not finished. Threads share it."""

    def __init__(
        self, queue: Queue, reader: Reader, holding: Holding, reporter: Reporter, options: Options, concurrency: int
    ) -> None:
        self.stopped = threading.Event()
        self.failure: BaseException | None = None
        """What ended it before it was stopped."""
        self._queue = queue
        self._reader = reader
        self._holding = holding
        self._reporter = reporter
        self._options = options
        self._concurrency = concurrency
        self._lanes = Lanes()
        # What is empty for one receiver may be in the hands of another.
        receivers = 1 if options.stop_when_empty else -(-concurrency // MESSAGES_A_CALL)
        self._receivers = [self._thread(self._receive, "receive") for _ in range(receivers)]
        self._holder = self._thread(holding.run, "hold")
        self._reporting = self._thread(reporter.run, "report")
        for thread in (self._holder, self._reporting, *self._receivers):
            thread.start()

    def next(self) -> tuple[Held, Message] | None:
        """Wait for a message to hand over; None once this is stopped."""
        while held := self._lanes.take():
            if not self._holding.has(held):
                self.give_back(held)
            elif not isinstance(held.content, Message):
                self.fail(held, _why_unread(held))
            elif not self._reporter.knows(held.content.replay_id):
                self.fail(held, f"The API does not know replay {held.content.replay_id}.")
            elif self.stopped.is_set():
                self.give_back(held)
            else:
                return held, held.content
        return None

    def succeed(self, held: Held) -> None:
        """The message is handled."""
        self._end_in_its_group(Outcome(held))

    def fail(self, held: Held, reason: str) -> None:
        """The message is not handled. The queue delivers it again, or after the last attempt its group goes on."""
        named = held.delivery.message_id if held.sent is None else held.sent.event_id
        log.warning("Attempt %d of %s at message %s failed: %s", held.attempt, self._queue.attempts, named, reason)
        if self._queue.is_last(held):
            self._end_in_its_group(Outcome(held, reason))
            return
        left = [held, *self._lanes.take_behind(held)]
        self._holding.discard(left)
        if self._options.retry_after_s is not None:
            self._queue.make_visible(left, self._options.retry_after_s)
        self._lanes.finish(held)

    def give_back(self, held: Held) -> None:
        """The message was not handled, and did not fail. It is visible again, with those behind it."""
        self._release([held, *self._lanes.take_behind(held)])
        self._lanes.finish(held)

    def stop(self) -> None:
        """Begin nothing more, and make visible again what was not begun."""
        self.stopped.set()
        self._release(self._lanes.close())

    def end(self) -> None:
        """Once no worker is at work: report what is left, end the threads, and raise what ended this."""
        self.stop()
        unreported = self._reporter.close(self._options.close_timeout_s, self._reporting)
        for thread in self._receivers:  # one may have waited until outcomes are reported, or the reporter is closed
            thread.join()
        self._release(self._lanes.close())
        if unreported:
            log.warning("%d messages are handled, but not reported. They come again.", len(unreported))
        self._release(unreported)
        self._holding.stop()
        self._holder.join()
        self._reader.close()
        if self.failure is not None:
            raise self.failure

    def guarded(self, function: Callable[[], None]) -> None:
        """Run a function, and stop if it fails."""
        try:
            function()
        except BaseException as error:  # noqa: BLE001  # it is raised again where the consumer was called
            self.failure = self.failure or error
            self.stop()

    def _thread(self, function: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=self.guarded, args=(function,), name=f"retrace-consumer-{name}", daemon=True)

    def _report_last_attempts(self, found: Sequence[Held]) -> None:
        """Report before anything else happens that last attempts failed, in case none ends. Done is reported after.

        Whether the process ends or the message is given back, SQS moves it to the dead letters, and nothing reports it.
        """
        last = [Outcome(each, self._why_not_ended(each)) for each in found if self._queue.is_last(each)]
        self._reporter.report_at_once(last, self.stopped)

    def _why_not_ended(self, held: Held) -> str:
        if not isinstance(held.content, Message):
            return _why_unread(held)
        return f"Attempt {held.attempt} of {self._queue.attempts}, the last one, did not end."

    def _end_in_its_group(self, outcome: Outcome) -> None:
        """Report an outcome, at once if nothing else can be done: a queue keeps back the rest of a group until then."""
        self._reporter.add(outcome)
        self._lanes.finish(outcome.held)
        if outcome.held.group != outcome.held.delivery.message_id and self._lanes.empty:
            self._reporter.flush()

    def _release(self, deliveries: Sequence[Held]) -> None:
        if deliveries:
            self._holding.discard(deliveries)
            self._queue.make_visible(deliveries, 0)

    def _receive(self) -> None:
        failures = 0
        while self._lanes.wait_for_room(self._concurrency) and self._reporter.wait_for_room():
            nothing_left = self._lanes.empty and self._reporter.empty
            try:
                found = self._queue.receive(self._options.receive_at_once, self._options.wait_s)
            except AWS_ERRORS as error:
                failures += 1
                log.warning("Attempt %d to receive messages failed: %s", failures, error)
                self.stopped.wait(jittered(failures, self._options.max_pause_s))
                continue
            failures = 0
            if found:
                self._holding.add(found)
                self._reader.read(found)
                self._report_last_attempts(found)
                self._lanes.add(found)
            elif self._options.stop_when_empty and nothing_left:
                self.stop()
            elif self._options.stop_when_empty:
                self._reporter.flush()  # a message or group that the queue keeps back may come then


def _why_unread(held: Held) -> str:
    return f"{type(held.content).__name__}: {held.content}"
