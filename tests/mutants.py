"""Mutants of the pure modules: one expression made wrong, which the fast unit tests are to notice.

tests/e2e/test_mutants.py draws some of them at random.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.copied_project import ROOT, run_tests

_PACKAGES = (
    "core",
    "events",
    "digests",
    "ingest",
    "replays",
    "quarantine",
    "aggregates",
    "search",
    "sources",
    "processing",
)
_NOT_RULES = re.compile(r"__init__|ports|responses|schemas|(dynamodb|kms|s3|secretsmanager|sqs)(_\w+)?")
_OF_STORAGE = re.compile(r"(?!search).+/use_cases|authentication|dead_letters|fetcher|worker|writer")
"""What these promise depends on storage, which the fast unit tests do not have."""

PURE = sorted(
    path
    for package in _PACKAGES
    for path in (ROOT / "chalicelib" / package).glob("*.py")
    if not _NOT_RULES.fullmatch(path.stem)
    and not _OF_STORAGE.fullmatch(path.stem if path.stem != "use_cases" else f"{package}/use_cases")
)

_READ_SOURCE = {"test_architecture.py", "test_breaks.py", "test_docs.py"}
"""Tests that any change of the code's text may turn red."""
_OF_OTHERS = {"cli", "embedded", "infra", "release"}

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    one: other
    for pair in [
        (ast.Lt, ast.LtE),
        (ast.Gt, ast.GtE),
        (ast.Eq, ast.NotEq),
        (ast.In, ast.NotIn),
        (ast.Is, ast.IsNot),
        (ast.And, ast.Or),
        (ast.Add, ast.Sub),
        (ast.Mult, ast.FloorDiv),
    ]
    for one, other in (pair, pair[::-1])
}
_RENAMED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LEFT_ALONE = ("annotation", "returns", "decorator_list", "type_params")


@dataclass(frozen=True)
class Mutant:
    """A module with one expression replaced."""

    path: Path
    line: int
    right: str
    wrong: str
    source: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.right} → {self.wrong}"


def mutants(path: Path, source: bytes) -> Iterator[Mutant]:
    """Every mutant of a module."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _expressions(ast.parse(source)):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        for other in _wrong(node):
            text = ast.unparse(other) if isinstance(other, ast.Constant | ast.Name) else f"({ast.unparse(other)})"
            changed = source[:begin] + text.encode() + source[end:]
            yield Mutant(path, node.lineno, source[begin:end].decode(), text, changed.decode())


def noticed(mutant: Mutant, project: Path) -> bool:
    """Whether the fast unit tests fail in a copy of the project that has the mutant."""
    place = project / mutant.path.relative_to(ROOT)
    before = place.read_text()
    place.write_text(mutant.source)
    try:
        return not all(pass_in(project, tests) for tests in fast_tests(mutant.path))
    finally:
        place.write_text(before)


def pass_in(project: Path, tests: Sequence[str]) -> bool:
    """Whether the fast ones of these tests, of which there may be none, pass in a copy of the project."""
    outcome = run_tests(project, "-x", "-m", "not long", "--hypothesis-profile=quick", *tests)
    return not outcome.failures and not outcome.errors


def fast_tests(module: Path) -> list[list[str]]:
    """The unit tests of the application: those that import the module, and the others."""
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    found = [(path, path.read_text()) for path in sorted((ROOT / "tests/unit").rglob("test_*.py"))]
    of_application = [
        (path, text)
        for path, text in found
        if "chalicelib" in text and path.name not in _READ_SOURCE and path.parent.name not in _OF_OTHERS
    ]
    nearness = {str(path.relative_to(ROOT)): f"{name} import" in text for path, text in of_application}
    groups = [[path for path, near in nearness.items() if near is wanted] for wanted in (True, False)]
    return [group for group in groups if group]


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Those that may be made wrong: none of a type, a message or a docstring."""
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.expr):
        yield node
    for name, value in ast.iter_fields(node):
        if name not in _LEFT_ALONE:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _expressions(child)


def _wrong(node: ast.expr) -> Iterator[ast.expr]:  # noqa: C901  # one case for each kind of expression
    match node:
        case ast.Compare(left, ops, comparators):
            for at, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:at], _other(op), *ops[at + 1 :]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(_other(op), values)
        case ast.BinOp(left, op, right) if type(op) in _SWAPPED:
            yield ast.BinOp(left, _other(op), right)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(str(value)) if " " not in value:
            yield ast.Constant(f"{value}x")
        case ast.Name(name) if name in _RENAMED:
            yield ast.Name(_RENAMED[name])


def _other(op: ast.AST) -> Any:
    return _SWAPPED[type(op)]()
