"""YAML read as JSON: no digit changes, no text becomes something else, and everything has its line."""

from __future__ import annotations

import pytest

from chalicelib.core.lossless_json import Number
from retrace.defining.yaml_text import NotYaml, YamlText


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", Number("1.10")),
        ("-0", Number("-0")),
        ("1E+3", Number("1E+3")),
        ("123456789012345678901234567890.5", Number("123456789012345678901234567890.5")),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        *(
            (each, each)
            for each in ("NO", "yes", "on", "1:30", "012", "0x1f", "1_000", ".5", "2026-11-21", ".inf", "True")
        ),
        ('"1.10"', "1.10"),
        ("'true'", "true"),
        ("[a, 1]", ["a", Number("1")]),
        ('{"a": {"b": "é"}}', {"a": {"b": "é"}}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
    ],
)
def test_a_text_is_what_json_would_make_of_it(text: str, value: object) -> None:
    assert YamlText(text).value == value


def test_every_part_has_the_line_that_it_begins_on() -> None:
    text = YamlText("# metrics\nmetrics:\n  - name: a\n    where:\n      - path: /x\n  - name: b\n")

    lines = {
        path: text.line_of(path) for path in ("", "metrics", "metrics.0", "metrics.0.where.0.path", "metrics.1.name")
    }
    assert lines == {"": 2, "metrics": 2, "metrics.0": 3, "metrics.0.where.0.path": 5, "metrics.1.name": 6}
    assert text.line_of("metrics.1.value") == 6
    assert text.line_of("elsewhere") == 2


def test_a_duplicate_key_is_a_fault_of_its_second_line() -> None:
    text = YamlText("a: 1\nb:\n  c: 1\n  c: 2\n")

    assert [(fault.field, fault.message, text.line_of(fault.field)) for fault in text.faults] == [
        ("b.c", "is a duplicate key", 4)
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [\n", 3, "is not YAML"),
        ("a: 1\n\tb: 2\n", 2, "is not YAML"),
        ("a: &x 1\nb: *x\n", 2, "alias"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tag"),
        ("a: 1\n? [1]\n: 2\n", 2, "key that is not a text"),
        ("a:\n" + "[" * 100, 2, "nested deeper"),
        ("a: 1\nb: \x07\n", 2, "is not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "is not YAML"),
        ("[" * 100_000, 1, "nested deeper"),
    ],
)
def test_what_is_not_read_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(NotYaml, match=message) as refused:
        YamlText(text)

    assert refused.value.line == line
