"""Limits how many events fit into one answer together with their texts.

Lambda writes an answer into a JSON string, in ASCII before Python 3.12: a quote takes two bytes instead of one, and a
character of two bytes six. So a text takes at most three times its bytes. The metadata of an event is in its line, too,
except its source and where the line is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from chalicelib.core.errors import PermanentError
from chalicelib.events.raw_objects import RawLine, StoredEvent

ANSWER_BYTES = 6_000_000
"""Lambda's limit is 6 MB, API Gateway's 10 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_A_BYTE = 3
_A_CHARACTER = 12
_ELSE = 600
"""For the names of the members and what is of fixed size."""


def how_many_fit(events: Iterable[StoredEvent]) -> int:
    """How many of the first events fit whatever they contain, and at least one."""
    fit, left = 0, ANSWER_BYTES
    for event in events:
        left -= most_bytes(event)
        if fit and left < 0:
            break
        fit += 1
    return fit


def most_bytes(event: StoredEvent) -> int:
    """How large an event and its text can become in an answer."""
    at = event.location
    return _A_BYTE * at.length + _A_CHARACTER * len(event.source) + len(at.bucket) + len(at.key) + _ELSE


def within_an_answer(line: RawLine | PermanentError) -> RawLine | PermanentError:
    """The line, unless its event is too large for an answer. Only an event that is alone on its page can be."""
    if isinstance(line, PermanentError) or _A_BYTE * len(line.event) < ANSWER_BYTES:
        return line
    if len(json.dumps(line.event.decode())) < ANSWER_BYTES:
        return line
    return PermanentError(f"The event has {len(line.event):,} bytes, too many for an answer. Read its line from S3.")
