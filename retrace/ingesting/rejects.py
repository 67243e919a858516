"""The file of what was refused: NDJSON, each line one event with where it stood and why it was refused."""

from __future__ import annotations

import json
from pathlib import Path

from chalicelib.domain import json_text
from retrace.ingesting.sending import Refused
from retrace.problem import Exit, Problem


class Rejects:
    """Written as events are refused, whole lines at a time."""

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self._path = path
        try:
            path.open("ab" if resumed else "wb").close()
        except OSError as error:
            remedy = "Give --rejects a file that can be written."
            raise Problem(f"{path} cannot be written: {error.strerror}.", remedy, Exit.USAGE) from error

    def write(self, file: str, refused: tuple[Refused, ...]) -> None:
        """Add lines."""
        with self._path.open("ab") as rejects:
            rejects.write(b"".join(_line(file, one) for one in refused))


def _line(file: str, refused: Refused) -> bytes:
    told = {"file": file, "line": refused.record.line, **refused.result}
    opening = json.dumps(told, ensure_ascii=False, separators=(",", ":"))[:-1].encode("utf-8", "backslashreplace")
    return b'%s,"event":%s}\n' % (opening, _shown(refused.record.text))


def _shown(text: bytes) -> bytes:
    """The event verbatim where that is JSON, so that it can be put right and sent again; else as a text."""
    if not text:
        return b"null"
    try:
        parsed = json_text.parse(text.decode())
    except (UnicodeDecodeError, json_text.JsonSyntaxError):
        return json.dumps(text.decode(errors="backslashreplace")).encode()
    if any("not a JSON number" in fault.message for fault in parsed.faults):
        return json.dumps(parsed.text).encode()
    return json_text.one_line(parsed.text).encode()
