"""Reads the queues of destinations with the caller's rights: what waits there, and why dead letters failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from chalicelib.aggregates.dynamodb_rows import outcome_key
from chalicelib.aggregates.ledger import Outcome, record_of
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.errors import InvalidRequest
from chalicelib.replays.destinations import (
    DeclaredDestination,
    DestinationKind,
    Destinations,
    destinations_in,
    queue_url,
)
from chalicelib.replays.messages import ReplayMessage, parse_message
from retrace.checking.stores import Tables
from retrace.checkup import (
    NAME_THE_STACK,
    READ_QUEUES,
    Finding,
    Level,
    dead,
    finding_or_warning,
    queue_attributes,
    waiting,
)
from retrace.output import Json
from retrace.problem import Problem
from retrace.target import DESTINATIONS, Target

HIDDEN_S = 10
"""A message that is looked at is hidden for this long, so that the next call brings others."""

_AT_ONCE = 10
_LOOKS = 20
"""As many batches of messages that were read already are passed over, before there are taken to be no others."""

_NO_DEAD_LETTERS = "no dead-letter queue: messages that its consumer cannot process come back until they expire"
_SET_A_POLICY = (
    "Give the queue a RedrivePolicy with a maxReceiveCount of 5: aws sqs set-queue-attributes. Then Retrace shows its"
    " dead letters, and SQS moves them back: aws sqs start-message-move-task"
)
_BACK_BY_REPLAY = "`retrace replay dead-letters` says of which replays they are and why. Then: retrace replay redrive"
_BACK_BY_SQS = (
    "`retrace replay dead-letters` shows them. This stage did not make the queue, so SQS moves them back, all at"
    " once: aws sqs start-message-move-task --source-arn {arn}"
)


def findings(target: Target) -> Iterator[Finding]:
    """How much waits at each destination beside the processor's, and whether its consumer gave up on messages."""
    declared = _declared(target)
    for each in declared.declared:
        if not each.is_aggregates:
            check = f"destination {each.name}"
            look = partial(_finding, target, declared, each, check)
            yield finding_or_warning(check, look, "Its queue cannot be read", READ_QUEUES)


def _declared(target: Target) -> Destinations:
    told = target.known(DESTINATIONS) if target.names_queues else None
    return destinations_in(told or "{}")


def _finding(target: Target, declared: Destinations, each: DeclaredDestination, check: str) -> Finding:
    if each.kind is DestinationKind.EVENTBRIDGE:
        return Finding(
            check, Level.OK, "an event bus, on which nothing waits: its rules have dead letters of their own"
        )
    attributes = queue_attributes(target, _url(target, each.arn))
    arn = json.loads(attributes.get("RedrivePolicy", "{}")).get("deadLetterTargetArn")
    if arn is None:
        return Finding(check, Level.WARNING, f"{waiting(check, attributes).said}; {_NO_DEAD_LETTERS}", _SET_A_POLICY)
    remedy = _BACK_BY_REPLAY if declared.dead_letters_of(each) == arn else _BACK_BY_SQS.format(arn=arn)
    found = dead(remedy)(check, queue_attributes(target, _url(target, arn)))
    if found.level is Level.PROBLEM:
        return replace(found, said=f"{found.said} in its dead-letter queue")
    return waiting(check, attributes)


def dead_letters(target: Target, name: str) -> Iterator[Json]:
    """The dead letters of a destination, as SQS gives them out: of which replay and event each is, and why it failed.

    Those that are read are hidden for ten seconds. Raises Problem if there is no queue to read, with what to do.
    """
    url = _dead_letters_url(target, name)
    seen: set[str] = set()
    while batch := _received(target, url, seen):
        seen |= {each["MessageId"] for each in batch}
        messages = {each["MessageId"]: _message(each["Body"]) for each in batch}
        reported = _reported(target, [each for each in messages.values() if each is not None])
        for each in batch:
            yield _shown(name, each, messages[each["MessageId"]], reported)


def _dead_letters_url(target: Target, name: str) -> str:
    declared = _declared(target)
    if not declared.by_name:
        raise Problem("The names of the queues are unknown.", NAME_THE_STACK)
    try:
        destination = declared.named(name)
    except InvalidRequest as error:
        raise Problem(f"destination {error.faults[0].message}.", "Name one that is declared.") from error
    if destination.is_aggregates:
        return target.stored_in("dead_letter_queue_url")
    if destination.kind is DestinationKind.EVENTBRIDGE:
        raise Problem(
            f"{name} is an event bus, which keeps no dead letters.",
            "Look into the dead-letter queues of its rules: aws events list-targets-by-rule",
        )
    policy = json.loads(queue_attributes(target, _url(target, destination.arn)).get("RedrivePolicy", "{}"))
    if "deadLetterTargetArn" not in policy:
        raise Problem(f"{name} has {_NO_DEAD_LETTERS}.", _SET_A_POLICY)
    return _url(target, policy["deadLetterTargetArn"])


def _url(target: Target, arn: str) -> str:
    return queue_url(target.client("sqs").meta.endpoint_url, arn)


def _received(target: Target, url: str, seen: set[str]) -> list[Any]:
    """Messages that were not received before; none if there are no others.

    Those that were read come again after ten seconds, so a batch of only such does not mean that there are no others.
    """
    for _ in range(_LOOKS):
        answer = target.client("sqs").receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=1,
            MessageAttributeNames=["failure", "reason"],
            AttributeNames=["ApproximateReceiveCount"],
        )
        batch = answer.get("Messages", [])
        new = [each for each in batch if each["MessageId"] not in seen]
        if new or not batch:
            return new
    return []


def _message(body: str) -> ReplayMessage | None:
    try:
        parsed = parse_message(body)
    except InvalidRequest:
        return None
    return parsed if isinstance(parsed, ReplayMessage) else None


def _reported(target: Target, messages: Sequence[ReplayMessage]) -> dict[tuple[str, str], str]:
    """What the ledger says of messages that consumers reported, by its keys."""
    names = ("events_table", "dedupe_table", "aggregates_table")
    tables = Tables(target.client("dynamodb"), *map(target.stored_in, names))
    keys = [from_item(outcome_key(record_of(each, Outcome.FAILED).key)) for each in messages]
    rows = tables.outcomes(keys)
    return {(row["PK"], row["SK"]): row.get("reason") or row["outcome"].lower() for row in rows}


def _shown(
    destination: str, received: Any, message: ReplayMessage | None, reported: Mapping[tuple[str, str], str]
) -> Json:
    """A dead letter with the processor's reason, or the reported one, or how often it was received before."""
    attributes = {name: each["StringValue"] for name, each in received.get("MessageAttributes", {}).items()}
    receives = int(received["Attributes"]["ApproximateReceiveCount"]) - 1
    reason = attributes.get("reason")
    if message is not None and reason is None:
        key = from_item(outcome_key(record_of(message, Outcome.FAILED).key))
        reason = reported.get((key["PK"], key["SK"]))
    return {
        "destination": destination,
        "replay_id": message.replay_id if message else "",
        "event_id": message.event_id if message else "",
        "entity_id": message.entity_id if message else "",
        "failure": attributes.get("failure"),
        "reason": reason or f"not reported: received {receives} times",
    }


def replays_of(letters: Iterator[Json], most: int) -> list[str]:
    """The replays of at most this many dead letters, in their order."""
    found = (each["replay_id"] for each in islice(letters, most))
    return [each for each in dict.fromkeys(found) if each]
