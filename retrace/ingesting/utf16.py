"""Files in UTF-16, as PowerShell and spreadsheets write them, read as UTF-8: the same characters in other bytes."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from retrace.ingesting.unpacking import Broken, Raw, UpToTheBreak, read_ahead, rejoined

_BY_MARK = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BY_FIRST_CHARACTER = {"utf-16-le": re.compile(rb"[{\[]\0"), "utf-16-be": re.compile(rb"\0[{\[]")}


def as_utf8(stream: BinaryIO) -> BinaryIO:
    """A stream in UTF-8 and without a byte order mark, if it was UTF-16 or had one."""
    head = read_ahead(stream, lambda head: len(head) >= len(codecs.BOM_UTF8))
    whole = rejoined(head, stream)
    for mark, encoding in _BY_MARK.items():
        if head.startswith(mark):
            whole.read(len(mark))
            return UpToTheBreak(_Recoded(whole, encoding))
    for encoding, begins in _BY_FIRST_CHARACTER.items():
        if begins.match(head):
            return UpToTheBreak(_Recoded(whole, encoding))
    if head.startswith(codecs.BOM_UTF8):
        whole.read(len(codecs.BOM_UTF8))
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
