"""From the body of POST /ingest to what was submitted: events, and refusals that keep the text they refuse."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chalicelib.domain import json_text
from chalicelib.domain.errors import Fault, InvalidRequest, RequestTooLarge, UnsupportedMediaType
from chalicelib.domain.event import Event, parse_native

MAX_EVENTS = 1_000
MAX_BYTES = 5_000_000
"""Of a body as sent, and again of what a gzip body unpacks to."""

_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be accepted: its bytes as they were sent, every reason, and how to send it again, alone."""

    body: bytes
    faults: tuple[Fault, ...]
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Submission = Event | Refusal


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What one request submits, in order; `batch` tells whether it was sent as many (even if it holds one or none)."""

    submissions: tuple[Submission, ...]
    batch: bool


def parse_request(body: bytes, content_type: str | None, content_encoding: str | None) -> IngestRequest:
    """Read a request body; raises RequestTooLarge or UnsupportedMediaType, and leaves all else to the submissions."""
    read = _reader_of(content_type)
    try:
        plain = _unpacked(body, content_encoding)
    except zlib.error as error:
        return IngestRequest((Refusal(body, (Fault("body", f"is not a whole gzip stream: {error}"),)),), batch=False)
    return read(plain)


def _reader_of(content_type: str | None) -> Callable[[bytes], IngestRequest]:
    media_type, _, parameters = (content_type or "application/json").partition(";")
    _check_charset(parameters)
    reader = _READERS.get(media_type.strip().lower())
    if reader is None:
        raise UnsupportedMediaType(f"Send events as {' or '.join(_READERS)}, not as {media_type.strip()}.")
    return reader


def _check_charset(parameters: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMediaType(f"JSON is read as UTF-8, not as {value.strip()}.")


def _unpacked(body: bytes, content_encoding: str | None) -> bytes:
    if len(body) > MAX_BYTES:
        raise RequestTooLarge(f"The body has {len(body):,} bytes; at most {MAX_BYTES:,} are allowed in one request.")
    match (content_encoding or "identity").strip().lower():
        case "identity":
            return body
        case "gzip" | "x-gzip":
            return _gunzipped(body)
        case other:
            raise UnsupportedMediaType(f"Send the body plain or with Content-Encoding: gzip, not {other}.")


def _gunzipped(body: bytes) -> bytes:
    # Members may follow one another (RFC 1952, 2.2); unpacking stops as soon as there is more than may be sent.
    unpacked = b""
    while body:
        member = zlib.decompressobj(wbits=_GZIP)
        unpacked += member.decompress(body, MAX_BYTES + 1 - len(unpacked))
        if len(unpacked) > MAX_BYTES:
            raise RequestTooLarge(f"The body unpacks to more than {MAX_BYTES:,} bytes, the most for one request.")
        if not member.eof:
            raise zlib.error("it ends too early")
        body = member.unused_data
    return unpacked


def _read_json(body: bytes) -> IngestRequest:
    if body.lstrip(b" \t\r\n").startswith(b"["):
        return IngestRequest(_read_array(body), batch=True)
    return IngestRequest((_submission(body),), batch=False)


def _read_array(body: bytes) -> tuple[Submission, ...]:
    try:
        elements = json_text.parse_elements(body.decode())
    except (UnicodeDecodeError, json_text.JsonSyntaxError) as error:
        return (Refusal(body, (_syntax_fault(error),)),)
    _check_count(len(elements))
    return tuple(map(_checked, elements))


def _read_ndjson(body: bytes) -> IngestRequest:
    lines = [line.rstrip(b"\r") for line in body.split(b"\n")]
    events = [line for line in lines if line.strip(b" \t\r")]
    _check_count(len(events))
    return IngestRequest(tuple(map(_submission, events)), batch=True)


def _check_count(count: int) -> None:
    if count > MAX_EVENTS:
        raise RequestTooLarge(f"The body holds {count:,} events; at most {MAX_EVENTS:,} are allowed in one request.")


def _submission(text: bytes) -> Submission:
    try:
        json = json_text.parse(text.decode())
    except (UnicodeDecodeError, json_text.JsonSyntaxError) as error:
        return Refusal(text, (_syntax_fault(error),))
    return _checked(json)


def _checked(json: json_text.JsonText) -> Submission:
    try:
        return parse_native(json)
    except InvalidRequest as error:
        return Refusal(json.text.encode(), error.faults)


def _syntax_fault(error: UnicodeDecodeError | json_text.JsonSyntaxError) -> Fault:
    if isinstance(error, UnicodeDecodeError):
        return Fault("body", f"is not UTF-8 at byte {error.start}")
    return Fault("body", f"is not JSON: {error}")


_READERS: dict[str, Callable[[bytes], IngestRequest]] = {
    "application/json": _read_json,
    "application/x-ndjson": _read_ndjson,
}


def events_of(submissions: Iterable[Submission]) -> Iterator[Event]:
    """The valid events among what was submitted."""
    return (submission for submission in submissions if isinstance(submission, Event))
