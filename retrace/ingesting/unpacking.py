"""Reads files as UTF-8: unpacks gzip and zstd and decodes UTF-16, up to where a file breaks."""

from __future__ import annotations

import codecs
import io
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, BinaryIO, Protocol

import zstandard

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
"""Behind a byte from 0x50 to 0x5f: a zstd frame without content, with which files of pzstd begin."""


class Broken(Exception):
    """The packed bytes cannot be unpacked from here on; the message goes on after "it"."""


class Raw(io.RawIOBase):
    """Bytes that end where they cannot be read on, with the reason kept, so that what came before is not lost."""

    error: Exception | None = None

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; 0 at the end."""
        try:
            piece = b"" if self.error else self.next_piece(len(buffer))
        except (OSError, Broken) as error:
            self.error, piece = error, b""
        buffer[: len(piece)] = piece
        return len(piece)

    def next_piece(self, most: int) -> bytes:
        """The next bytes, at most this many; none at the end."""
        raise NotImplementedError


class UpToTheBreak(io.BufferedReader):
    """Hands out all there is, and only then raises why there is no more."""

    def __init__(self, raw: Raw, ahead: int = io.DEFAULT_BUFFER_SIZE) -> None:
        super().__init__(raw, ahead)
        self._source = raw

    def read(self, size: int | None = -1, /) -> bytes:
        """Bytes as they are asked for, or all there are before the break."""
        return self._checked(super().read(size))

    def read1(self, size: int = -1, /) -> bytes:
        """Bytes that are there."""
        return self._checked(super().read1(size))

    def readline(self, size: int | None = -1, /) -> bytes:
        """A line, or what there is of it before the break."""
        return self._checked(super().readline(size))

    def _checked(self, found: bytes) -> bytes:
        if not found and self._source.error is not None:
            raise self._source.error
        return found


class _Part(Protocol):
    """A gzip member or a zstd frame being unpacked."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Unpacked(Raw):
    """The parts of a packed file, one after another."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._at = 0
        self._part: _Part | None = None
        self._ready = memoryview(b"")
        self._broken: Broken | None = None

    kind = ""
    piece_size = 0
    """Of packed bytes at a time: what repeats itself unpacks to a thousand times as much."""

    def begun(self) -> _Part:
        """A part of which nothing is unpacked yet."""
        raise NotImplementedError

    def before(self, part: _Part) -> _Part | None:  # noqa: ARG002  # zstd's cannot be copied
        """A part as it is now, should the next bytes break it."""
        return None

    def next_piece(self, most: int) -> bytes:
        while not self._ready:
            if self._broken is not None:
                raise self._broken
            packed = self._packed.read(self.piece_size)
            if not packed:
                if self._part is not None:
                    raise Broken(f"ends inside a {self.kind}, at byte {self._at:,}")
                return b""
            self._ready = memoryview(b"".join(self._unpacked(packed)))
            self._at += len(packed)
        found, self._ready = self._ready[:most], self._ready[most:]
        return bytes(found)

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        rest = packed
        while rest := rest if self._part else rest.lstrip(b"\0"):  # tapes pad with zeros
            begins, part = self._part is None, self._part or self.begun()
            before = self.before(part)
            try:
                yield part.decompress(rest)
            except (zlib.error, zstandard.ZstdError) as error:
                sound = 0 if begins or before is None else (yield from _byte_by_byte(before, rest))
                place = self._at + len(packed) - len(rest) + sound
                self._broken = Broken(f"cannot be unpacked from byte {place:,} on: {error}")
                return
            self._part, rest = (None, part.unused_data) if part.eof else (part, b"")


def _byte_by_byte(part: _Part, packed: bytes) -> Generator[bytes, None, int]:
    """What comes out before the byte that breaks it; answers how many bytes that were."""
    for at in range(len(packed)):
        try:
            yield part.decompress(packed[at : at + 1])
        except zlib.error:
            return at
    return len(packed)


class _Gzip(_Unpacked):
    kind = "gzip member"
    piece_size = 2_048

    def begun(self) -> _Part:
        return zlib.decompressobj(31)

    def before(self, part: Any) -> _Part:
        copied: _Part = part.copy()
        return copied


class _Zstd(_Unpacked):
    kind = "zstd frame"
    piece_size = 256
    """Of a piece that breaks it the unpacker gives nothing, so the smaller the better."""

    def begun(self) -> _Part:
        return zstandard.ZstdDecompressor().decompressobj()


class _Rejoined(Raw):
    """A stream whose first bytes were read already, to look at them."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def next_piece(self, most: int) -> bytes:
        # A pipe returns what it has, so reading does not wait for a full buffer.
        piece: bytes = self._head[:most] or self._rest.read1(most)  # type: ignore[attr-defined]  # buffered
        self._head = self._head[len(piece) :]
        return piece


def unpacked(packed: BinaryIO) -> BinaryIO:
    """The bytes without gzip or zstd, told by how they begin; reading them raises OSError or Broken where they end."""
    head = read_ahead(packed, lambda head: len(head) >= len(ZSTD))
    whole = rejoined(head, packed)
    if head.startswith(GZIP):
        return UpToTheBreak(_Gzip(whole))
    if head.startswith(ZSTD) or (head[1:4] == _SKIPPABLE and head[0] >> 4 == 5):
        return UpToTheBreak(_Zstd(whole))
    return whole


def read_ahead(stream: BinaryIO, enough: Callable[[bytes], bool]) -> bytes:
    """The first bytes, as few as tell what is looked for, or as can be read."""
    head = b""
    while not enough(head):
        try:
            piece: bytes = stream.read1(io.DEFAULT_BUFFER_SIZE)  # type: ignore[attr-defined]  # they are all buffered
        except (OSError, Broken):
            break  # it is raised again where the rest is read
        if not piece:
            break
        head += piece
    return head


def rejoined(head: bytes, rest: BinaryIO) -> BinaryIO:
    """The stream as it was before its first bytes were read."""
    return UpToTheBreak(_Rejoined(head, rest), 65_536)


_BY_MARK = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF8: None}
_BY_FIRST_CHARACTER = {"utf-16-le": re.compile(rb"[{\[]\0"), "utf-16-be": re.compile(rb"\0[{\[]")}


def as_utf8(stream: BinaryIO) -> BinaryIO:
    """A stream in UTF-8 and without a byte order mark, if it was UTF-16 or had one."""
    head = read_ahead(stream, lambda head: len(head) >= len(codecs.BOM_UTF8))
    whole = rejoined(head, stream)
    for mark, encoding in _BY_MARK.items():
        if head.startswith(mark):
            whole.read(len(mark))
            return UpToTheBreak(_Recoded(whole, encoding)) if encoding else whole
    for encoding, begins in _BY_FIRST_CHARACTER.items():
        if begins.match(head):
            return UpToTheBreak(_Recoded(whole, encoding))
    return whole


class _Recoded(Raw):
    """Text of another encoding in UTF-8."""

    def __init__(self, text: BinaryIO, encoding: str) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._at = 0
        self._ready = b""

    def next_piece(self, most: int) -> bytes:
        while not self._ready:
            piece = self._text.read1(most)  # type: ignore[attr-defined]  # it is buffered
            try:
                self._ready = self._decoder.decode(piece, final=not piece).encode()
            except UnicodeDecodeError as error:
                where = f"within {len(piece):,} bytes after byte {self._at:,}"
                raise Broken(f"is not UTF-16 {where}: {error.reason}") from error
            if not piece:
                break
            self._at += len(piece)
        found, self._ready = self._ready[:most], self._ready[most:]
        return found
