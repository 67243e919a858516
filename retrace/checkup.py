"""The checks of `retrace doctor`: credentials, the API and its clock, versions, speed, queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from statistics import median
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.version import MAJOR_VERSION, VERSION
from retrace.answer import Answer
from retrace.client import Client
from retrace.output import duration
from retrace.problem import Problem
from retrace.target import Target

REQUESTS = 5
SLOW_S = 1.0
SKEW_WARNING_S, SKEW_PROBLEM_S = 60, 300
"""A signature is good for five minutes before and after the time that it names."""

NAME_THE_STACK = "Give --stack, or write `stack` into the profile."
PATIENCE = Config(connect_timeout=3, read_timeout=5, retries={"max_attempts": 1})


Judge = Callable[[str, dict[str, Any]], "Finding"]
"""Says how a queue is, by its attributes."""


class Level(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, what was seen, and what to do about it."""

    check: str
    level: Level
    said: str
    remedy: str = ""


def finding_or_warning(check: str, look: Callable[[], Finding], failed: str, remedy: str) -> Finding:
    """The finding of a look at AWS; a warning if AWS does not answer it, or the target does not say where to look."""
    try:
        return look()
    except Problem as problem:
        return Finding(check, Level.WARNING, problem.what, problem.remedy)
    except (BotoCoreError, ClientError) as error:
        return Finding(check, Level.WARNING, f"{failed}: {error}", remedy)


def credentials(target: Target) -> Finding:
    """The credentials that requests are signed with."""
    try:
        key = f"access key …{str(target.credentials.access_key)[-4:]}"
    except Problem as problem:
        return Finding("credentials", Level.PROBLEM, problem.what, problem.remedy)
    try:
        caller = target.client("sts", PATIENCE).get_caller_identity()
    except ClientError as error:
        remedy = "Log in again, or name other credentials: AWS_PROFILE, or aws_profile in the profile."
        return Finding("credentials", Level.PROBLEM, f"AWS does not take {key}: {error}", remedy)
    except BotoCoreError:
        return Finding("credentials", Level.OK, f"{key}; STS, which knows whose that is, was not reached")
    return Finding("credentials", Level.OK, f"{caller['Arn']}, {key}")


@dataclass
class Api:
    """The API, as a few requests find it."""

    client: Client
    clock: Callable[[], datetime]
    seconds: Callable[[], float] = time.perf_counter

    def look(self) -> Iterator[Finding]:
        """Whether it takes our signature, the clocks agree, and how fast it answers."""
        try:
            answer = self.client.call("GET", "/health")
        except Problem as problem:
            yield Finding("signature", Level.PROBLEM, problem.what, problem.remedy)
            return
        yield self._signature(answer)
        yield self.skew(answer.headers.get("date"), self.clock())
        if answer.status < 400:
            yield self._version()
            yield self._speed()

    def _signature(self, answer: Answer) -> Finding:
        if answer.status < 400:
            return Finding("signature", Level.OK, f"GET /health was answered {answer.status}")
        try:
            problem = self.client.problem_of("GET /health", answer)
        except Problem as foreign:
            problem = foreign
        return Finding("signature", Level.PROBLEM, problem.what, problem.remedy)

    def skew(self, date: str | None, now: datetime) -> Finding:
        """Whether this clock agrees with the Date of an answer."""
        try:
            skew = (now - parsedate_to_datetime(date or "")).total_seconds()
        except (TypeError, ValueError):
            return Finding(
                "clock", Level.WARNING, "The response has no Date header.", "Check that the URL is that of API Gateway."
            )
        ahead = f"{duration(abs(skew) * 1_000)} {'ahead of' if skew > 0 else 'behind'} the API's"
        said = "agrees with the API's to the second" if abs(skew) < 2 else f"is {ahead}"  # a Date has whole seconds
        if abs(skew) < SKEW_WARNING_S:
            return Finding("clock", Level.OK, f"This clock {said}.")
        level = Level.WARNING if abs(skew) < SKEW_PROBLEM_S else Level.PROBLEM
        return Finding("clock", level, f"This clock {said}. A signature is valid for 5m.", "Set the clock (NTP).")

    def _version(self) -> Finding:
        try:
            answer = self.client.expect("GET", "/openapi.json")
            deployed = answer.json.get("info", {}).get("version")
        except Problem as problem:
            return Finding("version", Level.WARNING, problem.what, problem.remedy)
        major = answer.headers.get("retrace-version")  # 0.1 has none
        said = f"The deployment has version {deployed if major else '0.1'}, this command line {VERSION}."
        if major == MAJOR_VERSION:
            return Finding("version", Level.OK, said)
        return Finding("version", Level.WARNING, said, "Install the command line of that version, or deploy this one.")

    def _speed(self) -> Finding:
        taken = []
        for _ in range(REQUESTS):
            began = self.seconds()
            try:
                self.client.expect("GET", "/health")
            except Problem as problem:
                return Finding("speed", Level.PROBLEM, problem.what, problem.remedy)
            taken.append(self.seconds() - began)
        middle, most = median(taken), max(taken)
        said = f"{REQUESTS} requests: {duration(middle * 1_000)} in the middle, {duration(most * 1_000)} at most"
        if middle < SLOW_S:
            return Finding("speed", Level.OK, said)
        return Finding("speed", Level.WARNING, said, "Check the network, and whether the API function is throttled.")


