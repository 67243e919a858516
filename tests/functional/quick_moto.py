"""moto, without what it computes again for each call although it depends on the form of the call only.

The names that a member of an answer may have in a dictionary follow from the model of the service, and a name with
underscores from the name. A value that is not a list, map or set never changes, so copies may share it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core import responses, serialize
from moto.core.serialize import AttributePickerContext as Context
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.sqs import models

_Picker: Any = serialize.XFormedAttributePicker
_Value: Any = DynamoType
_modules_that_write_underscores: tuple[Any, ...] = (responses, models)

_names = _Picker.get_possible_keys
_copy = _Value.__deepcopy__


def patch_moto() -> None:
    """Replace moto's own functions."""
    _Picker.get_possible_keys = _known_names
    _Value.__deepcopy__ = _shared_or_copied
    for module in _modules_that_write_underscores:
        module.camelcase_to_underscores = _with_underscores


_with_underscores = cache(camelcase_to_underscores)


def _known_names(picker: Any, context: Context) -> Any:
    if type(context.obj) is dict:
        return _names_in_a_dictionary(context.key, context.shape, tuple(picker.alias_providers))
    return _names(picker, context)


@cache
def _names_in_a_dictionary(key: str, shape: Any, providers: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(_names(_Picker(list(providers)), Context({}, key, shape)))


def _shared_or_copied(value: Any, memo: dict[int, Any]) -> Any:
    return _copy(value, memo) if value.is_list() or value.is_map() or value.is_set() else value
