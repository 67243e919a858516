"""The destinations that a stage declares: what replays name them, where they are, and what kind they are."""

from __future__ import annotations

import json
import re
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


def queue_url(endpoint_url: str, arn: str) -> str:
    """The URL of a queue, of any account, at an endpoint of SQS in its region.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
    """
    _, _, _, _, account, name = arn.split(":")
    return f"{endpoint_url}/{account}/{name}"


@dataclass(frozen=True, slots=True)
class DeclaredDestination:
    """A destination by its name and the ARN of its queue or event bus.

    `takes_reports` says whether its consumer reports what became of messages, `reporters` which principals may, as
    `principal_of` writes them: none named is all that IAM lets in.
    """

    name: str
    arn: str
    takes_reports: bool = False
    reporters: tuple[str, ...] = ()

    @property
    def kind(self) -> DestinationKind:
        """What it is: names of FIFO queues end in .fifo.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
        """
        if self.arn.split(":")[2] == "events":
            return DestinationKind.EVENTBRIDGE
        return DestinationKind.FIFO if self.arn.endswith(".fifo") else DestinationKind.QUEUE

    @property
    def is_ordered(self) -> bool:
        """Whether messages of an entity come in the order of their times."""
        return self.kind is DestinationKind.FIFO

    @property
    def is_aggregates(self) -> bool:
        """Whether Retrace itself processes its messages, and keeps its dead letters."""
        return self.name == TO_AGGREGATES

    @property
    def is_made_by_stage(self) -> bool:
        """Whether its queue has the name that a stage gives one that it makes."""
        own = own_name(".+", re.escape(self.name))
        return re.fullmatch(rf"{own}(\.fifo)?", self.arn.rpartition(":")[2]) is not None

    @property
    def reports(self) -> bool:
        """Whether outcomes of its messages are counted, so that its replays become COMPLETE."""
        return self.is_aggregates or self.takes_reports

    @property
    def has_window(self) -> bool:
        """Whether its messages in flight are limited: those of a queue whose outcomes are counted."""
        return self.reports and self.kind is not DestinationKind.EVENTBRIDGE


@dataclass(frozen=True, slots=True)
class Destinations:
    """All that a stage declares, by name. Some have a rate, in messages a second, which all replays to it share.

    `own` names those whose queues the stage has made. `window` is how many messages may be in flight at one that
    `has_window`.
    """

    by_name: Mapping[str, DeclaredDestination]
    rates: Mapping[str, float] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    window: int | None = None

    @property
    def arns(self) -> dict[str, str]:
        """Where each is."""
        return {name: each.arn for name, each in self.by_name.items()}

    @property
    def declared(self) -> list[DeclaredDestination]:
        """Each of them."""
        return list(self.by_name.values())

    def may_report(self, name: str, reporter: str) -> bool:
        """Whether a principal, by its ARN, may report on replays to a destination; none may on one that is gone."""
        if name not in self.by_name:
            return False
        reporters = self.by_name[name].reporters
        return not reporters or principal_of(reporter) in reporters

    def named(self, name: str, *, in_time_order: bool = True) -> DeclaredDestination:
        """One of them; raises InvalidRequest, which names all, for an unknown name.

        Also for a FIFO queue whose messages would not come `in_time_order`: its consumer may skip what comes later.
        """
        if name not in self.by_name:
            near = get_close_matches(name, self.by_name, 1)
            guess = f"Did you mean {near[0]}? " if near else ""
            known = ", ".join(self.by_name)
            fault = Fault("destination", f"is {name}, which is not declared. {guess}Declared: {known}")
            raise InvalidRequest("This stage has no such destination.", (fault,))
        found = self.by_name[name]
        if not in_time_order and found.is_ordered:
            advice = "Add whole_days, or choose another destination"
            fault = Fault("destination", f"is {name}, a FIFO queue, and a file has no order of time. {advice}")
            raise InvalidRequest("The destination needs events in the order of their times.", (fault,))
        return found

    def dead_letters_of(self, destination: DeclaredDestination) -> str | None:
        """The ARN of the queue that the stage made for a consumer's dead letters (infra/destination.yaml).

        None for a queue that the stage did not make, or has no more, for a bus, and for aggregates.
        """
        name, arn = destination.name, destination.arn
        if name not in self.own or self.by_name[name].arn != arn:
            return None
        before, _, after = arn.rpartition(f"-to-{name}")
        return f"{before}-dead-letters-of-{name}{after}"


def own_name(stage: str, name: str) -> str:
    """The name of what a stage makes for a destination, for a FIFO queue without `.fifo` (infra/destination.yaml)."""
    return f"retrace-{stage}-to-{name}"


def principal_of(arn: str) -> str:
    """The role or user that an ARN names, such as 111122223333:role/billing.

    API Gateway names an assumed role by its session and without its path. Names are unique in an account without it:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    _, _, _, _, account, resource = arn.split(":", 5)
    kind, *path = resource.split("/")
    return f"{account}:role/{path[0]}" if kind == "assumed-role" else f"{account}:{kind}/{path[-1] if path else ''}"


def destinations_in(setting: str) -> Destinations:
    """Read the setting DESTINATIONS, such as {"billing": {"arn": "arn:aws:sqs:…", "own": true, "rate": 50}}."""
    told = json.loads(setting)
    rates = {name: members["rate"] for name, members in told.items() if "rate" in members}
    by_name = {
        name: DeclaredDestination(
            name, members["arn"], members.get("reports", False), tuple(members.get("reporters", ()))
        )
        for name, members in told.items()
    }
    return Destinations(by_name, rates, frozenset(name for name, members in told.items() if members.get("own")))
