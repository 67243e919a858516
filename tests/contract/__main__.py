"""Keep today's contract as that of the release: python -m tests.contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib.api.openapi import document
from chalicelib.core import lossless_json
from chalicelib.core.timestamps import Instant
from chalicelib.core.version import MAJOR_VERSION
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import Receipt, object_of
from tests import message_schema

KEPT = Path(__file__).parent / f"v{MAJOR_VERSION}"
OPENAPI = KEPT / "openapi.json"
MESSAGE = KEPT / "replay-message.schema.json"
RAW_LINES = KEPT / "raw-lines.ndjson"
EVENTS = (
    '{"source":"s","event_type":"t","entity_id":"e\\"é","event_time":"2026-11-20T10:00:00.5+01:00","payload":1.10}',
    '{"source":"s","event_type":"t","entity_id":"e","event_time":"1066-10-14T09:00:00Z","payload":[],"idempotency_key":"k"}',
    '{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"event":1E400}}',
)
"""What the kept raw lines are of."""
RECEIPT = Receipt(Instant("2026-11-21T00:00:00.000000001Z"), "c3a1f0de-91b2", "arn:aws:iam::123456789012:user/a")


def keep() -> None:
    """Write the files."""
    KEPT.mkdir(exist_ok=True)
    OPENAPI.write_text(_text(document()))
    MESSAGE.write_text(_text(message_schema.document()))
    RAW_LINES.write_bytes(object_of(list(map(event_of, EVENTS)), RECEIPT))


def event_of(text: str) -> Event:
    """The event that a text is."""
    json = lossless_json.parse(text)
    return parse_structured(json) if "specversion" in text else parse_native(json)


def _text(kept: dict[str, Any]) -> str:
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    keep()
