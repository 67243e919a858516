"""What became of the messages of replays, read (and set) past the application."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Message
from tests.functional.storage import Row, Storage

_COUNTS = ("processed", "failed", "dropped")


def counts(storage: Storage, replay_id: str) -> dict[str, int]:
    """What the progress counters of a replay come to; those at nothing are left out."""
    tally: Counter[str] = Counter()
    for row in storage.rows("REPLAYS_TABLE"):
        if row["PK"] == f"REPLAY#{replay_id}" and row["SK"].startswith("PROGRESS#"):
            tally.update({name: int(row.get(f"{name}_count", 0)) for name in _COUNTS})
    return {name: count for name, count in tally.items() if count}


def entries(storage: Storage, replay_id: str) -> list[Row]:
    """The rows of a replay's messages, without the copies of inputs in versions of other calendars."""
    rows = storage.rows("AGGREGATES_TABLE")
    return [
        row for row in rows if "outcome" in row and row["PK"].endswith(f"#VER#{replay_id}") and "#UTC#" in row["PK"]
    ]


def outcomes(storage: Storage, replay_id: str) -> dict[str, int]:
    """How many messages of a replay have which outcome."""
    return dict(Counter(str(row["outcome"]) for row in entries(storage, replay_id)))


def outcome_of(storage: Storage, found: Message) -> Any:
    """What is recorded of a message; None if nothing is."""
    of_event = (
        row["outcome"]
        for row in entries(storage, found.members["replay_id"])
        if row["event_id"] == found.members["event_id"] and "#DUP#" not in row["SK"]
    )
    return next(of_event, None)


def cancel(replay_id: str) -> None:
    """Let a replay be cancelled, whatever state it is in."""
    clients.dynamodb().update_item(
        TableName=SETTINGS["REPLAYS_TABLE"],
        Key={"PK": {"S": f"REPLAY#{replay_id}"}, "SK": {"S": "JOB"}},
        UpdateExpression="SET #state = :cancelled",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":cancelled": {"S": "CANCELLED"}},
    )
