"""Files as they lie there, plain, gzipped or packed with zstd: unpacked as they are read, and to their end."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

import zstandard

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_PIECE = 2_048
"""Of packed bytes at a time: what repeats itself unpacks to a thousand times as much."""


class _Frame(Protocol):
    """A zstd frame being unpacked."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Zstd(io.RawIOBase):
    """Unpacks frames, one after another; unlike the library's own stream it tells a file that ends inside one."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._frame: _Frame | None = None
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; 0 at the end."""
        while not self._ready:
            piece = self._packed.read(_PIECE)
            if not piece:
                if self._frame is not None:
                    raise EOFError("it ends inside a zstd frame")
                return 0
            self._ready = memoryview(self._unpacked(piece))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpacked(self, piece: bytes) -> bytes:
        found = []
        while piece:
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            found.append(self._frame.decompress(piece))
            piece = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        return b"".join(found)


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were read already, to look at them."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; 0 at the end."""
        # A pipe hands over what it has, so that nobody waits for a full buffer.
        piece = self._head[: len(buffer)] or self._rest.read1(len(buffer))  # type: ignore[attr-defined]  # buffered
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


def unpacked(packed: BinaryIO) -> BinaryIO:
    """The bytes without gzip or zstd, told by how they begin."""
    head = read_ahead(packed, lambda head: len(head) >= len(ZSTD))
    if head.startswith(GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=rejoined(head, packed, _PIECE)))
    if head.startswith(ZSTD):
        return io.BufferedReader(_Zstd(rejoined(head, packed, _PIECE)))
    return rejoined(head, packed)


def read_ahead(stream: BinaryIO, enough: Callable[[bytes], bool]) -> bytes:
    """The first bytes, as few as tell what is looked for."""
    head = b""
    while not enough(head):
        piece: bytes = stream.read1(io.DEFAULT_BUFFER_SIZE)  # type: ignore[attr-defined]  # they are all buffered
        if not piece:
            break
        head += piece
    return head


def rejoined(head: bytes, rest: BinaryIO, ahead: int = 65_536) -> BinaryIO:
    """The stream as it was before its first bytes were read; so many are read at once."""
    return io.BufferedReader(_Rejoined(head, rest), ahead)
