"""Ends the story of the demo: the bank says one revenue and Retrace another, and events make up the difference."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from embedded.client import Client, Job, Json
from embedded.narration import Narrator, require

NAME: Final = "revenue"
DEFINITION: Final = {
    "source": "payments/northpay",
    "event_types": ["payment.captured"],
    "aggregate": "sum",
    "value": "/amount",
}
ORDER: Final = "order-1007"
"""What was paid twice."""


@dataclass(frozen=True)
class Revenue:
    """The revenue of a day. `replay` requests a replay, shows how it gets on, and returns it once it is complete."""

    client: Client
    narrator: Narrator
    day: str
    replay: Callable[[Json], Job]

    def tell(self, lines: Iterable[bytes], refused: bytes) -> None:
        """Find the difference to what the bank paid: all payments of the day, and the one that was refused."""
        paid = sum(map(_captured, lines), Decimal(0)) + _captured(refused)
        self.narrator.step(f"Finance: the bank paid {paid} EUR on {self.day}. What does Retrace say, of which events?")
        self.client.define_metric(NAME, DEFINITION)
        before = self._computed()
        missing = paid - Decimal(before["value"])
        require("what is missing is what was refused", missing, _captured(refused))
        self.narrator.say(
            f"{missing} EUR are missing, and a payment of as much is in quarantine since Friday. It came with the key "
            f"of another one of {ORDER}. The provider says that both were made, so it is sent with a key of its own."
        )
        corrected = re.sub(rb"evt_[0-9a-f]+", b"evt_corrected", refused)
        [result] = self.client.ingest([corrected]).results
        require("the corrected payment is accepted", result["status"], "ACCEPTED")
        require("the revenue knows what came since", self._value()["arrived_since"], 1)
        self.narrator.step("Two revenues, and the events that make the difference, to the last digit")
        after = self._computed()
        require("the revenue is what the bank paid", Decimal(after["value"]), paid)
        self._explain(before, after, result["event_id"])

    def _computed(self) -> Json:
        """Request the replay that the answer about the revenue asks for, and show the value."""
        [request] = self._values()["replays"]
        job = self.replay(request)
        value = self._value()
        require("the revenue is of this replay", value["replay_id"], job.replay_id)
        require("the revenue is complete and not stale", (value["complete"], value["arrived_since"]), (True, 0))
        self.narrator.fact(NAME, f"{value['value']} EUR from {value['inputs']} events of {value['versions']} orders")
        return value

    def _explain(self, before: Json, after: Json, event_id: str) -> None:
        answer = self.client.difference(ORDER, self.day, before["replay_id"], after["replay_id"], NAME)["metric"]
        events = answer["contributions"]
        require("the payment alone makes the difference", [one["event_id"] for one in events], [event_id])
        delta = Decimal(after["value"]) - Decimal(before["value"])
        require(f"{ORDER} makes all of it", Decimal(answer["delta"]), delta)
        require("contributions add up to it", sum(_change(one) for one in events), delta)
        columns = ("entity", "event_time", "event_id", "before", "after")
        rows = [
            (ORDER, one["event_time"], f"{one['event_id'][:16]}…", one["from_value"] or "-", one["to_value"] or "-")
            for one in events
        ]
        self.narrator.table(columns, rows)
        self.narrator.say(f"{after['value']} - {before['value']} = {answer['delta']}: what this event contributes.")

    def _values(self) -> Json:
        return self.client.values(NAME, self.day)

    def _value(self) -> Json:
        [value] = self._values()["values"]
        return dict(value)


def _captured(line: bytes) -> Decimal:
    event = json.loads(line, parse_float=Decimal)
    amount = event["payload"]["amount"] if event["event_type"] in DEFINITION["event_types"] else 0
    return Decimal(amount)


def _change(contribution: Json) -> Decimal:
    return Decimal(contribution["to_value"] or 0) - Decimal(contribution["from_value"] or 0)
