"""Enforces the invocation's deadline: no call or pause begins that could outlast the function.

A function that times out answers nothing. One that stops in time can say what to do. AWS calls, their retries and our
own pauses all ask here, so together they fit into the function's timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from chalicelib.core.errors import OutOfTime

if TYPE_CHECKING:
    from botocore.response import StreamingBody

TimeLeft = Callable[[], float]
"""Milliseconds until Lambda ends the function, asked again at each call."""

ANSWER_S = 1.0
"""Kept for writing the answer."""

_LONGEST_MS = 900_000
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"""

# A variable of the context and not of the process: `chalice local` runs several functions at once.
_time_left: ContextVar[TimeLeft | None] = ContextVar("time_left", default=None)


@contextmanager
def lasting(time_left_ms: TimeLeft) -> Iterator[None]:
    """Bound what is done meanwhile by the time that the function has left."""
    token = _time_left.set(time_left_ms)
    try:
        yield
    finally:
        _time_left.reset(token)


def time_left_ms() -> int:
    """Milliseconds that are left; outside an invocation as many as Lambda gives at most."""
    left = _time_left.get()
    return _LONGEST_MS if left is None else int(left())


def has_time_for(seconds: float) -> bool:
    """Whether something that takes so long at most may begin; always, outside an invocation."""
    left = _time_left.get()
    return left is None or left() >= (seconds + ANSWER_S) * 1_000


def require_time_for(seconds: float) -> None:
    """Raise OutOfTime where something that takes so long at most must not begin any more."""
    if not has_time_for(seconds):
        raise OutOfTime("AWS was too slow for the time that one call has.")


_PIECE = 64 * 1024


class BoundedBody:
    """The body of an answer of S3. botocore's timeout is for each piece, however many there are."""

    def __init__(self, body: StreamingBody, longest_wait_s: float) -> None:
        self._body = body
        self._longest_wait_s = longest_wait_s

    def read(self) -> bytes:
        """All of it; raises OutOfTime where it would come too late."""
        return b"".join(self.iter_chunks())

    def iter_chunks(self, chunk_size: int = _PIECE) -> Iterator[bytes]:
        """Its pieces, as read."""
        require_time_for(self._longest_wait_s)
        while piece := self._body.read(chunk_size):
            yield piece
            require_time_for(self._longest_wait_s)
