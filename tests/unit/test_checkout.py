"""Tests know only the checkout: what lies beside it, and the environment they are started in, change no result.

Each rule reads one module of the tests and names what offends it, and is held against snippets that must offend it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import SWITCHES

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts)

OUTSIDE = re.compile(r"(~|/(?!proc\b))|(.*/)?\.\.(/|$)", re.DOTALL)
"""A path that may lead out of the checkout: absolute, of a home directory, or upwards. /proc is no place of files."""
OF_SOME_MACHINE = re.compile(r"(/home|/root|/tmp|/var|/srv|/mnt|/work|/Users|[A-Z]:\\)\b")
PLACES_OF_A_PROCESS = {"Path.home", "Path.cwd", "os.getcwd", "os.path.expanduser", "tempfile.gettempdir"}
TAKE_PATHS = {"Path", "open", "joinpath", "glob", "rglob", "chdir", "read", "relative_to", "with_name"}
READERS = {"os.environ.get", "os.environ.pop", "os.environ.setdefault", "os.getenv"}

Rule = Callable[[ast.Module, int], Iterator[str]]
"""What offends in a module that lies so many folders below the root of the checkout."""


def names_no_folder_above_the_checkout(module: ast.Module, depth: int) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.Subscript(value=ast.Attribute(value=place, attr="parents"), slice=ast.Constant(value=int(up))):
                if ast.unparse(place) != "Path(__file__)" or up > depth:
                    yield ast.unparse(node)
            case ast.Attribute(value=ast.Name(id=name), attr="parent" | "parents") if name.isupper():
                yield ast.unparse(node)
            case ast.Attribute(value=ast.Attribute(attr="parent"), attr="parent"):
                yield ast.unparse(node)


def joins_only_what_is_below(module: ast.Module, _: int) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.BinOp(op=ast.Div(), right=part):
                yield from filter(OUTSIDE.match, _texts(part))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in TAKE_PATHS:
                yield from (text for arg in args for text in filter(OUTSIDE.match, _texts(arg)))


def names_no_folder_of_a_machine(module: ast.Module, _: int) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and OF_SOME_MACHINE.match(node.value):
            yield node.value
        if isinstance(node, ast.Attribute) and (ast.unparse(node) in PLACES_OF_A_PROCESS or node.attr == "expanduser"):
            yield ast.unparse(node)


def reads_only_known_variables(module: ast.Module, _: int) -> Iterator[str]:
    known = {*SWITCHES, "PATH"}
    for node in ast.walk(module):
        match node:
            case ast.ImportFrom(module="os", names=names):
                yield from (alias.name for alias in names if alias.name in {"environ", "getenv"})
            case ast.Subscript(value=place, slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                yield from [name] if ast.unparse(place) == "os.environ" and name not in known else []
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[place]):
                yield from [name] if ast.unparse(place) == "os.environ" and name not in known else []
            case ast.Call(func=reader, args=[ast.Constant(value=str(name)), *_]):
                yield from [name] if ast.unparse(reader) in READERS and name not in known else []


def _texts(node: ast.AST) -> Iterator[str]:
    """A literal text; of a formatted one, with something in place of each value."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(text for value in values for text in [*_texts(value), "x"][:1])


RULES: dict[Rule, list[str]] = {
    names_no_folder_above_the_checkout: [
        "Path(__file__).parents[3]",
        "ROOT.parent / 'data'",
        "ROOT.parents[0]",
        "Path(__file__).parent.parent.parent.parent",
        "(ROOT / 'tests').parents[1]",
    ],
    joins_only_what_is_below: [
        "ROOT / '..' / 'data'",
        "ROOT / '../data'",
        "ROOT / f'tests/../../{name}'",
        "Path('../data').exists()",
        "open('/data/events.ndjson')",
        "ROOT.joinpath('~/events.ndjson')",
        "ROOT.glob('../*')",
    ],
    names_no_folder_of_a_machine: [
        "DATA = '/home/me/events.ndjson'",
        "run(['cat', '/tmp/events.ndjson'])",
        "Path.home() / 'events.ndjson'",
        "Path.cwd()",
        "os.getcwd()",
        "Path('events').expanduser()",
    ],
    reads_only_known_variables: [
        "os.environ['HOME']",
        "os.environ.get('CI')",
        "os.getenv('USER', 'x')",
        "'CI' in os.environ",
        "from os import environ",
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_of_the_tests(rule: Rule) -> None:
    found = {str(path): list(rule(_parsed(path), _depth(path))) for path in MODULES if path != Path(__file__)}

    assert {path: offences for path, offences in found.items() if offences} == {}


@pytest.mark.parametrize(
    ("rule", "snippet"), [(rule, snippet) for rule, snippets in RULES.items() for snippet in snippets]
)
def test_a_rule_can_be_offended(rule: Rule, snippet: str) -> None:
    assert list(rule(ast.parse(snippet), _depth(Path(__file__))))


def test_modules_are_found_on_every_floor() -> None:
    assert {_depth(path) for path in MODULES} == {1, 2, 3}


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _depth(path: Path) -> int:
    return len(path.relative_to(ROOT).parents) - 1
