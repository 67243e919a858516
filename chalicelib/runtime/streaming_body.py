"""The body of an answer of S3, read piece by piece: no further than the time of the invocation allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.runtime import deadline

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_PIECE = 64 * 1024


class AnswerBody:
    """What botocore gives for a body. Its time-out holds for each piece that comes, however many there are."""

    def __init__(self, body: StreamingBody, longest_wait_s: float) -> None:
        self._body = body
        self._longest_wait_s = longest_wait_s

    def read(self) -> bytes:
        """All of it; raises OutOfTime where it would come too late."""
        return b"".join(self.iter_chunks())

    def iter_chunks(self, chunk_size: int = _PIECE) -> Iterator[bytes]:
        """Its pieces, as read."""
        deadline.require_time_for(self._longest_wait_s)
        while piece := self._body.read(chunk_size):
            yield piece
            deadline.require_time_for(self._longest_wait_s)
