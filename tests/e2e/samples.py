"""Events to send: the project's own sample, or those of a file that RETRACE_EVENTS names."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.core.timestamps import parse_instant
from embedded.sending import read
from examples import bike_week

ROOT = Path(__file__).parents[2]

_COLON, _NEXT = re.compile(r"\s*:\s*"), re.compile(r"\s*[{,}]\s*")
_JSON = json.JSONDecoder()


@dataclass(frozen=True)
class Sample:
    """Native events, a line each, all valid and distinct."""

    lines: tuple[bytes, ...]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, parsed."""
        return [json.loads(line) for line in self.lines]

    @property
    def entities(self) -> Counter[str]:
        """How many events each entity has."""
        return Counter(event["entity_id"] for event in self.events)

    @property
    def days(self) -> Counter[tuple[str, str]]:
        """How many events each entity has on each day, which is one of UTC."""
        return Counter((event["entity_id"], parse_instant(event["event_time"])[:10]) for event in self.events)

    def first(self, count: int) -> Sample:
        """The first events only."""
        return Sample(self.lines[:count])

    def from_source(self, source: str) -> Sample:
        """The same events as if one source had sent them all, of entities of its own: other identities."""
        return self._moved(lambda _: source, source)

    def below(self, name: str) -> Sample:
        """The same events, of sources and entities below a name: other identities, and as many sources."""
        return self._moved(lambda source: f"{name}/{source}", name)

    def _moved(self, source: Callable[[str], str], name: str) -> Sample:
        others = {"source": source, "entity_id": lambda entity: f"{name}/{entity}"}
        return Sample(tuple(_with(line.decode(), others).encode() for line in self.lines))


def _with(line: str, others: dict[str, Callable[[str], str]]) -> str:
    """A line with other values of some members. Every other byte stays: spaces and digits are part of the sample."""
    parts, done = [], 0
    for name, value, start, end in _members(line):
        if name in others:
            parts += [line[done:start], json.dumps(others[name](value))]
            done = end
    return "".join((*parts, line[done:]))


def _members(line: str) -> Iterator[tuple[str, Any, int, int]]:
    """The name and value of each member of an object, and where in its text the value begins and ends."""
    at = _after(_NEXT, line, 0)
    while at < len(line):
        name, at = _JSON.raw_decode(line, at)
        start = _after(_COLON, line, at)
        value, end = _JSON.raw_decode(line, start)
        yield name, value, start, end
        at = _after(_NEXT, line, end)


def _after(expected: re.Pattern[str], text: str, at: int) -> int:
    found = expected.match(text, at)
    assert found is not None, text
    return found.end()


def own_sample() -> Sample:
    """The week of examples/bike_week.py."""
    return Sample(tuple(line.encode() for line in bike_week.lines()))


def chosen_sample() -> Sample:
    """The events of the file that RETRACE_EVENTS names, NDJSON or that gzipped; else the project's own."""
    chosen = os.environ.get("RETRACE_EVENTS")
    return Sample(tuple(read(Path(chosen)))) if chosen else own_sample()
