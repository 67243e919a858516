"""What makes two events the same: the hash of their content, and the id that deduplication works on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from chalicelib.core.canonical_json import canonical
from chalicelib.core.lossless_json import JsonValue

_EVENT_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)

# Each kind of identity hashes under its own prefix, so that no key can be made to collide with a content.
_BY_KEY = "retrace:event-id:idempotency-key\n"
_BY_CONTENT = "retrace:event-id:content\n"


def is_event_id(text: str) -> bool:
    """Whether an event can have this id: 64 lower-case hex digits."""
    return _EVENT_ID.fullmatch(text) is not None


def content_sha256(normalised_event: Mapping[str, JsonValue]) -> str:
    """SHA-256 (64 hex digits) over the canonical JSON of a normalised event."""
    return sha256(canonical(dict(normalised_event)).encode()).hexdigest()


def event_id(source: str, idempotency_key: str | None, content_hash: str) -> str:
    """The identity of an event: by source and idempotency key if it has one, else by its content."""
    if idempotency_key is None:
        return sha256(f"{_BY_CONTENT}{content_hash}".encode()).hexdigest()
    return sha256(f"{_BY_KEY}{canonical([source, idempotency_key])}".encode()).hexdigest()
