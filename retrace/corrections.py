"""Corrects refused events in files, a JSON object a line with the event as its last member, and retries them."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from chalicelib.core.lossless_json import JsonSyntaxError, member_texts, one_line, parse
from retrace.answer import Answer, Json
from retrace.client import Client
from retrace.concurrency import in_order
from retrace.problem import Exit, Problem

_NDJSON = "application/x-ndjson"
_CLOUDEVENTS = "application/cloudevents"
NEEDED = ("rejected_id", "content_type")
"""What a line must have, beside the event."""
_TOLD = ("rejected_id", "status", "errors", "source", "event_type", "entity_id", "idempotency_key", "content_type")


ID_DIGITS = len("2026-11-22.") + 8
"""Of the id of a refused event, shown in tables. Other commands take as many."""


def is_like_an_id(text: str) -> bool:
    """Whether a text can be an id of a refused event, or the beginning of one."""
    return re.fullmatch(r"[0-9a-f.-]+", text) is not None


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent instead of a refused event; nothing if it is sent as it was kept."""

    body: bytes = b""
    headers: Mapping[str, str] | None = None


AS_IT_WAS_KEPT = Sent()


@dataclass(frozen=True, slots=True)
class Correction:
    """A refused event, and what to send."""

    rejected_id: str
    sent: Sent


def line_for_correction(item: Json, names: Sequence[str] = _TOLD) -> str:
    """The line of a refused event: `event` as it was sent if it is JSON, else `body`, `body_base64` and `headers`."""
    told = {name: item[name] for name in names}
    text = None if item["headers"] else _event_text(item)
    if text is not None:
        return f'{_compact(told)[:-1]},"event":{text}}}'
    body = {name: item[name] for name in ("body", "body_base64") if name in item}
    return _compact(told | {"headers": item["headers"]} | body)


def _compact(members: Json) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _event_text(item: Json) -> str | None:
    """The event as JSON on one line, or an array of several; None if a body is not JSON."""
    body = item.get("body")
    if body is None:
        return None
    texts = [line for line in body.split("\n") if line.strip()] if item["content_type"] == _NDJSON else [body]
    try:
        events = [one_line(parse(text.removeprefix("\ufeff")).text) for text in texts]
    except JsonSyntaxError:
        return None
    return events[0] if len(events) == 1 else f"[{','.join(events)}]"


def corrections_of(file: Path) -> list[Correction]:
    """The corrections of a file, all of them checked before any is sent; raises Problem."""
    name = "standard input" if str(file) == "-" else str(file)
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    return list(corrections_in(content, name))


def corrections_in(content: bytes, name: str) -> Iterator[Correction]:
    """The corrections of a text, which messages call by this name; raises Problem."""
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            try:
                yield _correction(line.decode("utf-8-sig"))
            except (ValueError, LookupError, TypeError) as error:
                remedy = "Give a file of `retrace rejected list --bodies`, with its events corrected."
                raise Problem(f"Line {number} of {name} is not a correction: {error}.", remedy, Exit.USAGE) from error


def _correction(line: str) -> Correction:
    texts = member_texts(line)
    members = {name: json.loads(text) for name, text in texts.items() if name != "event"}
    rejected_id = members.get("rejected_id")
    if not isinstance(rejected_id, str) or not is_like_an_id(rejected_id):
        raise ValueError("it has no rejected_id")
    content_type = members.get("content_type")
    if "event" in texts:
        media_type = {"Content-Type": _type_of(texts["event"], content_type)}
        return Correction(rejected_id, Sent(texts["event"].encode(), media_type))
    headers = dict(members.get("headers") or {}) | ({"Content-Type": content_type} if content_type else {})
    if "body" in members:
        return Correction(rejected_id, Sent(members["body"].encode(), headers))
    if "body_base64" in members:
        return Correction(rejected_id, Sent(base64.b64decode(members["body_base64"], validate=True), headers))
    raise ValueError("it has no event")


def _type_of(event: str, was: str | None) -> str:
    """The media type of an event or an array of events, in the form in which it was refused."""
    if not (was or "").startswith(_CLOUDEVENTS):
        return "application/json"
    return f"{_CLOUDEVENTS}{'-batch' if event.lstrip().startswith('[') else ''}+json"


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of a retry: how many events ended in each status, and why those were refused that were."""

    rejected_id: str
    counts: Mapping[str, int]
    errors: tuple[Json, ...]

    @property
    def taken_in(self) -> bool:
        """Whether every event of it is stored."""
        return not any(count for status, count in self.counts.items() if status not in ("accepted", "duplicate"))

    def to_json(self) -> Json:
        """As a line of JSON."""
        return {"rejected_id": self.rejected_id, **self.counts, "errors": list(self.errors)}


def retried(client: Client, correction: Correction, *, dry_run: bool) -> Retried:
    """Send one; raises Problem where nothing was decided."""
    path = f"/rejected/{correction.rejected_id}/retry"
    query = {"dry_run": "true"} if dry_run else {}
    answer = client.call("POST", path, query=query, body=correction.sent.body, headers=correction.sent.headers)
    if answer.status == HTTPStatus.NOT_FOUND:
        return Retried(correction.rejected_id, {"unknown": 1}, (_fault("", answer.json.get("detail", "is unknown")),))
    if answer.has("counts"):
        return _of_a_batch(correction, answer)
    if not answer.has("status") or ("rejected_id" not in answer.json and answer.status >= HTTPStatus.BAD_REQUEST):
        raise client.problem_of(f"POST {path}", answer)
    status = str(answer.json["status"]).lower()
    return Retried(correction.rejected_id, {status: 1}, tuple(answer.json.get("errors", ())))


def _of_a_batch(correction: Correction, answer: Answer) -> Retried:
    counts = {status: count for status, count in answer.json["counts"].items() if count}
    errors = tuple(error for result in answer.json.get("results", ()) for error in result.get("errors", ()))
    return Retried(correction.rejected_id, counts, errors)


def _fault(field: str, message: str) -> Json:
    return {"field": field, "message": message}


MOST_AT_ONCE = 1_000


def lines_to_correct(client: Client, ids: Sequence[str]) -> str:
    """A line for each refused event, with what `retrace rejected retry --fix` needs of it."""
    wanted = [each for each in ids if is_like_an_id(each)][:MOST_AT_ONCE]
    answers = in_order(lambda each: client.expect("GET", f"/rejected/{each}"), wanted)
    return "".join(f"{line_for_correction(answer.json, NEEDED)}\n" for answer in answers)


def corrections(body: bytes) -> list[Correction]:
    """What to retry: a line with nothing but a `rejected_id` is sent as it was kept; raises Problem."""
    found: list[Correction] = []
    for line in filter(bytes.strip, body.split(b"\n")):
        as_kept = _as_it_was_kept(line)
        found += [as_kept] if as_kept else corrections_in(line, "the corrections")
    return found


def _as_it_was_kept(line: bytes) -> Correction | None:
    try:
        members = json.loads(line)
    except ValueError:
        return None
    if not isinstance(members, dict) or members.keys() != {"rejected_id"} or not is_like_an_id(members["rejected_id"]):
        return None
    return Correction(members["rejected_id"], AS_IT_WAS_KEPT)


def results(client: Client, wanted: Sequence[Correction], *, dry_run: bool) -> Iterator[Json]:
    """What came of each, in order; raises Problem."""
    for each in in_order(lambda one: retried(client, one, dry_run=dry_run), wanted):
        yield {**each.to_json(), "taken_in": each.taken_in}
