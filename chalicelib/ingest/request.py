"""Reads the body of POST /ingest into events, and invalid events with their text and faults."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import islice
from types import MappingProxyType

from chalicelib.core import lossless_json
from chalicelib.core.errors import Fault, InvalidRequest, RequestTooLarge, UnsupportedMediaType
from chalicelib.events import cloudevents
from chalicelib.events.event import Event, Form, parse_native
from chalicelib.ingest.content_encoding import GZIP, BrokenGzip, unpacked

MAX_BYTES = 10_000_000
"""Of a body as sent, and again of what a gzip body unpacks to."""

MAX_EVENTS = 100_000
"""Of a body: their identities are looked up in every resend, which must fit the time of one request."""


@dataclass(frozen=True, slots=True)
class InvalidEvent:
    """What could not be accepted: its bytes as they were sent, every reason, and how to send it again, alone."""

    body: bytes
    faults: tuple[Fault, ...]
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


NDJSON = "application/x-ndjson"
BATCH = "application/cloudevents-batch+json"

Submission = Event | InvalidEvent


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What one request submits, in order; `batch` is whether it was sent as many (even if it contains one or none)."""

    submissions: tuple[Submission, ...]
    batch: bool


def parse_request(
    body: bytes,
    content_type: str | None,
    content_encoding: str | None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> IngestRequest:
    """Read a request; raises RequestTooLarge or UnsupportedMediaType, and leaves all else to the submissions.

    Of the other headers only those of CloudEvents matter; values of a repeated one are joined by `REPEATED`.
    """
    attributes = {
        name.lower(): value for name, value in headers.items() if name.lower().startswith(cloudevents.HEADER_PREFIX)
    }
    media_type, _, parameters = (content_type or Form.NATIVE).partition(";")
    media_type = media_type.strip().lower()
    # The CloudEvents binding (3.): this media type first, then the headers decide the mode.
    binary = bool(attributes) and not media_type.startswith("application/cloudevents")
    read = _binary_reader(content_type, attributes) if binary else _reader_of(media_type, parameters)
    # No JSON begins as gzip does, so a packed body whose header got lost is still known for what it is.
    encoding = "gzip" if not (binary or content_encoding) and body.startswith(GZIP) else content_encoding
    try:
        plain = unpacked(body, encoding, MAX_BYTES)
    except BrokenGzip as error:
        fault = Fault("body", f"is not a whole gzip stream: {error}")
        # Spelled in one way: the names that senders have for one encoding and form must not each make a new object.
        encoded = {**attributes, "content-encoding": "gzip"}
        return IngestRequest(
            (InvalidEvent(body, (fault,), content_type if binary else media_type, encoded),), batch=False
        )
    return read(plain)


_PARAMETERS = re.compile(r'(?:[^;"]++|"(?:[^"\\]++|\\.)*+"?)++', re.DOTALL)
"""The parts between semicolons, except those in quotes (RFC 9110, 5.6.6)."""

_Reader = Callable[[bytes], IngestRequest]


def _binary_reader(content_type: str | None, attributes: Mapping[str, str]) -> _Reader:
    return lambda body: _read_binary(body, content_type, attributes)


def _reader_of(media_type: str, parameters: str) -> _Reader:
    _check_charset(parameters)
    reader = READERS.get(media_type)
    if reader is None:
        raise UnsupportedMediaType(f"Send events as {' or '.join(READERS)}, not as {media_type}.")
    return reader


def _check_charset(parameters: str) -> None:
    for parameter in _PARAMETERS.findall(parameters):
        name, _, value = parameter.partition("=")
        plain = _unquoted(value.strip())
        if name.strip().lower() == "charset" and plain.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMediaType(f"JSON is read as UTF-8, not as {value.strip()}.")


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"')) if value.startswith('"') else value


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one event is read, and the content type under which its text can be sent again, alone."""

    parse: Callable[[lossless_json.JsonText], Event]
    content_type: str

    def read(self, text: bytes) -> Submission:
        """What a text submits."""
        try:
            json = lossless_json.parse(_decoded(text))
        except (UnicodeDecodeError, lossless_json.JsonSyntaxError) as error:
            return InvalidEvent(text, (_syntax_fault(error),), self.content_type)
        return self.checked(json)

    def checked(self, json: lossless_json.JsonText) -> Submission:
        """What a JSON value submits."""
        try:
            return self.parse(json)
        except InvalidRequest as error:
            return InvalidEvent(json.text.encode(), error.faults, self.content_type)


_NATIVE = _Kind(parse_native, Form.NATIVE)
_LINE = _Kind(parse_native, NDJSON)
_CLOUDEVENT = _Kind(cloudevents.parse_structured, Form.CLOUDEVENT)


def _read_json(body: bytes) -> IngestRequest:
    if _is_array(body):
        return IngestRequest(_read_array(body, _NATIVE, Form.NATIVE), batch=True)
    return IngestRequest((_NATIVE.read(body),), batch=False)


def _is_array(body: bytes) -> bool:
    return body.removeprefix(BOM_UTF8).lstrip(b" \t\r\n").startswith(b"[")


def _decoded(text: bytes) -> str:
    """Without the byte order mark that RFC 8259, 8.1 lets a reader ignore; NDJSON put together of files has several."""
    return text.removeprefix(BOM_UTF8).decode()


def _read_array(body: bytes, kind: _Kind, content_type: str) -> tuple[Submission, ...]:
    try:
        # Each is checked before the next is parsed, as the values of all of them together need much memory.
        submissions = map(kind.checked, lossless_json.parse_elements(_decoded(body)))
        return _all_of(submissions)
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError) as error:
        return (InvalidEvent(body, (_syntax_fault(error),), content_type),)


def _read_ndjson(body: bytes) -> IngestRequest:
    lines = (line.rstrip(b"\r\n") for line in BytesIO(body))
    submissions = map(_LINE.read, (line for line in lines if line.strip(b" \t\r")))
    return IngestRequest(_all_of(submissions), batch=True)


def _all_of(submissions: Iterator[Submission]) -> tuple[Submission, ...]:
    """What a body submits; raises RequestTooLarge before more of it is read than one request may have."""
    found = tuple(islice(submissions, MAX_EVENTS + 1))
    if len(found) > MAX_EVENTS:
        raise RequestTooLarge(f"The body has more than {MAX_EVENTS:,} events. Send fewer in each request.")
    return found


def _read_structured(body: bytes) -> IngestRequest:
    return IngestRequest((_CLOUDEVENT.read(body),), batch=False)


def _read_batch(body: bytes) -> IngestRequest:
    if _is_array(body):
        return IngestRequest(_read_array(body, _CLOUDEVENT, BATCH), batch=True)
    return IngestRequest(
        (InvalidEvent(body, (Fault("body", "must be a JSON array of CloudEvents"),), BATCH),), batch=True
    )


def _read_binary(body: bytes, content_type: str | None, attributes: Mapping[str, str]) -> IngestRequest:
    try:
        event = cloudevents.parse_binary(body, content_type, attributes)
    except InvalidRequest as error:
        return IngestRequest((InvalidEvent(body, error.faults, content_type, attributes),), batch=False)
    if len(event.text.encode()) > MAX_BYTES:
        raise RequestTooLarge(
            f"In the JSON format the event has more than {MAX_BYTES:,} bytes, the most for one event. Send less data."
        )
    return IngestRequest((event,), batch=False)


def _syntax_fault(error: UnicodeDecodeError | lossless_json.JsonSyntaxError) -> Fault:
    if isinstance(error, UnicodeDecodeError):
        return Fault("body", f"is not UTF-8 at byte {error.start}")
    return Fault("body", f"is not JSON: {error}")


READERS: dict[str, _Reader] = {
    Form.NATIVE: _read_json,
    NDJSON: _read_ndjson,
    Form.CLOUDEVENT: _read_structured,
    BATCH: _read_batch,
}


def events_of(submissions: Iterable[Submission]) -> Iterator[Event]:
    """The valid events among what was submitted."""
    return (submission for submission in submissions if isinstance(submission, Event))


_KEY_IN_HEADER = Fault(
    "Idempotency-Key",
    "is not stored with an event: put the key into the event as idempotency_key, or leave this header out",
)


def with_own_keys(request: IngestRequest) -> IngestRequest:
    """Reject the events without a key in their own text, of a request with a key in a header.

    Only an event's own text is stored and identifies it.
    """
    return replace(request, submissions=tuple(map(_with_own_key, request.submissions)))


def _with_own_key(submission: Submission) -> Submission:
    if isinstance(submission, InvalidEvent) or submission.has_own_key:
        return submission
    return InvalidEvent(submission.text.encode(), (_KEY_IN_HEADER,), submission.form)
