"""Finds the queue of a destination, the API that it reports to, and whether it reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.core.errors import InvalidRequest
from chalicelib.replays.destinations import (
    DeclaredDestination,
    DestinationKind,
    Destinations,
    destinations_in,
    queue_url,
)
from retrace.consumer.message import ConsumerError
from retrace.problem import Problem
from retrace.target import DESTINATIONS, Target
from retrace.target_resolution import Chosen, find_target

_NO_API = ""
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_OF_AWS = re.compile(r".+\.(amazonaws\.[a-z]+(\.cn)?|api\.(aws|amazonwebservices\.com\.cn))")
"""https://docs.aws.amazon.com/general/latest/gr/sqs-service.html"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where messages are: the ARN or URL of their queue, and the deployment. Without an API its URL is empty."""

    queue: str
    reports: bool
    target: Target

    def queue_url(self, endpoint_url: str) -> str:
        """The URL of the queue, of any account."""
        return queue_url(endpoint_url, self.queue) if self.queue.startswith("arn:") else self.queue


def place_of(
    destination: str, reports: bool | None, chosen: Chosen, aws_profile: str | None, environment: Mapping[str, str]
) -> Place:
    """The place of a destination by its name, or of a queue by its ARN or URL; raises ConsumerError."""
    try:
        target = _target(chosen, aws_profile, environment)
        declared = _declared(target, environment)
        found = _found(destination, declared)
        _require_queue(found)
        place = Place(found.arn, _reports(found, reports, declared), replace(target, region=_region(target, found.arn)))
    except Problem as problem:
        raise ConsumerError(f"{problem} {problem.remedy}") from problem
    if place.reports and place.target.url == _NO_API:
        remedy = "Give `url`, set RETRACE_URL, or give `reports=False`."
        raise ConsumerError(f"{destination} reports outcomes, but the URL of the API is unknown. {remedy}")
    return place


def _target(chosen: Chosen, aws_profile: str | None, environment: Mapping[str, str]) -> Target:
    try:
        found = find_target(chosen, environment, Path.cwd())
    except Problem:
        if chosen.url is not None:
            raise
        found = Target(_NO_API, "nothing", region=chosen.region, stack=chosen.stack)
    return replace(found, aws_profile=aws_profile or found.aws_profile)


def _declared(target: Target, environment: Mapping[str, str]) -> Destinations:
    return destinations_in(environment.get("DESTINATIONS") or target.known(DESTINATIONS) or "{}")


def _found(destination: str, declared: Destinations) -> DeclaredDestination:
    """The declared destination of this name or queue; of an unknown queue, one without a name."""
    if destination.startswith("arn:") or "://" in destination:
        same = (each for each in declared.declared if _is_at(destination, each.arn))
        return next(same, DeclaredDestination("", destination))
    if not declared.by_name:
        remedy = "Give `stack`, set DESTINATIONS to the stack's output `Destinations`, or give the URL of the queue."
        raise ConsumerError(f"The queue of destination {destination} is unknown. {remedy}")
    try:
        return declared.named(destination)
    except InvalidRequest as error:
        raise ConsumerError(f"The destination {error.faults[0].message}.") from error


def _is_at(destination: str, arn: str) -> bool:
    """Whether an ARN or the URL of a queue is that of an ARN. Hosts of AWS, and no others, name their region."""
    if destination.startswith("arn:"):
        return destination == arn
    *_, region, account, name = arn.split(":")
    *_, host, of_account, queue = ("", "", *destination.rstrip("/").split("/"))
    labels = host.split(".") if _OF_AWS.fullmatch(host) else []
    regions = [label for label in labels if _REGION.fullmatch(label)]
    return (of_account, queue) == (account, name) and regions in ([], [region])


def _require_queue(found: DeclaredDestination) -> None:
    if found.is_aggregates:
        remedy = "Name another destination. A second consumer would take messages away from it."
        raise ConsumerError(f"Messages to {found.name} are for Retrace's own processor. {remedy}")
    if found.arn.startswith("arn:") and found.kind is DestinationKind.EVENTBRIDGE:
        raise ConsumerError(
            f"{found.name} is an event bus, not a queue."
            " Give the URL of a queue that its rule targets, with the InputPath $.detail."
        )


def _reports(found: DeclaredDestination, chosen: bool | None, declared: Destinations) -> bool:
    if chosen is not None:
        return chosen
    if not found.name:
        known = ", ".join(declared.by_name) or "none"
        remedy = "Give `reports=True` or `reports=False`, as in destinations.yaml."
        raise ConsumerError(
            f"It is unknown whether the consumer of {found.arn} reports outcomes. Known destinations: {known}. {remedy}"
        )
    return found.reports


def _region(target: Target, queue: str) -> str | None:
    """The region as chosen, or that of the queue."""
    found = re.match(r"arn:[^:]+:sqs:([^:]+):|https://sqs\.([a-z0-9-]+)\.", queue)
    return target.region or (None if found is None else found[1] or found[2])
