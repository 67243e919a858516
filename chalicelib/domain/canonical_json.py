"""One canonical text for equal JSON values: what content hashes are computed over.

RFC 8785 in key order, spacing and string escapes; numbers keep their literal text, so that no two different literals
share a form. A false "different" costs one stored event; a false "same" would lose one.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring as quote  # RFC 8785, 3.2.2.2: the same escapes, everything else literal
from operator import attrgetter

from chalicelib.domain.json_text import JsonValue, Number


def canonical(value: JsonValue) -> str:
    """The canonical text of a faultless value."""
    try:
        written = _WRITTEN[type(value)]
    except KeyError:
        raise TypeError(f"not a JSON value: {type(value).__name__}") from None
    return written(value)


def _object(value: dict[str, JsonValue]) -> str:
    members = [f"{quote(key)}:{canonical(value[key])}" for key in _in_rfc8785_order(value)]
    return "{" + ",".join(members) + "}"


def _array(value: list[JsonValue]) -> str:
    return "[" + ",".join([canonical(element) for element in value]) + "]"


# Looked up by type, as a hash of every event waits for this.
_WRITTEN: dict[type, Callable[..., str]] = {
    str: quote,
    Number: attrgetter("literal"),
    dict: _object,
    list: _array,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}


def _in_rfc8785_order(members: dict[str, JsonValue]) -> list[str]:
    # By UTF-16 code units (RFC 8785, 3.2.3); for ASCII keys that is Python's own order.
    if all(map(str.isascii, members)):
        return sorted(members)
    return sorted(members, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
