"""One canonical text for equal JSON values: what content hashes are computed over.

RFC 8785 in key order, spacing and string escapes; numbers keep their literal text, so that no two different literals
share a form. A false "different" costs one stored event; a false "same" would lose one.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring as quote  # RFC 8785, 3.2.2.2: the same escapes, everything else literal
from operator import attrgetter
from typing import NoReturn

from chalicelib.core.lossless_json import JsonValue, Number


def canonical(value: JsonValue) -> str:
    """The canonical text of a faultless value."""
    return _WRITTEN[type(value)](value)


def _object(value: dict[str, JsonValue]) -> str:
    members = [f"{quote(key)}:{_WRITTEN[type(value[key])](value[key])}" for key in _in_rfc8785_order(value)]
    return "{" + ",".join(members) + "}"


def _array(value: list[JsonValue]) -> str:
    return "[" + ",".join([_WRITTEN[type(element)](element) for element in value]) + "]"


class _Writers(dict[type, Callable[..., str]]):
    def __missing__(self, kind: type) -> NoReturn:
        raise TypeError(f"not a JSON value: {kind.__name__}")


# Looked up by type, and where a member or element is written, as a hash of every event waits for this.
_WRITTEN = _Writers(
    {
        str: quote,
        Number: attrgetter("literal"),
        dict: _object,
        list: _array,
        bool: {True: "true", False: "false"}.__getitem__,
        type(None): {None: "null"}.__getitem__,
    }
)


def _in_rfc8785_order(members: dict[str, JsonValue]) -> list[str]:
    # By UTF-16 code units (RFC 8785, 3.2.3); for ASCII keys that is Python's own order.
    if "".join(members).isascii():
        return sorted(members)
    return sorted(members, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
