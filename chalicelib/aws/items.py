"""DynamoDB items and the plain values they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

Item = dict[str, Any]
"""An item as DynamoDB's API has it: attribute name to a typed value such as {"S": "text"}."""

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> Item:
    """An item of plain values; those that are None are left out."""
    return {name: _serializer.serialize(value) for name, value in values.items() if value is not None}


def from_item(item: Item) -> dict[str, Any]:
    """Plain values of an item: whole numbers as int, binary as bytes."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    match value:
        case Binary():
            return bytes(value.value)  # type: ignore[attr-defined]  # the stubs leave it out
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case str() | bool() | None:
            return value
        case _:
            return int(value)
