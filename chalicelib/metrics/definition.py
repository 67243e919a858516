"""Definitions of metrics: immutable, and known by the SHA-256 of their canonical JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from pydantic import ValidationError

from chalicelib.core.calendars import UTC
from chalicelib.core.canonical_json import canonical
from chalicelib.core.errors import Fault, InvalidRequest, first_faults
from chalicelib.core.fields import faults_of
from chalicelib.core.lossless_json import JsonText, JsonValue, parse, without_lone_surrogates
from chalicelib.metrics.contradictions import contradictions
from chalicelib.metrics.exact_number import Exact, exact_of
from chalicelib.metrics.json_pointer import Pointer, parse_pointer
from chalicelib.metrics.members import Condition, ConditionMembers, DefinitionMembers, condition_of
from chalicelib.metrics.metric_kinds import KINDS, Kind, Takes

MAX_BYTES = 16_384
"""Of the canonical JSON, which is kept in a row and in an object."""

_ALWAYS_WRITTEN = ("name", "aggregate", "time_zone")
"""All others are left out where they have their default, so that a member added later changes no hash."""


@dataclass(frozen=True)
class Definition:
    """What a metric is. `members` are those of its canonical JSON."""

    members: dict[str, JsonValue] = field(hash=False)
    name: str
    aggregate: str
    source: str | None = None
    event_types: frozenset[str] | None = None
    where: tuple[Condition, ...] = ()
    value: Pointer | None = None
    reads_numbers_in_text: bool = False
    percentile: Exact | None = None
    group_by: tuple[Pointer, ...] = ()
    time_zone: str = UTC
    fails_on_missing: bool = False

    @cached_property
    def canonical(self) -> str:
        """The one text that it has."""
        return canonical(self.members)

    @cached_property
    def sha256(self) -> str:
        """What it is known by."""
        return sha256(self.canonical.encode()).hexdigest()

    @property
    def kind(self) -> Kind:
        """How it is computed."""
        return KINDS[self.aggregate]

    @property
    def counts_every_event(self) -> bool:
        """Whether every event contributes one, so that nothing needs to be kept of each."""
        unlimited = self.source is None and self.event_types is None and not self.where
        return unlimited and self.kind.takes is Takes.NOTHING and not self.group_by


DAILY_EVENT_COUNT = Definition(
    {"aggregate": "count", "name": "daily_event_count", "time_zone": UTC}, "daily_event_count", "count"
)

BUILT_IN = (DAILY_EVENT_COUNT,)
"""What every version has. One that was released stays as it is."""


def definition_of(json: JsonText) -> Definition:
    """Check a definition; raises InvalidRequest with every fault."""
    if not isinstance(json.value, dict):
        raise InvalidRequest("The definition is not a JSON object.", (*json.faults, Fault("", "must be a JSON object")))
    given = without_lone_surrogates(json.value)
    try:
        members = DefinitionMembers.model_validate(given)
    except ValidationError as error:
        faults = (*json.faults, *faults_of(error), *_further(given, error))
        raise InvalidRequest("The definition is not valid.", first_faults(faults)) from error
    definition = _of_members(members)
    if faults := (*json.faults, *contradictions(members), *_too_long(definition)):
        raise InvalidRequest("The definition is not valid.", first_faults(faults))
    return definition


def read_definition(text: str) -> Definition:
    """A definition that was checked before, from its canonical JSON."""
    return _of_members(DefinitionMembers.model_validate(parse(text).value))


def _further(given: dict[str, JsonValue], error: ValidationError) -> tuple[Fault, ...]:
    """What sound members contradict each other in, although others are wrong."""
    wrong = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
    sound = {name: value for name, value in given.items() if name not in wrong}
    members = DefinitionMembers.model_validate({"name": "unnamed", "aggregate": "count"} | sound)
    return tuple(contradictions(members, unknown=wrong))


def _of_members(members: DefinitionMembers) -> Definition:
    return Definition(
        members=_canonical_members(members),
        name=members.name,
        aggregate=members.aggregate,
        source=members.source,
        event_types=None if members.event_types is None else frozenset(members.event_types),
        where=tuple(map(condition_of, _in_order(members.where))),
        value=None if members.value is None else parse_pointer(members.value),
        reads_numbers_in_text=members.parse is not None,
        percentile=_percentile(members.percentile),
        group_by=tuple(map(parse_pointer, members.group_by)),
        time_zone=members.time_zone,
        fails_on_missing=members.on_missing == "fail",
    )


def _percentile(text: str | None) -> Exact | None:
    found = None if text is None else exact_of(text)
    return found if isinstance(found, Exact) else None


def _canonical_members(members: DefinitionMembers) -> dict[str, JsonValue]:
    """Members without defaults. What has no order of its own is in that of its canonical JSON."""
    written = members.model_dump(exclude_defaults=True, exclude={"where", "event_types", "group_by"})
    written |= {name: getattr(members, name) for name in _ALWAYS_WRITTEN}
    if members.event_types is not None:
        written["event_types"] = sorted(members.event_types)
    if members.where:
        written["where"] = [*map(_canonical_condition, _in_order(members.where))]
    if members.group_by:
        written["group_by"] = list(members.group_by)
    return written


def _in_order(conditions: Iterable[ConditionMembers]) -> list[ConditionMembers]:
    return sorted(conditions, key=lambda each: canonical(_canonical_condition(each)))


def _canonical_condition(condition: ConditionMembers) -> dict[str, JsonValue]:
    [test] = condition.model_fields_set - {"path"}
    if condition.in_ is not None:
        return {"path": condition.path, "in": sorted(condition.in_, key=canonical)}
    return {"path": condition.path, test: getattr(condition, test)}


def _too_long(definition: Definition) -> tuple[Fault, ...]:
    size = len(definition.canonical.encode())
    if size <= MAX_BYTES:
        return ()
    return (Fault("", f"is {size} bytes of canonical JSON. At most {MAX_BYTES} are allowed"),)
