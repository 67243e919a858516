"""The two percent-encodings that keep names apart inside larger names."""

from __future__ import annotations

from urllib.parse import quote


def for_path(value: str) -> str:
    """RFC 3986 encoding of all but unreserved characters, for a segment of an S3 key."""
    return quote(value, safe="")


def for_key(value: str) -> str:
    """Encode only the separator `#` and `%` itself, so that a part of a DynamoDB key stays readable."""
    return value.replace("%", "%25").replace("#", "%23")


def from_key(part: str) -> str:
    """What `for_key` encoded."""
    return part.replace("%23", "#").replace("%25", "%")
