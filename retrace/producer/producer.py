"""`Producer`: what a program sees. `send` writes to the spool, and threads send from there."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retrace.producer.backlog import Backlog, Limits
from retrace.producer.encoding import InvalidEvent, ProducerError, encoded
from retrace.producer.outcomes import Rejection
from retrace.producer.spool import Spool

log = logging.getLogger("retrace.producer")

_JOIN_S = 0.2


class Producer:
    """Sends events to a deployment of Retrace. Threads share it, processes do not.

    An event that `send` returned from is on disk in the directory `spool`, and is sent until Retrace has decided about
    it: by this process, or by the next one that opens the same spool.
    """

    def __init__(
        self,
        url: str,
        *,
        spool: str | os.PathLike[str],
        region: str | None = None,
        aws_profile: str | None = None,
        on_rejected: Callable[[Rejection], object] | None = None,
        max_batch_bytes: int = 1_000_000,
        max_batch_age_s: float = 1.0,
        connections: int = 4,
        max_spool_bytes: int = 1_000_000_000,
        full_timeout_s: float | None = None,
        fsync: bool = False,
        close_timeout_s: float = 30.0,
        request_timeout_s: float = 35.0,
        max_pause_s: float = 30.0,
    ) -> None:
        """Open the spool and begin to send what an earlier process left in it; raises ProducerError.

        `full_timeout_s` is how long `send` waits for room in a full spool. None waits for ever, 0 not at all.
        """
        from retrace.producer.sender import (  # noqa: PLC0415  # boto3 takes a while
            MAX_EVENT_BYTES,
            Sender,  # likewise
            delivery_to,
        )

        delivery = delivery_to(
            url,
            region=region,
            aws_profile=aws_profile,
            connections=connections,
            timeout_s=request_timeout_s,
            max_pause_s=max_pause_s,
        )
        self._max_event_bytes = MAX_EVENT_BYTES
        self._full_timeout_s = full_timeout_s
        self._close_timeout_s = close_timeout_s
        self._process = os.getpid()
        self._spool = Path(spool)
        limits = Limits(min(max_batch_bytes, MAX_EVENT_BYTES), max_batch_age_s, max_spool_bytes)
        self._backlog = Backlog(Spool(self._spool, fsync=fsync), limits)
        self._sender = Sender(self._backlog, delivery, on_rejected)
        self._closed = False
        names = (f"retrace-producer-{number}" for number in range(connections))
        self._threads = [threading.Thread(target=self._sender.run, name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pending(self) -> int:
        """How many events Retrace has not decided about."""
        return len(self._backlog)

    def send(self, event: Mapping[str, Any] | bytes) -> None:
        """Take one event: a native event or a CloudEvent, as a dict or as bytes of JSON.

        Once this returns, the event outlives the process. Raises InvalidEvent, and SpoolFull if there is no room.
        """
        line = encoded(event)
        size, most = len(line.text), self._max_event_bytes
        if size > most:
            raise InvalidEvent(f"The event has {size:,} bytes. A request takes at most {most:,}.")
        self._check_process()
        self._backlog.add(line, self._full_timeout_s)

    def flush(self, timeout: float | None = None) -> None:
        """Send all that waits, and return once Retrace has decided about it; raises TimeoutError."""
        self._check_process()
        if not self._backlog.flush(timeout):
            raise TimeoutError(f"{self.pending:,} events still wait in the spool {self._spool}. {self._why}")

    def close(self) -> None:
        """Flush for at most `close_timeout_s`, then stop. The spool keeps what is left for the next process."""
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        self._backlog.refuse()
        try:
            if not self._backlog.flush(self._close_timeout_s):
                log.warning("%d events are left in the spool %s. %s", self.pending, self._spool, self._why)
        finally:
            self._sender.stop()
            self._backlog.stop()
        for thread in self._threads:
            thread.join(_JOIN_S)  # one that waits for an answer ends with it, or with the process

    @property
    def _why(self) -> str:
        return f"The last failure: {self._sender.failure}"

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            remedy = "Make a Producer in each process, after the fork, with a spool of its own."
            raise ProducerError(f"This producer belongs to process {self._process}. {remedy}")
