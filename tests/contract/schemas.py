"""Compares two versions of a JSON Schema, and names every change that is not an addition.

What a caller sends may become wider: optional members, values, forms. What a caller receives may get further members
and values, and nothing that is there may go, or become optional, null or of another form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Faults = Iterator[str]

_WORDS = frozenset({"description", "title", "summary", "examples", "example", "$schema", "$defs", "$id", "deprecated"})
"""What is for readers, and changes nothing that is sent."""
_COMPARED = frozenset(
    {"type", "enum", "const", "properties", "required", "items", "anyOf", "oneOf", "additionalProperties", "default"}
)
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def faults(old: Json, new: Json, *, sent: bool) -> list[str]:
    """What a new schema takes away from an old one, or changes in it; `sent` if it is of what a caller sends."""
    return list(Comparison(old, new).schemas("", old, new, sent=sent))


@dataclass
class Comparison:
    """Two documents, whose references are followed each in its own."""

    old: Json
    new: Json
    seen: set[tuple[str, str, bool]] = field(default_factory=set)

    def schemas(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        """What is wrong with a new schema."""
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"], sent)
            if pair in self.seen:
                return
            self.seen.add(pair)
        yield from same("default", old, new, place) if sent else ()
        forms, found = _forms(old, self.old), _forms(new, self.new)
        if len(forms) == len(found) == 1:
            yield from self._one_form(place, forms[0], found[0], sent=sent)
            return
        named = {_named(one): one for one in found}
        for was in forms:
            if _named(was) in named:
                yield from self._one_form(place, was, named[_named(was)], sent=sent)
            elif not any(self._fits(was, one, sent=sent) for one in found):
                yield f"{place}: {_named(was)} is gone"
        known = set(map(_named, forms))
        for one in found if not sent else ():
            if _named(one) not in known and not any(self._fits(was, one, sent=sent) for was in forms):
                yield f"{place}: {_named(one)} is a new form"

    def _fits(self, old: Json, new: Json, *, sent: bool) -> bool:
        tried = Comparison(self.old, self.new, set(self.seen))
        return next(tried.schemas("", old, new, sent=sent), None) is None

    def _one_form(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        old, new = followed(old, self.old), followed(new, self.new)
        yield from self._types(place, old, new, sent=sent)
        yield from self._values(place, old, new, sent=sent)
        yield from self._members(place, old, new, sent=sent)
        if "items" in old or "items" in new:
            yield from self.schemas(f"{place}[]", old.get("items", {}), new.get("items", {}), sent=sent)
        yield from self._further_members(place, old, new, sent=sent)
        yield from _bounds(place, old, new, sent=sent)
        others = (old.keys() | new.keys()) - _WORDS - _COMPARED - {*_LOWER, *_UPPER, "$ref"}
        for name in sorted(others):
            yield from same(name, old, new, place)

    def _types(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        before, after = _types(old), _types(new)
        if not (_cover(after, before) if sent else _cover(before, after)):
            yield f"{place}: was {_listed(before)}, is {_listed(after)}"

    def _values(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        before, after = _values(old), _values(new)
        if before is None:
            yield from [f"{place}: takes only {_listed(after)}"] if after is not None and sent else []
        elif after is None:
            yield from [] if sent else [f"{place}: is no longer one of {_listed(before)}"]
        else:
            yield from (f"{place}: {value} is gone" for value in before if value not in after)

    def _members(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, now_needed = set(old.get("required", ())), set(new.get("required", ()))
        for name, was in before.items():
            at = f"{place}.{name}"
            if name not in after:
                yield f"{at}: is gone"
                continue
            if sent and name in now_needed - needed:
                yield f"{at}: is now required"
            if not sent and name in needed - now_needed:
                yield f"{at}: may now be absent"
            yield from self.schemas(at, was, after[name], sent=sent)
        if sent:
            yield from (f"{place}.{name}: is new and required" for name in sorted(now_needed - needed - before.keys()))

    def _further_members(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.schemas(f"{place}.*", before, after, sent=sent)
        elif before != after and not (before is False and sent) and not (isinstance(before, bool) and not sent):
            yield f"{place}.*: other members were {_allowed(before)}, are {_allowed(after)}"


def same(name: str, old: Json, new: Json, place: str = "") -> Faults:
    """A fault if a member is not the same."""
    if old.get(name) != new.get(name):
        yield f"{place} {name}: was {old.get(name)}, is {new.get(name)}".strip()


def followed(schema: Json, document: Json) -> Json:
    """What a reference refers to; words beside it change nothing."""
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        schema = {**found, **{name: value for name, value in schema.items() if name not in _WORDS | {"$ref"}}}
    return schema


def _forms(schema: Json, document: Json) -> list[Json]:
    """The alternatives of a schema; itself if it has none. What stands beside them holds for each."""
    whole = followed(schema, document)
    alternatives = whole.get("anyOf") or whole.get("oneOf")
    if alternatives is None:
        return [schema]
    beside = {name: value for name, value in whole.items() if name not in {"anyOf", "oneOf", "default"} | _WORDS}
    return [{**beside, **one} for each in alternatives for one in _forms(each, document)]


def _types(schema: Json) -> frozenset[str]:
    found = schema.get("type", ())
    return frozenset([found] if isinstance(found, str) else found)


def _cover(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    """Whether all of one type is of another. None is any, and an integer is a number, too."""
    return not wide or (bool(narrow) and narrow <= (wide | {"integer"} if "number" in wide else wide))


def _values(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found: list[Any] | None = schema.get("enum")
    return found


def _bounds(place: str, old: Json, new: Json, *, sent: bool) -> Faults:
    """What is sent may be bounded less, what is received not."""
    for names, stricter in ((_LOWER, float.__gt__), (_UPPER, float.__lt__)):
        for name in names:
            before, after = (old.get(name), new.get(name)) if sent else (new.get(name), old.get(name))
            if _is_stricter(after, before, stricter):
                yield f"{place}: {name} was {old.get(name, 'none')}, is {new.get(name, 'none')}"


def _is_stricter(one: float | None, other: float | None, stricter: Callable[[float, float], bool]) -> bool:
    return one is not None and (other is None or stricter(float(one), float(other)))


def _listed(values: Any) -> str:
    return " or ".join(sorted(map(str, values))) or "anything"


def _named(schema: Json) -> str:
    """What a form is called beside others."""
    return str(schema.get("$ref", "").rpartition("/")[2] or schema.get("type") or schema.get("const") or "a form")


def _allowed(further: Any) -> str:
    return "refused" if further is False else "allowed" if further is True else "described"
