"""The destinations that a stage declares: what replays name them, where they are, and what kind they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from chalicelib.core.errors import Fault, InvalidRequest

TO_AGGREGATES: Final = "aggregates"
"""The built-in destination and the default: ReplayQueue, which the processor reads."""

NAME_PATTERN: Final = "^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$"
MAX_NAME: Final = 32


class DestinationKind(StrEnum):
    """What a destination is; its ARN says so."""

    QUEUE = "queue"
    FIFO = "fifo"
    EVENTBRIDGE = "eventbridge"


@dataclass(frozen=True, slots=True)
class DeclaredDestination:
    """A destination by its name and the ARN of its queue or event bus."""

    name: str
    arn: str

    @property
    def kind(self) -> DestinationKind:
        """What it is: names of FIFO queues end in .fifo.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
        """
        if self.arn.split(":")[2] == "events":
            return DestinationKind.EVENTBRIDGE
        return DestinationKind.FIFO if self.arn.endswith(".fifo") else DestinationKind.QUEUE

    @property
    def reports(self) -> bool:
        """Whether outcomes of its messages are counted, so that its replays become COMPLETE."""
        return self.name == TO_AGGREGATES


@dataclass(frozen=True, slots=True)
class Destinations:
    """All that a stage declares, by name. Some have a rate, in messages a second, which all replays to it share."""

    arns: Mapping[str, str]
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def declared(self) -> list[DeclaredDestination]:
        """Each of them."""
        return [DeclaredDestination(name, arn) for name, arn in self.arns.items()]

    def named(self, name: str) -> DeclaredDestination:
        """One of them; raises InvalidRequest, which names all, for an unknown name."""
        if name not in self.arns:
            near = get_close_matches(name, self.arns, 1)
            guess = f"Did you mean {near[0]}? " if near else ""
            fault = Fault("destination", f"is {name}, which is not declared. {guess}Declared: {', '.join(self.arns)}")
            raise InvalidRequest("This stage has no such destination.", (fault,))
        return DeclaredDestination(name, self.arns[name])


def destinations_in(setting: str) -> Destinations:
    """Read the setting DESTINATIONS, such as {"billing": {"arn": "arn:aws:sqs:…", "rate": 50}}."""
    told = json.loads(setting)
    rates = {name: members["rate"] for name, members in told.items() if "rate" in members}
    return Destinations({name: members["arn"] for name, members in told.items()}, rates)