def queues(target: Target) -> Iterator[Finding]:
    """How much waits in the queues, and whether there are dead letters."""
    if not target.names_queues:
        yield Finding("queues", Level.WARNING, "The names of the queues are unknown.", NAME_THE_STACK)
        return
    for name, judge in QUEUES.items():
        check = f"queue {name.removesuffix('_queue_url').replace('_', ' ')}"
        yield finding_or_warning(
            check, partial(_of_queue, target, name, check, judge), "The queue cannot be read", READ_QUEUES
        )


def _of_queue(target: Target, name: str, check: str, judge: Judge) -> Finding:
    url = target.known(name)
    if url is None:
        return Finding(check, Level.WARNING, "Its name is unknown.", NAME_THE_STACK)
    return judge(check, queue_attributes(target, url))


def queue_attributes(target: Target, url: str) -> dict[str, Any]:
    """All attributes of a queue."""
    answer = target.client("sqs", PATIENCE).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    attributes: dict[str, Any] = answer["Attributes"]
    return attributes


def waiting(check: str, attributes: dict[str, Any]) -> Finding:
    """How much waits on a queue."""
    visible, in_flight = _counts(attributes)
    return Finding(check, Level.OK, f"{visible} waiting, {in_flight} being worked at")


def _on_their_way(check: str, attributes: dict[str, Any]) -> Finding:
    found = sum(_counts(attributes))
    if not found:
        return Finding(check, Level.OK, "empty")
    return Finding(check, Level.WARNING, f"{found} failed messages on their way to the dead letters", _OF_REPLAYS)


def dead(remedy: str) -> Judge:
    """What says of a dead-letter queue that there is something on it, and what to do."""

    def judge(check: str, attributes: dict[str, Any]) -> Finding:
        if found := sum(_counts(attributes)):
            return Finding(check, Level.PROBLEM, f"{found} messages", remedy)
        return Finding(check, Level.OK, "empty")

    return judge


def _counts(attributes: dict[str, Any]) -> tuple[int, int]:
    waiting = int(attributes["ApproximateNumberOfMessages"]) + int(
        attributes.get("ApproximateNumberOfMessagesDelayed", 0)
    )
    return waiting, int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0))


READ_QUEUES = "Allow sqs:GetQueueAttributes to check this. The API works without it."
_OF_REPLAYS = "`retrace replay list` says of which replay; the logs of the processor say why."
_HALTED = "A replay has stopped. The planner's logs say why. Run `retrace replay redrive` to continue it."

QUEUES: dict[str, Judge] = {
    "replay_queue_url": waiting,
    "replay_jobs_queue_url": waiting,
    "replay_failures_queue_url": _on_their_way,
    "dead_letter_queue_url": dead(f"{_OF_REPLAYS} SQS keeps them for 14 days. Then: retrace replay redrive"),
    "replay_jobs_dead_letter_queue_url": dead(_HALTED),
}
