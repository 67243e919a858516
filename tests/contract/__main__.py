"""Keep today's contract as that of the release: python -m tests.contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib.api.openapi import document
from chalicelib.core.version import MAJOR_VERSION
from tests import message_schema

KEPT = Path(__file__).parent / f"v{MAJOR_VERSION}"
OPENAPI = KEPT / "openapi.json"
MESSAGE = KEPT / "replay-message.schema.json"


def keep() -> None:
    """Write the files."""
    KEPT.mkdir(exist_ok=True)
    OPENAPI.write_text(_text(document()))
    MESSAGE.write_text(_text(message_schema.document()))


def _text(kept: dict[str, Any]) -> str:
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    keep()
