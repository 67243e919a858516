"""Mutants are what they are said to be: one expression of the code is wrong, and nothing that only people read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants import PURE, fast_tests, mutants


def wrong(source: str) -> list[str]:
    return [mutant.source for mutant in mutants(PURE[0], source.encode())]


@pytest.mark.parametrize(
    ("right", "mutated"),
    [
        ("a < b", ["(a <= b)"]),
        ("a < b != c", ["(a <= b != c)", "(a < b == c)"]),
        ("x = 'é' and max(a)", ["x = ('é' or max(a))", "x = 'éx' and max(a)", "x = 'é' and min(a)"]),
        ("a + b", ["(a - b)"]),
        ("not a", ["a"]),
        ("a if b else c", ["(c if b else a)"]),
        ("f(True, 1, 0.5)", ["f(False, 1, 0.5)", "f(True, 2, 0.5)", "f(True, 1, 1.5)"]),
    ],
)
def test_every_expression_is_made_wrong_in_turn(right: str, mutated: list[str]) -> None:
    assert wrong(right) == mutated


@pytest.mark.parametrize(
    "text",
    [
        '"""A docstring."""',
        'raise ValueError("x", 1)',
        'f"{a + 1}"',
        "def f(a: Literal[1]) -> Literal[2]: ...",
        "a: Annotated[int, Field(le=3)]",
        "x = 'a message for people'",
    ],
)
def test_types_and_what_people_read_is_left_alone(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_mutants_of_the_pure_modules_are_programs_and_differ_from_what_is_right(path: Path) -> None:
    source = path.read_bytes()
    right = ast.dump(ast.parse(source))

    assert all(ast.dump(ast.parse(mutant.source)) != right for mutant in mutants(path, source))


def test_tests_of_a_module_come_before_the_others() -> None:
    [index_pages] = [path for path in PURE if path.name == "index_pages.py"]

    near, far = fast_tests(index_pages)

    assert "tests/unit/events/test_index_pages.py" in near
    assert "tests/unit/aggregates/test_outcomes.py" in far
    assert not {"tests/unit/test_breaks.py", "tests/unit/test_architecture.py"} & {*near, *far}
