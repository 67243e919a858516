"""CloudEvents 1.0 context attributes: their names, their types, and the values that each may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from chalicelib.core.errors import Fault, shown_name
from chalicelib.core.fields import EntityId, EventType, IdempotencyKey, Source, Text, Time, faults_of
from chalicelib.core.lossless_json import JsonValue, Number

_MAX_INTEGER = 2**31

# What its definition lets a carrier of an event set, change or remove. The first two and the last three:
# https://github.com/cloudevents/spec/tree/main/cloudevents/extensions (distributed tracing, partitioning, expiry time,
# sampling); baggage: https://www.w3.org/TR/baggage/
TRANSPORT = frozenset({"traceparent", "tracestate", "baggage", "partitionkey", "expirytime", "sampledrate"})
"""Attributes that two copies of an event may differ in: stored as they were sent, and no part of its content."""

_NAME = re.compile(r"[a-z0-9]+")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,9})")
# Control characters, and Unicode's noncharacters: a block of 32, and the last two code points of each plane.
_PLANES_END = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
_NO_CHARACTER = re.compile(f"[\0-\x1f\x7f-\x9f\ufdd0-\ufdef{_PLANES_END}]")

# RFC 3986, appendix A. Nothing is repeated so that it could match in two ways: attributes may be long.
_UNRESERVED_AND_SUB_DELIMITERS = r"A-Za-z0-9\-._~!$&'()*+,;="
_HOST = rf"(?:\[[0-9A-Fa-fvV:.]++\]|[{_UNRESERVED_AND_SUB_DELIMITERS}%]*+)"
_AUTHORITY = rf"//(?:[{_UNRESERVED_AND_SUB_DELIMITERS}%:]*+@)?+{_HOST}(?::[0-9]*+)?+"
_PATH = rf"[{_UNRESERVED_AND_SUB_DELIMITERS}%:@/]*+"
_REST = rf"(?:{_AUTHORITY}(?:/{_PATH})?+|(?!//){_PATH})(?:\?[{_UNRESERVED_AND_SUB_DELIMITERS}%:@/?]*+)?+"
_FRAGMENT = rf"(?:#[{_UNRESERVED_AND_SUB_DELIMITERS}%:@/?]*+)?+"
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*+:{_REST}{_FRAGMENT}")
_RELATIVE = re.compile(rf"(?![^/?#:]*+:){_REST}{_FRAGMENT}")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

# RFC 2045, 5.1, with the white space and the empty parameters that HTTP allows (RFC 9110, 5.6.6).
_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]++"  # noqa: S105  # of a grammar
_PARAMETER = rf'{_TOKEN}=(?:{_TOKEN}|"(?:[^"\\]|\\.)*+")[ \t]*+'
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}[ \t]*+(?:;[ \t]*+(?:{_PARAMETER})?+)*+")


def _version(value: str) -> str:
    if value != "1.0":
        raise ValueError("must be 1.0, the version of CloudEvents that is understood here")
    return value


def _only_characters(value: str) -> str:
    if _NO_CHARACTER.search(value):
        raise ValueError("contains a control character or a code point that is not a character")
    return value


def _uri_reference(value: str) -> str:
    if not (_URI.fullmatch(value) or _RELATIVE.fullmatch(value)) or _BROKEN_ESCAPE.search(value):
        raise ValueError("is not a URI-reference (RFC 3986): anything else in it must be percent-encoded")
    return value


def _uri(value: str) -> str:
    if not _URI.fullmatch(value) or _BROKEN_ESCAPE.search(value):
        raise ValueError("is not a URI with a scheme (RFC 3986)")
    return value


def _media_type(value: str) -> str:
    if not _MEDIA_TYPE.fullmatch(value):
        raise ValueError("is not a media type such as application/json (RFC 2046)")
    return value


_CHARACTERS = AfterValidator(_only_characters)


class Attributes(BaseModel):
    """The context attributes that the specification defines, within the limits that Retrace sets to events."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    specversion: Annotated[str, AfterValidator(_version)]
    id: Annotated[IdempotencyKey, _CHARACTERS]
    source: Annotated[Source, AfterValidator(_uri_reference)]
    type: Annotated[EventType, _CHARACTERS]
    subject: Annotated[EntityId, _CHARACTERS] | None = None
    time: Time | None = None
    datacontenttype: Annotated[Text, AfterValidator(_media_type)] | None = None
    dataschema: Annotated[Text, AfterValidator(_uri)] | None = None


RESERVED = frozenset({*Attributes.model_fields, "data"})
"""What no extension may be named: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes"""


def core_attributes(given: Mapping[str, JsonValue]) -> tuple[Attributes | None, list[Fault]]:
    """The attributes of the specification, or what is wrong with them."""
    try:
        return Attributes.model_validate(dict(given)), []
    except ValidationError as error:
        return None, list(faults_of(error))


def extension_attributes(given: Mapping[str, JsonValue], within: str = "") -> tuple[dict[str, str], list[Fault]]:
    """The extensions that are part of an event's content, and what is wrong with any of them.

    Each is in the canonical string encoding of its type. Binary mode has only the string of a value, so the number 5
    and the text "5" are the same. Faults name their field `within` the event.
    """
    content: dict[str, str] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        try:
            checked = _extension_name(name), _canonical_string(value)
        except ValueError as error:
            faults.append(Fault(f"{within}{shown_name(name)}", str(error)))
        else:
            content |= dict([checked] if name not in TRANSPORT else [])
    return content, faults


def _extension_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("is not an attribute name: lower-case letters a to z and digits only")
    if name in RESERVED:
        raise ValueError("is an attribute of CloudEvents itself, and not an extension")
    return name


def _canonical_string(value: JsonValue) -> str:
    match value:
        case True | False:
            return str(value).lower()
        case str():
            return _only_characters(value)
        case Number(literal) if _INTEGER.fullmatch(literal) and -_MAX_INTEGER <= int(literal) < _MAX_INTEGER:
            return literal
        case Number():
            raise ValueError("must be a whole number from -2147483648 to 2147483647, without fraction or exponent")
        case _:
            raise ValueError("must be a string, a whole number, true or false")
