"""JSON as trees that keep number literals, the many texts of a tree, and every tree that differs from it in one token.

Nothing here is shared with the code under test: the trees, the writer and the changes are an account of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from hypothesis import strategies as st


@dataclass(frozen=True, slots=True)
class Num:
    """A number as it is written."""

    literal: str


Tree: TypeAlias = "str | bool | Num | list[Tree] | dict[str, Tree] | None"
Members: TypeAlias = dict[str, Tree]

randoms = st.randoms(use_true_random=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True).map(Num)


def trees(max_leaves: int = 8) -> st.SearchStrategy[Tree]:
    """Any JSON value."""
    leaves: st.SearchStrategy[Tree] = st.none() | st.booleans() | texts | numbers
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=max_leaves,
    )


def write(tree: Tree, rng: Random) -> str:
    """One of a tree's texts: members in any order, any white space around tokens, any escape of each character."""
    match tree:
        case str():
            token = _write_string(tree, rng)
        case Num():
            token = tree.literal
        case list():
            token = f"[{','.join(write(element, rng) for element in tree) or _space(rng)}]"
        case dict():
            members = [
                f"{_space(rng)}{_write_string(key, rng)}{_space(rng)}:{write(value, rng)}"
                for key, value in rng.sample(list(tree.items()), len(tree))
            ]
            token = f"{{{','.join(members) or _space(rng)}}}"
        case _:
            token = {None: "null", True: "true", False: "false"}[tree]
    return f"{_space(rng)}{token}{_space(rng)}"


def _space(rng: Random) -> str:
    return rng.choice(["", "", " ", "\n", "\t", "\r\n  "])


_SHORT_ESCAPES = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\", "/": r"\/"}


def _write_string(text: str, rng: Random) -> str:
    return f'"{"".join(rng.choice(_spellings(character)) for character in text)}"'


def _spellings(character: str) -> list[str]:
    units = character.encode("utf-16-be")
    escape = "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    upper = escape.upper().replace("\\U", "\\u")
    literal = [character] if character >= " " and character not in '"\\' else []
    short = [_SHORT_ESCAPES[character]] if character in _SHORT_ESCAPES else []
    return [*literal, *short, escape, upper]


def changes(tree: Tree) -> Iterator[Tree]:
    """Every tree that differs from this one in a single place: a token changed, added, dropped or moved."""
    yield [tree]
    match tree:
        case str():
            yield tree + "x"
            yield tree[1:] if tree else None
        case Num():
            yield tree.literal
            yield from map(Num, _other_literals(tree.literal))
        case list():
            yield from _changed_lists(tree)
        case dict():
            yield from _changed_objects(tree)
        case _:
            yield from ({None, True, False} - {tree})


def _other_literals(literal: str) -> Iterator[str]:
    """Other ways to write the same number, and other numbers close by."""
    yield literal.removeprefix("-") if literal.startswith("-") else f"-{literal}"
    if "e" in literal.lower():
        yield literal.swapcase()
        yield f"{literal}0"
    else:
        yield f"{literal}e0"
        yield f"{literal}0" if "." in literal else f"{literal}.0"


def _changed_lists(tree: list[Tree]) -> Iterator[Tree]:
    yield [*tree, None]
    for at, element in enumerate(tree):
        yield tree[:at] + tree[at + 1 :]
        yield from ([*tree[:at], changed, *tree[at + 1 :]] for changed in changes(element))
        if at and element != tree[at - 1]:
            yield [*tree[: at - 1], element, tree[at - 1], *tree[at + 1 :]]


def _changed_objects(tree: Members) -> Iterator[Tree]:
    yield {**tree, _new_key(tree): None}
    for key, value in tree.items():
        others = {name: member for name, member in tree.items() if name != key}
        yield dict(others)
        yield {**others, _new_key(tree): value}
        yield from ({**others, key: changed} for changed in changes(value))


def _new_key(tree: Members) -> str:
    return "".join(tree) + "+"
