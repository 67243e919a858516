"""Encodes names inside keys: percent-encoded in one of two ways, or as a digest of fixed length."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote


def for_path(value: str) -> str:
    """Percent-encode all but RFC 3986's unreserved characters, for a segment of an S3 key."""
    return quote(value, safe="")


def for_key(value: str) -> str:
    """Encode only the separator `#` and `%` itself, so that a part of a DynamoDB key stays readable."""
    return value.replace("%", "%25").replace("#", "%23")


def from_key(part: str) -> str:
    """Decode what `for_key` encoded."""
    return part.replace("%23", "#").replace("%25", "%")


def entity_digest(entity_id: str) -> str:
    """A name of fixed length for an entity, whose own may be too long for a sort key or a message group."""
    return sha256(entity_id.encode()).hexdigest()
