"""DynamoDB items and the plain values they stand for.

boto3 has a serializer too, which takes six times as long, as it goes through all types that a value might be of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

Item = dict[str, Any]
"""An item as DynamoDB's API has it: attribute name to a typed value such as {"S": "text"}."""


def to_item(values: Mapping[str, Any]) -> Item:
    """An item of plain values; those that are None are left out."""
    return {name: _TYPED[type(value)](value) for name, value in values.items() if value is not None}


def from_item(item: Item) -> dict[str, Any]:
    """Plain values of an item: whole numbers as int, binary as bytes."""
    return {name: _plain(value) for name, value in item.items()}


class _Types(dict[type, Callable[[Any], dict[str, Any]]]):
    def __missing__(self, kind: type) -> NoReturn:
        raise TypeError(f"no value for DynamoDB: {kind.__name__}")


_TYPED: _Types = _Types(
    {
        str: lambda value: {"S": value},
        int: lambda value: {"N": str(value)},
        bool: lambda value: {"BOOL": value},
        bytes: lambda value: {"B": value},
        type(None): lambda _: {"NULL": True},
        list: lambda value: {"L": [_TYPED[type(element)](element) for element in value]},
        dict: lambda value: {"M": {name: _TYPED[type(member)](member) for name, member in value.items()}},
    }
)


def _plain(typed: Mapping[str, Any]) -> Any:
    [(kind, value)] = typed.items()
    match kind:
        case "S" | "BOOL" | "B":
            return value
        case "N":
            return int(value)
        case "M":
            return {name: _plain(member) for name, member in value.items()}
        case "L":
            return [_plain(member) for member in value]
        case "NULL":
            return None
        case _:
            raise TypeError(f"no value of ours in DynamoDB: {kind}")
