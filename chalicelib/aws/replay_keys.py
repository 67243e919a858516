"""Every key in ReplaysTable, and that of a file of events, built only here, by the rules of keys.py."""

from __future__ import annotations

import re

from chalicelib.core.percent_encoding import entity_digest, for_key, from_key
from chalicelib.core.timestamps import Day

ALL_REPLAYS = "REPLAYS"
NEWEST_FIRST_INDEX = "newest-first"
REQUEST = "REQUEST"
JOB = "JOB"
KEYED = "KEYED"
PROGRESS_SHARDS = 64
ORDER = "ORDER"
TURN = "TURN"
IN_FLIGHT = "IN_FLIGHT"

METRIC_NAMES = "METRIC#NAMES"
"""The partition of the names of metrics."""
DEFINITION = "DEFINITION"

METRIC_POSITION = re.compile(r"NAME#[a-z][a-z0-9_]{0,63}", re.ASCII)
REPLAY_POSITION = re.compile(r"REPLAY#[^#\x00]+")

_REPLAY = "REPLAY#"
_LISTED = "SENT#"
_DIGITS_OF_COUNTS = 12


def replay(replay_id: str) -> str:
    """The partition of a replay: its job and its progress counters."""
    return f"{_REPLAY}{for_key(replay_id)}"


def replay_id_of(partition: str) -> str:
    """The replay of a partition."""
    return from_key(partition.removeprefix(_REPLAY))


def outbox(replay_id: str) -> str:
    """The partition of what a replay's planners have committed themselves to."""
    return f"{replay(replay_id)}#OUTBOX"


def outbox_part(commit_id: str, number: int) -> str:
    """The sort key of one part of the outbox of a commit."""
    return f"{commit_id}#{number:03d}"


def listed_outbox(first: int) -> str:
    """The sort key of the row that says which outbox has a replay's messages from this number on."""
    return f"{_LISTED}{first:0{_DIGITS_OF_COUNTS}}"


def first_listed(sort_key: str) -> int:
    """The number that such a sort key has."""
    return int(sort_key.removeprefix(_LISTED))


def touched_days(replay_id: str) -> str:
    """The partition of the days that a replay of whole days has found."""
    return f"{replay(replay_id)}#DAYS"


def touched_day(entity_id: str, day: Day) -> str:
    """The sort key of a touched day; hashed, as an entity's name alone may be as long as a sort key may be."""
    return f"DAY#{day}#{entity_digest(entity_id)}"


def before_touched_days() -> str:
    """A bound below the sort keys of all touched days."""
    return "DAY#"


def destination(name: str) -> str:
    """The partition of a destination that replays send to in turns."""
    return f"DESTINATION#{name}"


def sent_events(name: str, event_id: str) -> str:
    """One of the partitions of the events that were sent to a destination: 4,096, as it may get any number of them."""
    return f"{destination(name)}#SENT#{event_id[:3]}"


def sent_messages(replay_id: str, event_id: str) -> str:
    """One of the partitions of what a replay sent: sixteen, as DynamoDB writes a thousand units a second to each."""
    return f"{replay(replay_id)}#SENT#{event_id[0]}"


def sent_message(event_id: str, arrival: str | None) -> str:
    """The sort key of a message that was sent: its event's id, and the key of the later arrival that it repeats."""
    return event_id if arrival is None else f"{event_id}#{arrival}"


def idempotency_key(key: str) -> str:
    """The partition of the replay that an idempotency key stands for."""
    return f"KEY#{for_key(key)}"


def metric_name(name: str) -> str:
    """The sort key of a name of a metric."""
    return f"NAME#{name}"


def metric_changes(name: str) -> str:
    """The partition of the changes of a metric, in order of time."""
    return f"METRIC#NAME#{name}"


def metric_definition(sha256: str) -> str:
    """The partition of a definition of a metric."""
    return f"METRIC#{sha256}"


def progress(seed: str) -> str:
    """One of a replay's progress counters, chosen by a hash; several, so that processors seldom meet in one."""
    return f"PROGRESS#{int(seed[:8], 16) % PROGRESS_SHARDS:02d}"


def events_file(month: str, sha256: str) -> str:
    """The S3 key of a file that names the events of replays, by the month of its upload."""
    return f"events-files/{month}/{sha256}.txt"
