"""Write the contract of the messages on ReplayQueue as JSON Schema.

    python -m tests.message_schema

It is generated from the model that the planner writes messages with and the processor reads them with.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.messages import SCHEMA, Duplicate, ReplayMessage

FILE = Path(__file__).parents[1] / "docs" / "replay-message.schema.json"

_MESSAGE = ReplayMessage(
    schema_=SCHEMA,
    replay_id="01981e5c-7a3e-7c41-9d52-3f1f0c8e6b7a",
    destination=TO_AGGREGATES,
    event_id="5c6ee1ea8dd2b3fd3eaf8ba3d4cb6d4dbbd3f4a1ab9d5e5c36f79d1a8f7e0b21",
    entity_id="order-1007",
    event_time="2026-11-21T23:59:59.123456789Z",
    ingest_time="2026-11-22T00:00:01.000000000Z",
    source="shop/checkout",
    event_type="order.paid",
    content_sha256="9b2f0d7c4e1a86f35d0c9e7b1a24f8d6c3e5907b8a1f2d4c6e8b0a9d7c5f3e12",
    s3_bucket="retrace-raw",
    s3_key="raw/source=shop%2Fcheckout/event_date=2026-11-21/ingest_date=2026-11-22/"
    "0f4c8b2d6e9a1357c0b8d4f6a2e19c73d5b7f9a1c3e5079b2d4f6a8c0e1b3d57.ndjson",
    s3_offset=0,
    s3_length=412,
)
_REPETITION = Duplicate(ingest_time="2026-11-22T00:00:04.000000000Z", request_id="c3a1f0de-91b2-4d0f", position=3)


class _AsSent(GenerateJsonSchema):
    """Schemas of what is sent: an optional field is absent, never null. Titles would only repeat field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # pydantic's signature
        return False

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def document() -> dict[str, Any]:
    """Return the schema of a message."""
    generated = ReplayMessage.model_json_schema(schema_generator=_AsSent)
    examples = [_MESSAGE, _MESSAGE.model_copy(update={"duplicate": _REPETITION})]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        **generated,
        "title": "Replay message",
        "description": f"{generated['description']} Ignore members that you do not know.",
        "examples": [example.model_dump(mode="json", exclude_none=True) for example in examples],
    }


def text() -> str:
    """Return it as the file holds it."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
