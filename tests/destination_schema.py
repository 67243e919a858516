"""Write the JSON Schema of files of destinations, for editors.

    python -m tests.destination_schema

It is generated from the model that destinations are checked with. Which ARNs fit a stage, only a deployment tells.
"""

import json
from pathlib import Path
from typing import Any

from chalicelib.replays.destinations import MAX_NAME, NAME_PATTERN, TO_AGGREGATES
from infra.destination_file import MAX_DESTINATIONS, DestinationMembers

FILE = Path(__file__).parents[1] / "docs" / "destinations.schema.json"


def document() -> dict[str, Any]:
    """Return the schema of a file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Destinations",
        "description": "Where replays of a stage may send, as a deployment reads it.",
        "type": "object",
        "additionalProperties": False,
        "required": ["destinations"],
        "properties": {
            "destinations": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_DESTINATIONS,
                "propertyNames": {"pattern": NAME_PATTERN, "maxLength": MAX_NAME},
                "properties": {TO_AGGREGATES: {"type": ["object", "null"], "maxProperties": 0}},
                "additionalProperties": DestinationMembers.model_json_schema(),
            }
        },
    }


def text() -> str:
    """Return it as the file has it."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
