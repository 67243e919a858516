"""Reads the bodies of requests for replays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.fields import faults_of
from chalicelib.core.lossless_json import JsonSyntaxError, JsonValue, parse
from chalicelib.metrics.definition import Definition
from chalicelib.replays.chosen_metrics import drafts_in, with_references
from chalicelib.replays.request import ReplayRequest

_DIGITS_OF_COUNTS = 18


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A request, and the definitions that were given with it."""

    request: ReplayRequest
    drafts: tuple[Definition, ...] = ()


def parse_replay_request(body: bytes) -> ReplayRequest:
    """Read a request; raises InvalidRequest with every fault."""
    return parse_with_drafts(body).request


def parse_with_drafts(body: bytes) -> ParsedRequest:
    """Read a request, as strictly as an event is read; raises InvalidRequest with every fault."""
    members, strictly_read = json_object(body, "The replay request is not valid.")
    drafts, faults = drafts_in(strictly_read)
    try:
        request = ReplayRequest.model_validate(with_references(members, drafts))
    except ValidationError as error:
        raise InvalidRequest("The replay request is not valid.", (*faults_of(error), *faults)) from error
    if faults:
        raise InvalidRequest("The replay request is not valid.", faults)
    return ParsedRequest(request, tuple(drafts.values()))


def json_object(body: bytes, invalid: str) -> tuple[dict[str, Any], JsonValue]:
    """Return the members of a body, as Python has them and as an event is read; raises InvalidRequest otherwise."""
    try:
        text = body.decode()
        strictly_read = parse(text)
    except (UnicodeDecodeError, JsonSyntaxError) as error:
        at_fault = f"UTF-8 at byte {error.start}" if isinstance(error, UnicodeDecodeError) else f"JSON: {error}"
        raise InvalidRequest("The body is not JSON.", (Fault("body", f"is not {at_fault}"),)) from error
    if strictly_read.faults:
        raise InvalidRequest(invalid, strictly_read.faults)
    members = json.loads(text, parse_int=_number)
    if not isinstance(members, dict):
        raise InvalidRequest("The body is not a JSON object.", (Fault("body", "must be a JSON object"),))
    return members, strictly_read.value


def _number(digits: str) -> int | float:
    # Python refuses to read integers of thousands of digits; such a one is no valid count anyway.
    return int(digits) if len(digits) <= _DIGITS_OF_COUNTS else float(digits)
