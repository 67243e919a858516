"""Computes metrics over events of files or a query as the processor does, with what each event contributes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.core.calendars import day_in
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.lossless_json import JsonSyntaxError, parse
from chalicelib.core.timestamps import Day
from chalicelib.events.cloudevents import parse_structured
from chalicelib.events.event import Event, parse_native
from chalicelib.metrics.contribution import (
    Contributed,
    Contribution,
    Group,
    NothingToContribute,
    Skipped,
    contributions,
    measured,
)
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import ZERO, Exact
from chalicelib.metrics.metric_kinds import Amount
from chalicelib.metrics.metric_state import REST, MetricState, listed_among, merged, state_of
from retrace.client import Client
from retrace.exporting.events import through_api
from retrace.exporting.selection import of_entity, of_sources
from retrace.ingesting.files import look_at, records
from retrace.ingesting.foreign_formats import Mapped
from retrace.known_names import require_known, require_known_entity
from retrace.output import Json, Output

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Given:
    """An event and what it contributes."""

    event: Event
    contributed: Contributed

    @property
    def order(self) -> tuple[Exact, str]:
        """Bigger amounts are greater."""
        amount = self.contributed.amount if isinstance(self.contributed, Contribution) else ZERO
        return (Exact(abs(amount.coefficient), amount.scale), "") if isinstance(amount, Exact) else (ZERO, amount)


@dataclass(frozen=True, slots=True)
class Crowded:
    """An entity's day with more groups than a version lists."""

    entity_id: str
    day: Day
    groups: int
    listed: int


@dataclass
class Trial:
    """A definition over events that come in parts."""

    definition: Definition
    shown: int
    state: MetricState = field(init=False)
    biggest: list[Given] = field(default_factory=list)
    skipped: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By reason: how many events, and the id of the first."""
    selected: int = 0
    failing: int = 0
    _amounts: dict[Group, list[Amount]] = field(default_factory=dict)
    _days: dict[tuple[str, Day], set[Group]] = field(default_factory=dict)
    """The groups of each entity's day, if the definition groups."""

    def __post_init__(self) -> None:
        self.state = MetricState(self.definition)

    def add(self, events: Sequence[Event]) -> None:
        """Add distinct events."""
        given = [Given(event, found) for event in events if (found := self._contributed(event)) is not None]
        self.selected += len(given)
        part = state_of(self.definition, [(each.event.event_id, each.contributed) for each in given])
        self.state = merged(self.state, part)
        taken = [each for each in given if isinstance(each.contributed, Contribution)]
        self.biggest = heapq.nlargest(self.shown, [*self.biggest, *taken], key=lambda each: each.order)
        if self.definition.group_by:
            for each in taken:
                self._count_group(each)
        for each in given:
            match each.contributed:
                case Skipped() as skipped:
                    count, first = self.skipped.get(str(skipped), (0, each.event.event_id))
                    self.skipped[str(skipped)] = count + 1, first
                case Contribution(group, amount) if self.definition.kind.of_all is not None:
                    self._amounts.setdefault(group, []).append(amount)

    def _count_group(self, given: Given) -> None:
        at = given.event.event_time
        if at is not None and isinstance(given.contributed, Contribution) and given.contributed.group != REST:
            day = day_in(self.definition.time_zone, at)
            self._days.setdefault((given.event.entity_id, day), set()).add(given.contributed.group)

    @property
    def crowded(self) -> list[Crowded]:
        """The days of entities with more groups than a version lists, the worst first."""
        listed = {of: len(listed_among({REST, *groups})) - 1 for of, groups in self._days.items()}
        found = [Crowded(*of, len(groups), listed[of]) for of, groups in self._days.items() if len(groups) > listed[of]]
        return sorted(found, key=lambda each: (-each.groups, each.day, each.entity_id))

    def _contributed(self, event: Event) -> Contributed | None:
        seen = measured(event.event_id, event.event_type, parse(event.text).value)
        try:
            return contributions([self.definition], seen).get(self.definition.sha256)
        except NothingToContribute as error:
            self.failing += 1
            return error.skipped

    @property
    def groups(self) -> list[Json]:
        """The groups and their values, as a version has them."""
        return [self._with_value(each) for each in self.state.members if self._is_shown(each)]

    def _is_shown(self, members: Json) -> bool:
        return bool(members["group"] or members["inputs"] or members["skipped"] or not self.definition.group_by)

    def _with_value(self, members: Json) -> Json:
        of_all = self.definition.kind.of_all
        if of_all is None or not members["inputs"]:
            return members
        group = tuple(members["group"].values())
        amounts = self._amounts[group] if group or not self.definition.group_by else self._of_the_rest()
        return members | {"value": of_all(amounts, self.definition.percentile or ZERO)}

    def _of_the_rest(self) -> list[Amount]:
        listed = self.state.groups.keys() - {REST}
        return [amount for group, amounts in self._amounts.items() if group not in listed for amount in amounts]


