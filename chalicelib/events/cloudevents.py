"""CloudEvents 1.0: the JSON format and the binary mode of the HTTP binding, read as events.

Every CloudEvent is kept as one structured-mode JSON text. One sent in that form is kept as it was sent; from one sent
in binary mode the text is made first and then read like any other, so that what is stored can always be read again and
the mode has no part in what an event is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from chalicelib.core import lossless_json
from chalicelib.core.canonical_json import canonical
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.lossless_json import JsonText, JsonValue
from chalicelib.core.timestamps import Instant
from chalicelib.events.cloudevent_attributes import Attributes, core_attributes, extension_attributes
from chalicelib.events.event import Event, Form, all_faults, content_hash_of, event_id_of

HEADER_PREFIX = "ce-"

REPEATED = "\n"
"""Separates the values of a header that was sent more than once. No header value can contain it."""

_DATA = ("data", "data_base64")
_IMPLIED_TYPE = "application/json"
_NOT_IN_HEADERS = {"datacontenttype": "Content-Type", "data": "body", "data_base64": "body"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _Data(NamedTuple):
    """An event's data in its normal form: one member of the content that is hashed, or none."""

    content: Mapping[str, JsonValue]
    json: bool = False


_NO_DATA = _Data({})


def parse_structured(json: JsonText) -> Event:
    """Check one CloudEvent in the JSON format and derive its identity; raises InvalidRequest with every fault."""
    if not isinstance(json.value, dict):
        raise InvalidRequest("The CloudEvent is not a JSON object.", (*json.faults, Fault("", "must be a JSON object")))
    # A null attribute is an absent one; null data is data.
    given = {name: value for name, value in json.value.items() if name not in _DATA and value is not None}
    attributes, faults = core_attributes(given)
    own = {name: value for name, value in given.items() if name not in Attributes.model_fields}
    extensions, further = extension_attributes(own)
    data, wrong = _data_of(json.value, given.get("datacontenttype"))
    found = all_faults(json.faults, [*faults, *further, *wrong])
    if attributes is None or found:
        raise InvalidRequest("The CloudEvent is not valid.", found)
    return _event(attributes, extensions, data, lossless_json.one_line(json.text))


def _event(attributes: Attributes, extensions: Mapping[str, str], data: _Data, text: str) -> Event:
    entity_id = attributes.subject or attributes.source
    event_time = Instant(attributes.time) if attributes.time else None
    kept = dict(extensions)
    if attributes.datacontenttype and not (data.json and attributes.datacontenttype == _IMPLIED_TYPE):
        kept["datacontenttype"] = attributes.datacontenttype
    if attributes.dataschema:
        kept["dataschema"] = attributes.dataschema
    content = content_hash_of(
        {"source": attributes.source, "event_type": attributes.type, "entity_id": entity_id}
        | ({"event_time": event_time} if event_time else {})
        | ({"extensions": kept} if kept else {})
        | dict(data.content)
    )
    return Event(
        source=attributes.source,
        event_type=attributes.type,
        entity_id=entity_id,
        event_time=event_time,
        content_sha256=content,
        event_id=event_id_of(attributes.source, attributes.id, content),
        text=text,
        form=Form.CLOUDEVENT,
    )


def json_data_of(members: Mapping[str, JsonValue]) -> tuple[JsonValue, ...]:
    """The data of an event that was checked before, if it is JSON."""
    data, _ = _data_of(members, members.get("datacontenttype"))
    return (data.content["payload"],) if data.json else ()


def _data_of(members: Mapping[str, JsonValue], content_type: JsonValue) -> tuple[_Data, list[Fault]]:
    """The data of an event, and what is wrong with it."""
    encoded = members.get("data_base64")
    if "data" not in members:
        return (_NO_DATA, []) if encoded is None else _decoded(encoded, content_type)
    if encoded is not None:
        return _NO_DATA, [Fault("data_base64", "cannot be combined with data: give one of them")]
    data = members["data"]
    if not content_type or not isinstance(content_type, str) or _is_json(content_type):
        return _Data({"payload": data}, json=True), []
    if not isinstance(data, str):
        return _NO_DATA, [Fault("data", "must be a string, as datacontenttype is not JSON")]
    return _bytes(data.encode(errors="replace")), []  # a lone surrogate is a fault that was found already


