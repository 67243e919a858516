"""Reads ids of events from a file, a line each, and uploads them as a file that replays can name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from http import HTTPStatus

import urllib3

from chalicelib.core.fields import is_sha256
from chalicelib.replays.events_file import LINE_BYTES, MAX_EVENTS, content_of
from retrace.client import Client, pool, proxy_for
from retrace.ingesting.files import look_at
from retrace.output import Json, Output
from retrace.problem import Exit, Problem

_REMEDY = "A line is the id of an event (64 lowercase hexadecimal digits), or JSON with `event_id`. Nothing was sent."
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_TROUBLE = (
    HTTPStatus.CONFLICT,  # another upload of the same file is under way
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def events_file_of(client: Client, name: str, output: Output) -> str:
    """Upload the ids of a file, unless they are there, for `events_file` of a request.

    Raises Problem with the number of every line that is wrong.
    """
    content = content_of(_event_ids(name))
    events = len(content) // LINE_BYTES
    if not 1 <= events <= MAX_EVENTS:
        remedy = f"Give 1 to {MAX_EVENTS:,} in a replay: split -l {MAX_EVENTS} {name}" if events else _REMEDY
        raise Problem(f"{name} names {events:,} events.", remedy, Exit.USAGE)
    hashed = sha256(content).hexdigest()
    offer = client.expect("PUT", f"/events-files/{hashed}", query={"events": str(events)}).json
    if offer["upload"] is not None:
        _upload(offer["upload"], content)
        output.note(f"Uploaded the ids of {events:,} events ({len(content):,} bytes).")
    return hashed


def _event_ids(name: str) -> set[str]:
    """The ids of a file, or of standard input (-)."""
    ids, wrong = set[str](), list[int]()
    with look_at(name).opened() as content:
        for number, line in enumerate(content, 1):
            event_id = _event_id(line.decode("utf-8-sig", "replace").strip())
            if event_id is None:
                wrong.append(number)
            elif event_id:
                ids.add(event_id)
    if wrong:
        lines = "line" if len(wrong) == 1 else f"{len(wrong):,} lines"
        raise Problem(f"{name} has {lines} without an event id: {', '.join(_ranges(wrong))}.", _REMEDY, Exit.USAGE)
    return ids


def _event_id(line: str) -> str | None:
    """The id that a line says; empty if the line is, None if it says none."""
    found: object = line
    if line.startswith("{"):
        try:
            found = json.loads(line).get("event_id")
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, str) and (is_sha256(found) or not line) else None


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    """Ascending numbers, with neighbours together: 2, 5 to 7."""
    begin = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            first, last = numbers[begin], numbers[at - 1]
            yield str(first) if first == last else f"{first} to {last}"
            begin = at


def _upload(upload: Json, content: bytes) -> None:
    """Send what was offered; it goes to S3, past the API. Raises Problem unless the file is there then."""
    retries = urllib3.Retry(
        4, backoff_factor=0.5, status_forcelist=list(_TROUBLE), allowed_methods=None, raise_on_status=False
    )
    host = urllib3.util.parse_url(upload["url"]).netloc
    try:
        connections = pool(proxy_for(upload["url"]), retries=retries, timeout=60.0)
        answer = connections.request(upload["method"], upload["url"], body=content, headers=upload["headers"])
    except urllib3.exceptions.HTTPError as error:
        remedy = f"Events files are uploaded to S3. Check that this machine can reach {host}."
        raise Problem(f"{host} does not answer: {error}", remedy, Exit.UNREACHABLE) from error
    # 412: the file is there by now, as the answer to an earlier attempt was lost, or another client was faster.
    if answer.status not in (HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED):
        why = b", ".join(_said(answer.data)).decode("utf-8", "replace")
        raise Problem(f"S3 refused the upload ({answer.status}): {why}", "Run the command again.", Exit.REFUSED)


def _said(body: bytes) -> Iterable[bytes]:
    return _MESSAGE.findall(body) or [body[:200]]
