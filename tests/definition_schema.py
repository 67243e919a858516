"""Write the JSON Schema of files of metrics, for editors.

    python -m tests.definition_schema

It is generated from the model that definitions are checked with. What members contradict, only Retrace tells.
"""

import json
from pathlib import Path
from typing import Any

from chalicelib.metrics.members import DefinitionMembers

FILE = Path(__file__).parents[1] / "docs" / "metrics.schema.json"


def document() -> dict[str, Any]:
    """Return the schema of a file."""
    generated = DefinitionMembers.model_json_schema(by_alias=True)
    definitions = generated.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Metrics",
        "description": "Definitions of metrics, as `retrace metrics apply` reads them.",
        "type": "object",
        "additionalProperties": False,
        "required": ["metrics"],
        "properties": {"metrics": {"type": "array", "items": {"$ref": "#/$defs/DefinitionMembers"}}},
        "$defs": {**definitions, "DefinitionMembers": generated},
    }


def text() -> str:
    """Return it as the file has it."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
