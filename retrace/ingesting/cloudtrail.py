"""CloudTrail log files: {"Records": […]}, each record an event with the whole record, verbatim, as its payload.

source           aws.cloudtrail/<eventSource>
event_type       eventName
entity_id        who did it: userIdentity.arn, else .invokedBy, .principalId or .accountId, else recipientAccountId
event_time       eventTime
idempotency_key  eventID
"""

from __future__ import annotations

import json
import re
from typing import Any

from chalicelib.core.errors import Fault
from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.elements import arrays, element_record
from retrace.ingesting.record import Record, Records, Stream, too_large

BEGINS = re.compile(rb'\{\s*"Records"\s*:\s*\[')
_ENDS = re.compile(rb"\}")
_WHO = ("arn", "invokedBy", "principalId", "accountId")
_NEEDED = ("eventSource", "eventName", "eventTime", "eventID")


def cloudtrail_records(stream: Stream) -> Records:
    """The records of a log file as native events."""
    for position, text in enumerate(arrays(stream, BEGINS, _ENDS), 1):
        yield too_large(position) if text is None else _as_event(element_record(position, text))


def _as_event(record: Record) -> Record:
    if record.fault is not None:
        return record
    try:
        found = json.loads(record.text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        return Record(record.line, record.text, Fault("body", f"is not JSON: {error}"))
    fault = _fault(found)
    if fault is not None:
        return Record(record.line, record.text, fault)
    members = {
        "source": f"aws.cloudtrail/{found['eventSource']}",
        "event_type": found["eventName"],
        "entity_id": _entity(found),
        "event_time": found["eventTime"],
    }
    opening = json.dumps(members, ensure_ascii=False, separators=(",", ":"))[:-1].encode("utf-8", "surrogatepass")
    key = json.dumps(found["eventID"], ensure_ascii=False).encode("utf-8", "surrogatepass")
    text = b'%s,"payload":%s,"idempotency_key":%s}' % (opening, record.text, key)
    return Record(record.line, text) if len(text) <= MAX_BYTES else too_large(record.line)


def _fault(found: Any) -> Fault | None:
    if not isinstance(found, dict):
        return Fault("", "must be a JSON object")
    missing = [name for name in _NEEDED if not isinstance(found.get(name), str)]
    if missing:
        return Fault(missing[0], f"is missing: every CloudTrail record has {', '.join(_NEEDED)}")
    return None if _entity(found) else Fault("userIdentity", "does not say who it was, nor recipientAccountId for whom")


def _entity(found: dict[str, Any]) -> str:
    identity = found.get("userIdentity")
    named = [identity.get(name) for name in _WHO] if isinstance(identity, dict) else []
    known = [name for name in (*named, found.get("recipientAccountId")) if isinstance(name, str) and name]
    return known[0] if known else ""
