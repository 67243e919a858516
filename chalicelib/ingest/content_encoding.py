"""Unpacks a request's body: gzip up to a limit, anything else as it is."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO

from chalicelib.core.errors import RequestTooLarge, UnsupportedMediaType

GZIP = b"\x1f\x8b"
"""How a gzip stream begins (RFC 1952, 2.3.1)."""


_PIECE_BYTES = 65_536
_REMEDY = "Send fewer events in each request."


class BrokenGzip(ValueError):
    """The body is not a whole gzip stream."""


def unpacked(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """A body without its encoding; raises RequestTooLarge if either has more bytes than the limit, or BrokenGzip."""
    if len(body) > limit:
        raise RequestTooLarge(f"The body has {len(body):,} bytes, at most {limit:,} are allowed. {_REMEDY}")
    match (content_encoding or "identity").strip().lower():
        case "identity":
            return body
        case "gzip" | "x-gzip":
            return _gunzipped(body, limit)
        case other:
            raise UnsupportedMediaType(f"Send the body plain or with Content-Encoding: gzip, not {other}.")


def _gunzipped(body: bytes, limit: int) -> bytes:
    # Members may follow one another (RFC 1952, 2.2); unpacking stops as soon as there is more than may be sent. From
    # Python 3.12 on, one read of all that is allowed would take twice as much memory, however small the body is.
    packed, plain = gzip.GzipFile(fileobj=BytesIO(body)), bytearray()
    try:
        while piece := packed.read(min(_PIECE_BYTES, limit + 1 - len(plain))):
            plain += piece
    except (OSError, EOFError, zlib.error) as error:
        raise BrokenGzip(str(error)) from error
    if len(plain) > limit:
        raise RequestTooLarge(f"The body unpacks to more than {limit:,} bytes. {_REMEDY}")
    return bytes(plain)
