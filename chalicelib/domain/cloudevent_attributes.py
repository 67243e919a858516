"""CloudEvents 1.0 context attributes: their names, their types, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from chalicelib.domain.errors import Fault
from chalicelib.domain.event import EntityId, EventTime, EventType, IdempotencyKey, Source, Text, faults_of
from chalicelib.domain.json_text import JsonValue, Number

_MAX_INTEGER = 2**31

_NAME = re.compile(r"[a-z0-9]+")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,9})")
# Control characters, and the code points that Unicode says are no characters: the last two of each plane, and 32 more.
_NO_CHARACTER = re.compile(
    "[\0-\x1f\x7f-\x9f\ufdd0-\ufdef" + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)) + "]"
)

# RFC 3986, appendix A.
_PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"
_AUTHORITY = rf"//(?:(?!@){_PCHAR})*@?(?:\[[0-9A-Fa-fvV:.]+\](?::[0-9]*)?|(?:(?!@){_PCHAR})*)"
_PATH = rf"(?:{_PCHAR}|/)*"
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI = re.compile(rf"{_SCHEME}(?:{_AUTHORITY}(?:/{_PATH})?|(?!//){_PATH}){_TAIL}")
_RELATIVE = re.compile(rf"(?:{_AUTHORITY}(?:/{_PATH})?|(?!//|[^/?#]*:){_PATH}){_TAIL}")

# RFC 2045, 5.1, with the white space and the empty parameters that HTTP allows (RFC 9110, 5.6.6).
_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"  # noqa: S105  # a token of a grammar
_MEDIA_TYPE = re.compile(
    rf'{_TOKEN}/{_TOKEN}[ \t]*(?:;[ \t]*(?:{_TOKEN}=(?:{_TOKEN}|"(?:[^"\\]|\\.)*"))?[ \t]*)*'
)


def _only_characters(value: str) -> str:
    if _NO_CHARACTER.search(value):
        raise ValueError("holds a control character or a code point that is no character")
    return value


def _uri_reference(value: str) -> str:
    if not (_URI.fullmatch(value) or _RELATIVE.fullmatch(value)):
        raise ValueError("is not a URI-reference (RFC 3986); other characters are percent-encoded")
    return value


def _uri(value: str) -> str:
    if not _URI.fullmatch(value):
        raise ValueError("is not an absolute URI (RFC 3986)")
    return value


def _media_type(value: str) -> str:
    if not _MEDIA_TYPE.fullmatch(value):
        raise ValueError("is not a media type such as application/json (RFC 2046)")
    return value


_CHARACTERS = AfterValidator(_only_characters)


class Attributes(BaseModel):
    """The context attributes that the specification defines, within the limits that Retrace sets to events."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    specversion: Literal["1.0"]
    id: Annotated[IdempotencyKey, _CHARACTERS]
    source: Annotated[Source, AfterValidator(_uri_reference)]
    type: Annotated[EventType, _CHARACTERS]
    subject: Annotated[EntityId, _CHARACTERS] | None = None
    time: EventTime | None = None
    datacontenttype: Annotated[Text, AfterValidator(_media_type)] | None = None
    dataschema: Annotated[Text, AfterValidator(_uri)] | None = None


def core_attributes(given: Mapping[str, JsonValue]) -> tuple[Attributes | None, list[Fault]]:
    """The attributes of the specification, or what is wrong with them."""
    try:
        return Attributes.model_validate(dict(given)), []
    except ValidationError as error:
        return None, faults_of(error)


def extension_attributes(given: Mapping[str, JsonValue]) -> tuple[dict[str, str], list[Fault]]:
    """All other attributes, each in the canonical string encoding of its type, and what is wrong with them.

    The string is all that binary mode tells of a value, so the number 5 and the text "5" are the same.
    """
    extensions: dict[str, str] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        if name in Attributes.model_fields:
            continue
        try:
            extensions[_attribute_name(name)] = _canonical_string(value)
        except ValueError as error:
            faults.append(Fault(name, str(error)))
    return extensions, faults


def _attribute_name(name: str) -> str:
    if name == "data":
        raise ValueError("is no attribute: the data of a binary-mode event is the body of its request")
    if not _NAME.fullmatch(name):
        raise ValueError("is not an attribute name: lower-case letters a to z and digits only")
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