class Trials:
    """Definitions over events at hand, each of which counts once."""

    def __init__(self, definitions: Iterable[Definition], shown: int) -> None:
        self.trials = [Trial(definition, shown) for definition in definitions]
        self.events = 0
        self.duplicates = 0
        self._seen = set[bytes]()
        self._part: list[Event] = []

    def add(self, text: bytes) -> Fault | None:
        """Add an event; answers the first fault of one that ingest would refuse."""
        try:
            event = _event_of(text)
        except InvalidRequest as error:
            return error.faults[0] if error.faults else Fault("", str(error))
        self.events += 1
        identity = bytes.fromhex(event.event_id)
        if identity in self._seen:
            self.duplicates += 1
            return None
        self._seen.add(identity)
        self._part.append(event)
        if len(self._part) == _AT_ONCE:
            self.finish()
        return None

    def finish(self) -> None:
        """Add what is left of the last part."""
        for trial in self.trials:
            trial.add(self._part)
        self._part = []


def _event_of(text: bytes) -> Event:
    try:
        json = parse(text.decode())
    except (UnicodeDecodeError, JsonSyntaxError) as error:
        raise InvalidRequest("", (Fault("", f"is not JSON: {error}"),)) from error
    is_cloudevent = isinstance(json.value, dict) and "specversion" in json.value
    return parse_structured(json) if is_cloudevent else parse_native(json)


_FAULTS_SHOWN = 5


def of_files(names: Sequence[str], trials: Trials, output: Output) -> None:
    """Add the events of files, as `retrace ingest` reads them. What it would refuse is noted and left out."""
    refused = 0
    for file in [look_at(name) for name in names]:
        with file.opened() as content:
            for record in records(file.name, content, None, Mapped()):
                fault = record.fault or trials.add(record.text)
                if fault is not None:
                    refused += 1
                    if refused <= _FAULTS_SHOWN:
                        output.note(f"{file.name}:{record.line} is left out: {fault.field} {fault.message}".strip())
    if refused > _FAULTS_SHOWN:
        output.note(f"{refused} events were left out, as ingest would refuse them.")


def of_query(
    client: Client,
    entity: str | None,
    source: str | None,
    types: Sequence[str],
    when: Mapping[str, str | None],
    trials: Trials,
    output: Output,
) -> None:
    """Add the stored events of an entity or a source. What cannot be read or fails its hash is noted and left out.

    Raises Problem if there are none, and the entity, the source or a type is unknown.
    """
    found = False
    parts = of_sources(client, source, types, when) if entity is None else of_entity(entity, source, types, when)
    for query in (query for part in parts for query in part.queries):
        for fetched in through_api(client, {**query, "limit": "1000"}, None):
            found = True
            fault = fetched.fault or (trials.add(fetched.text) if fetched.text is not None else "has no text")
            if fault is not None:
                output.note(f"{fetched.metadata['event_id']} is left out: {fault}")
    if not found:
        require_known(client, source, *types)
        require_known_entity(client, entity)
