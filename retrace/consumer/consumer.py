"""`Consumer`: what a program sees. It hands messages to a loop, or to a handler in threads, and stops cleanly."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Self
from weakref import ref

from botocore.config import Config

from retrace.client import Client
from retrace.consumer.destination import place_of
from retrace.consumer.holding import Holding
from retrace.consumer.lanes import LOOK_S
from retrace.consumer.message import ConsumerError, Message
from retrace.consumer.queue import Held, Queue
from retrace.consumer.reading import Reader
from retrace.consumer.reporting import Reporter
from retrace.consumer.work import Options, Work
from retrace.problem import Problem
from retrace.target_resolution import Chosen

_CONNECTIONS = 64
"""At most, to each AWS service. They are made when they are needed."""


class Consumer:
    """Takes the messages of a destination. It deletes one once it is handled and, if its destination reports, reported.

    Use a consumer in one loop or one `run` at a time, and make one in each process.
    """

    def __init__(
        self,
        destination: str,
        *,
        url: str | None = None,
        reports: bool | None = None,
        region: str | None = None,
        aws_profile: str | None = None,
        stack: str | None = None,
        visibility_s: int | None = None,
        retry_after_s: int | None = None,
        receive_at_once: int = 10,
        wait_s: int = 10,
        stop_when_empty: bool = False,
        report_age_s: float = 1.0,
        close_timeout_s: float = 30.0,
        request_timeout_s: float = 35.0,
        max_pause_s: float = 30.0,
    ) -> None:
        """Find the queue of a destination by its name, its ARN or its URL; raises ConsumerError if it cannot be used.

        - `url`, `region`, `aws_profile`: of the API, the queue and the raw objects, if not as the CLI finds them
        - `reports`: whether to report outcomes, if not as declared
        - `stack`: the stack whose outputs name the destinations, if DESTINATIONS does not
        - `visibility_s`: how long a message is invisible after a crash, if not as the queue has it
        - `retry_after_s`: when a message that failed is visible again, if not at the end of that time
        - `receive_at_once`: at most so many messages, up to 10; fewer for slow handlers beside other consumers
        - `wait_s`: how long a poll waits for messages, up to 20; `stop` waits for the poll
        - `stop_when_empty`: end once a poll finds nothing, and nothing is left to do
        - `report_age_s`: how long an outcome waits for others, to be reported with them
        - `close_timeout_s`: how long a stop waits until outcomes are reported
        - `request_timeout_s`: how long a report waits for an answer
        - `max_pause_s`: the longest pause between attempts to receive or to report
        """
        self.place = place_of(destination, reports, Chosen(url, None, region, stack), aws_profile, os.environ)
        target, config = self.place.target, Config(max_pool_connections=_CONNECTIONS)
        try:
            self.sqs, self.s3 = target.client("sqs", config), target.client("s3", config)
            self.queue = Queue(self.sqs, self.place.queue_url(self.sqs.meta.endpoint_url), visibility_s)
            self._client = Client(target, timeout_s=request_timeout_s) if self.place.reports else None
        except Problem as problem:
            raise ConsumerError(f"{problem} {problem.remedy}") from problem
        self.done = 0
        """Deliveries that were handled."""
        self.failed = 0
        """Deliveries that were not."""
        self._report_age_s = report_age_s
        self._options = Options(retry_after_s, receive_at_once, wait_s, stop_when_empty, close_timeout_s, max_pause_s)
        self._stops = SimpleQueue[None]()
        self._loop: ref[Generator[Message]] | None = None
        self._reason: str | None = None
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._reason = _reason_of(error)
        if self._loop is not None and (loop := self._loop()) is not None:
            loop.close()

    def __iter__(self) -> Iterator[Message]:
        """Each message. It is handled when the loop asks for the next one, and not handled if the loop is left."""
        loop = self._messages()
        self._loop = ref(loop)  # the loop alone owns it: leaving the loop closes it
        return loop

    def fail(self, reason: str) -> None:
        """Say that the loop could not handle its message: the queue delivers it again, as if a handler had raised."""
        self._reason = reason

    def run(self, handler: Callable[[Message], object], *, concurrency: int = 1) -> None:
        """Call a handler with each message, in so many threads, until this is stopped; raises ConsumerError.

        A handler that raises has not handled its message. Messages of one group are handled one after the other.
        """
        with self._working(concurrency) as work:

            def handle() -> None:
                while found := work.next():
                    self._handle(work, handler, *found)

            names = [f"retrace-consumer-{number}" for number in range(concurrency)]
            threads = [threading.Thread(target=work.guarded, args=(handle,), name=name, daemon=True) for name in names]
            for thread in threads:
                thread.start()
            while not work.stopped.wait(LOOK_S):
                pass
            for thread in threads:
                thread.join()

    def stop(self) -> None:
        """Begin no other message. `run` or the loop ends once what is in work is handled and reported.

        Any thread, handler or signal handler may call this. Before a run, it ends that one at once.
        """
        self._stops.put(None)

    def _handle(self, work: Work, handler: Callable[[Message], object], held: Held, message: Message) -> None:
        try:
            handler(message)
        except Exception as error:  # noqa: BLE001  # whatever it is, the message is not handled
            self._finish(work, held, _reason_of(error))
        else:
            self._finish(work, held, None)

    def _messages(self) -> Generator[Message]:
        with self._working(1) as work:
            while found := work.next():
                held, message = found
                try:
                    yield message
                except GeneratorExit:  # the loop was left
                    if not self._finish_as_said(work, held):
                        work.give_back(held)
                    raise
                if not self._finish_as_said(work, held):
                    self._finish(work, held, None)

    def _finish_as_said(self, work: Work, held: Held) -> bool:
        """Whether something said that the message failed."""
        reason, self._reason = self._reason, None
        if reason is not None:
            self._finish(work, held, reason)
        return reason is not None

    def _finish(self, work: Work, held: Held, reason: str | None) -> None:
        with self._counting:
            self.done += reason is None
            self.failed += reason is not None
        if reason is None:
            work.succeed(held)
        else:
            work.fail(held, reason)

    @contextmanager
    def _working(self, concurrency: int) -> Iterator[Work]:
        """The threads of one run. A second Ctrl-C ends the program without waiting for them."""
        holding = Holding(self.queue)
        reporter = Reporter(self.queue, holding, self._client, self._report_age_s, self._options.max_pause_s)
        work = Work(self.queue, Reader(self.s3), holding, reporter, self._options, concurrency)
        watch = threading.Thread(target=self._stop_when_asked, args=(work,), daemon=True)
        with self._stopped_by_signals():
            watch.start()
            try:
                yield work
            except KeyboardInterrupt:
                raise
            except BaseException:
                self._end(work, watch)
                raise
            self._end(work, watch)

    def _stop_when_asked(self, work: Work) -> None:
        self._stops.get()
        work.stop()

    def _end(self, work: Work, watch: threading.Thread) -> None:
        self._stops.put(None)
        watch.join()
        while not self._stops.empty():  # what asked twice did not mean the next run
            self._stops.get()
        work.end()

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Stop at the first signal, and let a second one end the program. Handlers that the program set are kept."""
        before = {} if threading.current_thread() is not threading.main_thread() else _default_handlers()

        def stop(number: int, _: FrameType | None) -> None:
            signal.signal(number, before[number])
            self.stop()  # putting into a SimpleQueue is all that it does: locks could be held by what was interrupted

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _default_handlers() -> dict[int, Any]:
    found = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    return {number: each for number, each in found.items() if each in (signal.SIG_DFL, signal.default_int_handler)}


def _reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
