"""Reads YAML as JSON: keeps numbers as written, refuses surprises of YAML 1.1, and knows the line of each value.

`NO` is a text and `1:30` too. Only what JSON has as a number, true, false or null is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from chalicelib.core.errors import Fault
from chalicelib.core.lossless_json import JsonValue, Number

MAX_DEPTH = 32

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}

Lines = dict[str, int]
"""Line numbers by path, such as `metrics.0.where.1.path`. The whole is the empty path."""


class NotYaml(ValueError):
    """A text is not YAML, or uses what is not read here; `line` says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class YamlText:
    """A YAML text: its value, the line of every part, and duplicate keys as faults."""

    def __init__(self, text: str) -> None:
        self.lines: Lines = {}
        self.faults: list[Fault] = []
        self.value = self._value(_root(text), "")

    def line_of(self, path: str) -> int:
        """The line of a part, or if it is not there, of what would contain it."""
        while path not in self.lines and path:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)

    def _value(self, node: yaml.Node | None, path: str) -> JsonValue:
        if node is None:
            return None
        self.lines.setdefault(path, _line(node.start_mark))
        match node:
            case yaml.MappingNode():
                return dict(self._members(node, path))
            case yaml.SequenceNode():
                return [self._value(each, _within(path, str(at))) for at, each in enumerate(node.value)]
            case yaml.ScalarNode():
                return _scalar(node)
        raise TypeError(f"no node of YAML: {node}")

    def _members(self, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, JsonValue]]:
        seen = set[str]()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise NotYaml("has a key that is not a text", _line(key.start_mark))
            inner = _within(path, key.value)
            if key.value in seen:
                self.faults.append(Fault(inner, "is a duplicate key"))
            seen.add(key.value)
            self.lines[inner] = _line(key.start_mark)
            yield key.value, self._value(value, inner)


def _root(text: str) -> yaml.Node | None:
    """The nodes of a text. Aliases are refused before: they could make a small file endless."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise NotYaml(f"is nested deeper than {MAX_DEPTH} levels", _line(event.start_mark))
            if isinstance(event, yaml.AliasEvent):
                raise NotYaml("uses an alias (*), which is not supported", _line(event.start_mark))
            if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
                raise NotYaml("uses a tag (!), which is not supported", _line(event.start_mark))
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(f"is not YAML: {error.problem}", 1 if mark is None else _line(mark)) from error
    except yaml.reader.ReaderError as error:
        raise NotYaml(f"is not YAML: {error.reason}", text.count("\n", 0, error.position) + 1) from error


def _scalar(node: yaml.ScalarNode) -> JsonValue:
    text = str(node.value)
    if node.style is not None:  # it is quoted
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return Number(text) if _NUMBER.fullmatch(text) else text


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _line(mark: Any) -> int:
    return int(mark.line) + 1
