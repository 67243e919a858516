"""One canonical text for equal JSON values: what content hashes are computed over.

RFC 8785 in key order, spacing and string escapes; numbers keep their literal text, so that no two different literals
share a form. A false "different" costs one stored event; a false "same" would lose one.
"""

from __future__ import annotations

from json.encoder import encode_basestring as quote  # RFC 8785, 3.2.2.2: the same escapes, everything else literal

from chalicelib.domain.json_text import JsonValue, Number


def canonical(value: JsonValue) -> str:
    """The canonical text of a faultless value."""
    match value:
        case str():
            return quote(value)
        case Number():
            return value.literal
        case dict():
            members = (f"{quote(key)}:{canonical(value[key])}" for key in _in_rfc8785_order(value))
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
        case None | True | False:
            return _CONSTANTS[value]
        case _:
            raise TypeError(f"not a JSON value: {type(value).__name__}")


_CONSTANTS = {None: "null", True: "true", False: "false"}


def _in_rfc8785_order(members: dict[str, JsonValue]) -> list[str]:
    # By UTF-16 code units (RFC 8785, 3.2.3); for ASCII keys that is Python's own order.
    if all(map(str.isascii, members)):
        return sorted(members)
    return sorted(members, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
