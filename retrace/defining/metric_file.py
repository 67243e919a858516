"""Reads files of metrics in YAML or JSON (`metrics`, a list of definitions), and shows each fault with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.lossless_json import JsonText, JsonValue
from chalicelib.metrics.definition import BUILT_IN, Definition, definition_of
from retrace.defining.yaml_text import NotYaml, YamlText
from retrace.output import Output
from retrace.problem import Exit, Problem

MAX_BYTES = 500_000
_MEMBER = "metrics"


def definitions_in(name: str, output: Output) -> list[Definition]:
    """The definitions of a file, in its order; raises Problem after it noted every fault."""
    text = _read(name)
    try:
        yaml = YamlText(text)
    except NotYaml as error:
        raise Problem(f"{name}:{error.line} {error}.", "Correct it.", Exit.USAGE) from error
    definitions, faults = _checked(yaml)
    if not faults:
        return definitions
    lines = sorted({(yaml.line_of(fault.field), fault.field, fault.message) for fault in faults})
    for line, field, message in lines:
        output.note(f"{name}:{line} {field} {message}".replace("  ", " "), style="")
    raise Problem(f"{name} has {len(lines)} faults." if len(lines) > 1 else f"{name} has a fault.", _REMEDY, Exit.USAGE)


_REMEDY = "Correct it, and run the command again. docs/metrics.md says what a definition has."


def _read(name: str) -> str:
    try:
        with Path(name).open("rb") as content:
            found = content.read(MAX_BYTES + 1)
        if len(found) > MAX_BYTES:
            raise Problem(f"{name} has more than {MAX_BYTES:,} bytes.", "Name a file of definitions.", Exit.USAGE)
        return found.decode("utf-8-sig")
    except OSError as error:
        raise Problem(f"{name} cannot be read: {error.strerror}.", "Check the path.", Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise Problem(f"{name} is not UTF-8.", "Save it as UTF-8.", Exit.USAGE) from error


def _checked(yaml: YamlText) -> tuple[list[Definition], list[Fault]]:
    listed = yaml.value.get(_MEMBER) if isinstance(yaml.value, dict) else None
    faults = [*yaml.faults, *_of_the_whole(yaml.value)]
    if not isinstance(listed, list):
        return [], [*faults, Fault(_MEMBER, "must be a list of definitions")]
    definitions: list[Definition] = []
    for at, each in enumerate(listed):
        try:
            definitions.append(definition_of(JsonText("", each, ())))
        except InvalidRequest as error:
            faults += [Fault(f"{_MEMBER}.{at}.{fault.field}".rstrip("."), fault.message) for fault in error.faults]
    return definitions, [*faults, *_of_names(listed)]


def _of_the_whole(value: JsonValue) -> Iterator[Fault]:
    if isinstance(value, dict):
        yield from (Fault(name, "is not known: the file has `metrics`") for name in value if name != _MEMBER)


def _of_names(listed: Sequence[JsonValue]) -> Iterator[Fault]:
    names = [each.get("name") if isinstance(each, dict) else None for each in listed]
    counts = Counter(name for name in names if isinstance(name, str))
    built_in = {definition.name for definition in BUILT_IN}
    for at, name in enumerate(names):
        if isinstance(name, str) and counts[name] > 1:
            yield Fault(f"{_MEMBER}.{at}.name", f"{name} is the name of {counts[name]} definitions")
        if name in built_in:
            yield Fault(f"{_MEMBER}.{at}.name", f"{name} is built in")
