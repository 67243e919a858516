"""Finds contradictions between members of a definition that are each valid alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import permutations

from chalicelib.core.errors import Fault
from chalicelib.metrics.exact_number import Exact, exact_of
from chalicelib.metrics.json_pointer import Pointer, parse_pointer
from chalicelib.metrics.members import Condition, DefinitionMembers, condition_of
from chalicelib.metrics.metric_kinds import KINDS, Takes
from chalicelib.metrics.scalars import Scalar

_NULL: frozenset[Scalar] = frozenset([None])


def contradictions(members: DefinitionMembers, unknown: Collection[str] = ()) -> Iterator[Fault]:
    """Every fault between members. What consults `unknown` ones, which are wrong by themselves, is left out."""
    for consulted, rule in _RULES.items():
        if not consulted & {*unknown}:
            yield from rule(members)


def _value_and_aggregate(members: DefinitionMembers) -> Iterator[Fault]:
    takes = KINDS[members.aggregate].takes
    if takes is Takes.NOTHING and members.value is not None:
        yield Fault("value", f"is not taken by {members.aggregate}: to count events that have it, use where and exists")
    if takes is not Takes.NOTHING and members.value is None:
        yield Fault("value", f"is needed by {members.aggregate}: a JSON Pointer such as /amount")


def _parse_and_aggregate(members: DefinitionMembers) -> Iterator[Fault]:
    if members.parse is not None and KINDS[members.aggregate].takes is not Takes.NUMBERS:
        yield Fault("parse", f"is not taken by {members.aggregate}, which reads no numbers")


def _percentile_and_aggregate(members: DefinitionMembers) -> Iterator[Fault]:
    if (members.aggregate == "percentile") != (members.percentile is not None):
        needs = "is needed by percentile" if members.percentile is None else f"is not taken by {members.aggregate}"
        yield Fault("percentile", f'{needs}: a number above 0 and at most 100, such as "99.9"')


def _filters(members: DefinitionMembers) -> Iterator[Fault]:
    conditions = [*map(condition_of, members.where)]
    for path, values in _allowed(conditions).items():
        if not values:
            yield Fault("where", f"asks {_shown(path)} for values that no event has at once")
    found = [each.path for each in conditions if each.values is not None or each.exists]
    yield from _never_found(conditions, "where", found)


def _filters_and_value(members: DefinitionMembers) -> Iterator[Fault]:
    if members.value is None:
        return
    conditions = [*map(condition_of, members.where)]
    value = parse_pointer(members.value)
    yield from _never_found(conditions, "value", [value])
    takes, allowed = KINDS[members.aggregate].takes, _allowed(conditions).get(value)
    if takes is Takes.NUMBERS and allowed and not any(_is_number(each, members) for each in allowed):
        yield Fault("value", f"is not a number in any event that where selects by {_shown(value)}")
    if takes is Takes.SCALARS and allowed == _NULL:
        yield Fault("value", f"is null in each event that where selects by {_shown(value)}")


def _is_number(found: Scalar, members: DefinitionMembers) -> bool:
    as_text = members.parse is not None and isinstance(found, str)
    return isinstance(exact_of(str(found)) if as_text else found, Exact)


def _filters_and_groups(members: DefinitionMembers) -> Iterator[Fault]:
    conditions, groups = [*map(condition_of, members.where)], [*map(parse_pointer, members.group_by)]
    yield from _never_found(conditions, "group_by", groups)
    for path in groups:
        if _allowed(conditions).get(path) == _NULL:
            yield Fault("group_by", f"needs {_shown(path)}, which where asks to be null")


def _groups(members: DefinitionMembers) -> Iterator[Fault]:
    for path in sorted({path for path in members.group_by if members.group_by.count(path) > 1}):
        yield Fault("group_by", f"names {_shown(parse_pointer(path))} twice")
    if "" in members.group_by:
        yield Fault("group_by", "is unbounded: the whole payload would be a group for each event")
    else:
        yield from _within(permutations(map(parse_pointer, members.group_by), 2))


def _groups_and_value(members: DefinitionMembers) -> Iterator[Fault]:
    if members.value is None or "" in members.group_by:
        return
    if members.value in members.group_by:
        yield Fault("group_by", f"is unbounded: {members.value} is also the value, so each value would be a group")
    value = parse_pointer(members.value)
    for group in map(parse_pointer, members.group_by):
        yield from _within(((value, group), (group, value)))


def _within(pairs: Iterable[tuple[Pointer, ...]]) -> Iterator[Fault]:
    """Paths that lead through one where a text or number must be."""
    for path, single in pairs:
        if path.leads_through(single):
            yield Fault(
                "group_by", f"needs {path.text}, which is within the single value {_shown(single)}. Leave one out"
            )


def _never_found(conditions: Sequence[Condition], field: str, paths: Iterable[Pointer]) -> Iterator[Fault]:
    """Paths at which no event that meets the conditions has anything."""
    absent = [each.path for each in conditions if each.values is None and not each.exists]
    single = [each.path for each in conditions if each.values is not None]
    for path in dict.fromkeys(paths):
        if any(path == each or path.leads_through(each) for each in absent):
            yield Fault(field, f"needs {_shown(path)}, which where asks not to be there")
        if any(path.leads_through(each) for each in single):
            yield Fault(field, f"needs {_shown(path)}, which is within what where asks to be a single value")


def _allowed(conditions: Iterable[Condition]) -> dict[Pointer, frozenset[Scalar]]:
    """The values that events may have at each path, if conditions name any."""
    allowed: dict[Pointer, frozenset[Scalar]] = {}
    for each in conditions:
        if each.values is not None:
            allowed[each.path] = each.values & allowed.get(each.path, each.values)
    return allowed


def _shown(path: Pointer) -> str:
    return path.text or "the payload"


_RULES: Mapping[frozenset[str], Callable[[DefinitionMembers], Iterator[Fault]]] = {
    frozenset({"value", "aggregate"}): _value_and_aggregate,
    frozenset({"parse", "aggregate"}): _parse_and_aggregate,
    frozenset({"percentile", "aggregate"}): _percentile_and_aggregate,
    frozenset({"where"}): _filters,
    frozenset({"where", "value", "aggregate", "parse"}): _filters_and_value,
    frozenset({"where", "group_by"}): _filters_and_groups,
    frozenset({"group_by"}): _groups,
    frozenset({"group_by", "value"}): _groups_and_value,
}
"""Rules by the members that they consult."""
