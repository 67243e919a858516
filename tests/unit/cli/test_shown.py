"""What commands show: text that stays text, JSON that stays JSON, tables that fit."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrace.json_layout import indented
from retrace.output import (
    ROWS_A_TABLE,
    Column,
    Output,
    bar,
    duration,
    escaped,
    printable,
    short_time,
    sparkline,
)

NASTY = "\x1b[31mred\x1b]0;title\x07 [bold]x[/bold] :smile: \u009b2J \u202eesrever \r\t\x7f"
JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def columns(*names: str) -> list[Column]:
    return [Column(name, lambda item, name=name: item[name]) for name in names]  # type: ignore[misc]  # a default binds it


@given(st.text())
def test_what_is_printable_moves_no_cursor(text: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in printable(text))


def test_text_from_outside_begins_no_row_of_its_own() -> None:
    terminal = Terminal()
    output = Output(out=terminal)

    output.rows([{"a": "real\nforged", "b": "x"}], columns("a", "b"), "")
    output.facts([("name", "real\nforged")])

    assert not any(line.strip().startswith("forged") for line in terminal.getvalue().splitlines())
    assert terminal.getvalue().count("real\\nforged") == 2


def test_nothing_in_a_table_is_taken_for_markup_or_control() -> None:
    terminal = Terminal()
    Output(out=terminal, as_json=False).rows([{"entity": NASTY}], columns("entity"), "")
    without_style = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue().split("\n", 2)[2])

    assert all(char.isprintable() or char == "\n" for char in without_style)
    assert "[bold]x[/bold] :smile:" in without_style
    assert "\\x1b[31mred" in without_style


def test_remarks_and_facts_are_text_too() -> None:
    out, err = Terminal(), StringIO()
    output = Output(out=out, err=err, as_json=False)
    output.say(NASTY)
    output.facts([("name", NASTY)])
    output.note(NASTY)

    for text in (out.getvalue(), err.getvalue()):
        assert "[bold]x[/bold] :smile:" in text
        assert not {"\x07", "\u009b", "\u202e", "\r", "\x7f"} & set(text)


@given(JSON)
def test_a_line_of_json_is_the_same_value_and_safe_to_show(value: object) -> None:
    out = StringIO()
    Output(out=out, as_json=True).json(value)
    line = out.getvalue().removesuffix("\n")

    assert line.isprintable()
    assert json.loads(line) == value


def test_json_keeps_letters_and_escapes_what_a_terminal_acts_on() -> None:
    assert escaped('"Łódź \u009b2J \U000e0001"') == '"Łódź \\u009b2J \\udb40\\udc01"'


@given(JSON)
def test_indented_json_is_the_same_value(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert json.loads(indented(text)) == value


def test_numbers_stay_as_they_were_written() -> None:
    text = '{"a":[1.10,1E+2,-0.0, 123456789012345678901234567890],"b":{},"c" : [ ],"d":"x\\"{\\\\","e":[{"f":null}]}'

    assert indented(text) == (
        '{\n  "a": [\n    1.10,\n    1E+2,\n    -0.0,\n    123456789012345678901234567890\n  ],\n  "b": {},\n'
        '  "c": [],\n  "d": "x\\"{\\\\",\n  "e": [\n    {\n      "f": null\n    }\n  ]\n}'
    )


def test_piped_output_is_json_a_line_and_a_terminal_shows_tables() -> None:
    items = [{"a": 1}, {"a": 2}]
    piped, terminal = StringIO(), Terminal()

    assert Output(out=piped).rows(items, columns("a"), "") == 2
    assert Output(out=terminal).rows(items, columns("a"), "") == 2
    assert piped.getvalue() == '{"a":1}\n{"a":2}\n'
    assert "a" in terminal.getvalue().splitlines()[0]
    assert "{" not in terminal.getvalue()


def test_a_table_in_a_pipe_keeps_each_item_on_its_line() -> None:
    piped = StringIO()
    Output(out=piped, as_json=False).rows([{"a": "x" * 300, "b": "y" * 300}], columns("a", "b"), "")

    assert len(piped.getvalue().splitlines()) == 3


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_an_id_is_never_broken_apart_however_narrow_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    item = {"id": "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f57", "entity": "order-" + "7" * 40, "why": "some words " * 20}
    wanted = [Column(name, lambda item, name=name: item[name], whole=name != "why") for name in item]  # type: ignore[misc]
    terminal = Terminal()

    Output(out=terminal).rows([item], wanted, "")

    assert item["id"] in terminal.getvalue()
    assert item["entity"] in terminal.getvalue()
    assert terminal.getvalue().count("words") == 20


@pytest.mark.parametrize("as_json", [True, False])
def test_an_empty_list_is_explained_beside_the_results(*, as_json: bool) -> None:
    out, err = StringIO(), StringIO()

    assert Output(out=out, err=err, as_json=as_json).rows([], columns("a"), "Nothing came.") == 0
    assert (out.getvalue(), err.getvalue()) == ("", "Nothing came.\n")


def test_a_long_list_is_shown_before_it_ends() -> None:
    out = StringIO()
    shown_before_the_end = 0

    def items() -> object:
        nonlocal shown_before_the_end
        yield from ({"a": n} for n in range(ROWS_A_TABLE))
        yield {"a": "last"}
        shown_before_the_end = len(out.getvalue())

    Output(out=out, as_json=False).rows(items(), columns("a"), "")  # type: ignore[arg-type]  # a generator

    assert shown_before_the_end > ROWS_A_TABLE


def test_a_long_remark_stays_on_its_line_so_that_commands_in_it_can_be_copied() -> None:
    out, err = StringIO(), StringIO()
    output = Output(out=out, err=err, as_json=False)
    output.note("word " * 100)
    output.say("word " * 100)

    assert out.getvalue().count("\n") == err.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0ms"), (999, "999ms"), (1_000, "1s"), (61_000, "1m 1s"), (3_600_000, "1h"), (-90_000_000, "-1d 1h")],
)
def test_a_duration_is_told_in_two_units(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


def test_instants_are_shown_to_the_millisecond() -> None:
    assert short_time("2026-11-21T23:59:59.123456789Z") == "2026-11-21 23:59:59.123"
    assert short_time("2026-11-21T23:59:59.000000000Z") == "2026-11-21 23:59:59"


@given(st.lists(st.integers(0, 1_000), max_size=50))
def test_pictures_have_the_size_they_should(values: list[int]) -> None:
    assert len(sparkline(values)) == len(values)
    assert all(len(bar(value, max(values), 10)) <= 10 for value in values)
    assert all(bool(bar(value, max(values))) == (value > 0) for value in values)
