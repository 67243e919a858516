"""Opaque cursors of list answers: a position, sealed with the query that it belongs to."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256

from chalicelib.core.errors import Fault, InvalidRequest

_SEAL_BYTES = 12
_PAD = "="  # left out of cursors, as URLs escape it


def to_cursor(query: Mapping[str, object], position: str | None) -> str | None:
    """The cursor that goes on after a position of a query; None if there is nothing to go on to.

    The seal tells a damaged cursor, or one of another query, from a good one. It is no secret: a position says nothing
    that its query would not answer.
    """
    if position is None:
        return None
    sealed = _seal(query, position) + position.encode()
    return base64.urlsafe_b64encode(sealed).decode().rstrip(_PAD)


def from_cursor(query: Mapping[str, object], cursor: str | None) -> str | None:
    """The position of a cursor; raises InvalidRequest for one that was changed or belongs to another query."""
    if cursor is None:
        return None
    try:
        sealed = base64.b64decode(cursor + _PAD * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = sealed[_SEAL_BYTES:].decode()
    except (binascii.Error, ValueError) as error:
        raise not_ours() from error
    if not position or to_cursor(query, position) != cursor:
        raise not_ours()
    return position


def _seal(query: Mapping[str, object], position: str) -> bytes:
    content = json.dumps([query, position], sort_keys=True, ensure_ascii=False)
    return sha256(f"retrace:cursor\n{content}".encode()).digest()[:_SEAL_BYTES]


def not_ours() -> InvalidRequest:
    """What a cursor is refused with."""
    message = "was changed, or belongs to another query; begin again without it"
    return InvalidRequest("The cursor does not fit the query.", (Fault("cursor", message),))
