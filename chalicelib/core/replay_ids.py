"""Ids of replays. They are UUIDs that sort in the order of the requests, and say by their version what kind of replay.

A what-if computes definitions that were given with its request. A UUIDv8 names it, and a UUIDv7 any other replay, so
that whatever has an id of a replay knows, without reading the replay, that a what-if is never the newest of anything.
"""

from __future__ import annotations

from chalicelib.core.percent_encoding import for_key, from_key

_VERSION_AT = 14
"""Where in its text a UUID has its version."""

_WHAT_IF = "8"
_OF_WHAT_IF = "what-if-"


def what_if(replay_id: str) -> str:
    """The id of a what-if in place of a UUIDv7."""
    return replay_id[:_VERSION_AT] + _WHAT_IF + replay_id[_VERSION_AT + 1 :]


def is_what_if(replay_id: str) -> bool:
    """Whether an id is that of a what-if."""
    return len(replay_id) == len("xxxxxxxx-xxxx-8xxx-xxxx-xxxxxxxxxxxx") and replay_id[_VERSION_AT] == _WHAT_IF


def version_name(replay_id: str) -> str:
    """How keys name the version of a replay: a what-if sorts behind all replays that are none."""
    return f"{_OF_WHAT_IF if is_what_if(replay_id) else ''}{for_key(replay_id)}"


def replay_id_of_version(name: str) -> str:
    """The replay whose version a key names."""
    return from_key(name.removeprefix(_OF_WHAT_IF))
