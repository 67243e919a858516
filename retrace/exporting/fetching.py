"""An event fetched and checked: its own text must hash to what was recorded when it was taken in."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from chalicelib.core.errors import IntegrityFailure
from chalicelib.events.raw_objects import RawLine
from chalicelib.events.verification import verify
from retrace.client import Answer, Client, refusal
from retrace.output import Json

# What is wrong with one event. Anything else is wrong with all of them and stops the export.
_OF_THIS_EVENT = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An event's metadata, its text if it was handed out, and what is wrong with it if something is."""

    metadata: Json
    text: bytes | None
    fault: str | None = None

    @property
    def size(self) -> int:
        """How many bytes of text there are."""
        return len(self.text or b"")


def fetch(client: Client, metadata: Json) -> Fetched:
    """An event's own text, checked; raises Problem if the API does not answer at all."""
    path = f"/events/{metadata['event_id']}/raw"
    answer = client.call("GET", path)
    if answer.status == HTTPStatus.OK:
        return Fetched(metadata, answer.body, fault_of(metadata, answer.body))
    if answer.status not in _OF_THIS_EVENT:
        raise refusal(f"GET {path}", answer)
    return Fetched(metadata, None, _reason(answer, metadata))


def fault_of(metadata: Json, text: bytes) -> str | None:
    """Why a text is not that of the event: its hashes and fields are derived anew and compared."""
    line = RawLine(
        event_id=metadata["event_id"],
        ingest_time=metadata["ingest_time"],
        content_sha256=metadata["content_sha256"],
        entity_id=metadata["entity_id"],
        event_type=metadata["event_type"],
        event_time=metadata["event_time"],
        event=text,
    )
    try:
        event = verify(line)
    except IntegrityFailure as failure:
        return str(failure)
    return None if event.source == metadata["source"] else f"Its source is {event.source}, not {metadata['source']}."


def _reason(answer: Answer, metadata: Json) -> str:
    """Why the API does not hand an event out."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return f"Its identity is not known any more; its line is in {metadata['s3_key']}."
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"The API does not hand it out: {answer.json.get('detail', 'it failed.')}"
    return f"It could not be answered ({answer.status}), perhaps for its size; its line is in {metadata['s3_key']}."
