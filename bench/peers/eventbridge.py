"""EventBridge with an archive: a bus, an archive of all that it takes, and a rule that sends replays to a queue.

As its documentation shows: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html. Producers call PutEvents
themselves: there is neither an API nor a function, and nothing is computed here.

What it does not guarantee, and Retrace does:

- Nothing is recognised: an event that is sent again is stored again, and replayed again.
- Events cannot be looked at. What is in the archive is seen by replaying it, and AWS advises to wait for ten minutes.
- A replay goes by when events came, not by when they happened, and not by entity: minute after minute, and in no order
  within one (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html).
- An event is at most 1 MB, with all that comes with it in one call, and its time has whole seconds.
- Which events a number was computed from, whether all of them arrived and were counted once, is for its consumers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from embedded.admin import Admin
from embedded.server import ACCOUNT, REGION

ENTRIES_A_CALL = 10
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""

BUS = "orders"
QUEUE = "orders-replayed"


@dataclass(frozen=True, slots=True)
class Archived:
    """A bus with an archive. `events` and `sqs` are clients of boto3, whose stubs are not installed for the first."""

    events: Any
    sqs: Any
    queue_url: str

    def put(self, orders: Sequence[dict[str, object]]) -> None:
        """Publish at most ten events."""
        entries = [
            {
                "EventBusName": BUS,
                "Source": order["source"],
                "DetailType": order["event_type"],
                "Detail": json.dumps(order),
            }
            for order in orders
        ]
        if self.events.put_events(Entries=entries)["FailedEntryCount"]:
            raise RuntimeError("EventBridge did not take all events.")

    def replay(self, name: str, since: datetime) -> None:
        """Ask for a replay of all that came since then."""
        self.events.start_replay(
            ReplayName=name,
            EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:archive/{BUS}",
            EventStartTime=since,
            EventEndTime=datetime.now(UTC) + timedelta(minutes=1),
            Destination={"Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}"},
        )

    @property
    def stored(self) -> int:
        """How many events the archive holds."""
        held: int = self.events.describe_archive(ArchiveName=BUS)["EventCount"]
        return held


def archived(endpoint_url: str, admin: Admin) -> Archived:
    """Make the bus, its archive, a queue, and the rule that sends to it what is replayed, and nothing else."""
    make: Any = admin.session.client
    events, sqs = make("events", endpoint_url=endpoint_url), make("sqs", endpoint_url=endpoint_url)
    bus = events.create_event_bus(Name=BUS)["EventBusArn"]
    events.create_archive(ArchiveName=BUS, EventSourceArn=bus)
    queue_url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    replayed = {"replay-name": [{"exists": True}]}
    events.put_rule(Name=BUS, EventBusName=BUS, EventPattern=json.dumps(replayed))
    target = {"Id": QUEUE, "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"}
    events.put_targets(Rule=BUS, EventBusName=BUS, Targets=[target])
    return Archived(events, sqs, queue_url)