def _decoded(encoded: JsonValue, content_type: JsonValue) -> tuple[_Data, list[Fault]]:
    if not isinstance(encoded, str):
        return _NO_DATA, [Fault("data_base64", "must be a string")]
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        return _NO_DATA, [Fault("data_base64", "is not Base64 (RFC 4648, section 4)")]
    return (_json_bytes(data) if _is_json(content_type) else _bytes(data)), []


def _bytes(data: bytes) -> _Data:
    """Data that is not JSON. No data and data without bytes are one, as in binary mode both are an empty body."""
    return _Data({"data_base64": base64.b64encode(data).decode()}) if data else _NO_DATA


def _json_bytes(data: bytes) -> _Data:
    """What should be JSON: its value where it is, so that it is the same as in the member data; else its bytes."""
    try:
        json = lossless_json.parse(data.decode())
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError):
        return _bytes(data)
    return _bytes(data) if json.faults else _Data({"payload": json.value}, json=True)


def _is_json(content_type: JsonValue) -> bool:
    """Whether a datacontenttype declares JSON: JSON format, 3.1.1."""
    subtype = content_type.partition(";")[0].strip().lower().partition("/")[2] if isinstance(content_type, str) else ""
    return subtype == "json" or subtype.endswith("+json")


def parse_binary(body: bytes, content_type: str | None, headers: Mapping[str, str]) -> Event:
    """Check one CloudEvent in binary mode; `headers` are those that begin with `ce-`, in lower case."""
    attributes, faults = _header_attributes(headers)
    if content_type:
        attributes["datacontenttype"] = content_type
    try:
        json = lossless_json.parse(_structured_text(attributes, body, content_type))
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError) as error:
        faults.append(Fault("data", f"is not JSON, as the content type says: {_why(error)}"))
        json = lossless_json.parse(_structured_text(attributes, b"", None))
    try:
        event = parse_structured(json)
    except InvalidRequest as error:
        raise InvalidRequest(str(error), all_faults(faults, error.faults)) from error
    if faults:
        raise InvalidRequest("The CloudEvent is not valid.", faults)
    return event


def _header_attributes(headers: Mapping[str, str]) -> tuple[dict[str, str], list[Fault]]:
    attributes: dict[str, str] = {}
    faults: list[Fault] = []
    for header, value in headers.items():
        name = header.removeprefix(HEADER_PREFIX)
        try:
            attributes[name] = _header_value(name, value)
        except ValueError as error:
            faults.append(Fault(name, str(error)))
    return attributes, faults


def _header_value(name: str, value: str) -> str:
    """The attribute that a header carries: HTTP binding, 3.1.3.2; raises ValueError."""
    if name in _NOT_IN_HEADERS:
        raise ValueError(f"must not be sent as a header of its own: in binary mode it is the {_NOT_IN_HEADERS[name]}")
    if REPEATED in value:
        raise ValueError("was sent more than once")
    plain = value.strip(" \t")
    if _QUOTED.fullmatch(plain):
        plain = re.sub(r"\\(.)", r"\1", plain[1:-1])
    if not plain.isascii() or _NOT_ENCODED.search(plain):
        raise ValueError("is not percent-encoded: a % and all that is not printable ASCII must be")
    try:
        return unquote_to_bytes(plain).decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 once percent-decoded") from None


def _structured_text(attributes: Mapping[str, str], body: bytes, content_type: str | None) -> str:
    """A CloudEvent in the JSON format, in one order whatever that of the headers; JSON data keeps its own tokens."""
    members = {name: canonical(value) for name, value in sorted(attributes.items())}
    if body and _is_json(content_type):
        # Parsed before it is put between other members, so that it cannot bring members of its own.
        members["data"] = lossless_json.parse(body.decode()).text
    elif body:
        members["data_base64"] = canonical(base64.b64encode(body).decode())
    return f"{{{','.join(f'{canonical(name)}:{text}' for name, text in members.items())}}}"


def _why(error: UnicodeDecodeError | lossless_json.JsonSyntaxError) -> str:
    return f"it is not UTF-8 at byte {error.start}" if isinstance(error, UnicodeDecodeError) else str(error)
