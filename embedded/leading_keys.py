"""What MiniStack does not tell its IAM of a call to DynamoDB: the partition keys that it is about.

It runs in the emulator's environment. AWS holds the condition dynamodb:LeadingKeys against them, of a transaction for
each action by itself: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core import iam_actions, iam_evaluator

KEY = "dynamodb:LeadingKeys"
Call = Mapping[str, Any]

_PARTITION_KEYS = ("PK", "event_id")
"""Those of Retrace's tables; an item of the first kind may have an attribute that is called as the second."""

_ASKED = re.compile(r"(#?\w+)\s*=\s*(:\w+)", re.ASCII)


def leading_keys(call: Call) -> dict[str, list[str]]:
    """Return the partition keys that a call names, by table."""
    found: dict[str, list[str]] = defaultdict(list)
    for table, key in _named(call):
        found[table].append(key)
    return found


def _named(call: Call) -> Iterator[tuple[str, str]]:
    for item in call.get("TransactItems", []):
        for action in item.values():
            yield from _named(action)
    for table, requests in call.get("RequestItems", {}).items():
        items = requests["Keys"] if isinstance(requests, dict) else map(_written, requests)
        yield from ((table, _partition_key(item)) for item in items)
    table = call.get("TableName", "")
    for item in (call.get("Key"), call.get("Item")):
        if item:
            yield table, _partition_key(item)
    if asked := _ASKED.search(call.get("KeyConditionExpression", "")):
        yield table, _text(call["ExpressionAttributeValues"][asked[2]])


def _written(request: Call) -> Call:
    [written] = request.values()
    item: Call = written.get("Item") or written["Key"]
    return item


def _partition_key(item: Call) -> str:
    return next((_text(item[name]) for name in _PARTITION_KEYS if name in item), "")


def _text(value: Call) -> str:
    # A `*` of MiniStack's policies matches no line break; AWS documents it for any characters:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    return str(next(iter(value.values()))).replace("\n", " ")


def tell_leading_keys() -> None:
    """Have MiniStack's IAM told of them."""
    context_of, enforce = iam_actions.dynamodb_service_context, iam_evaluator.enforce

    def with_all(body: bytes) -> dict[str, Any]:
        try:
            return {**context_of(body), KEY: leading_keys(json.loads(body or b"{}"))}
        except (AttributeError, KeyError, TypeError, ValueError):  # no call that DynamoDB would take
            return dict(context_of(body))

    def of_the_table(*args: Any, resource_arn: str = "*", service_context: Any = None, **more: Any) -> Any:
        if service_context and KEY in service_context:
            table = resource_arn.partition(":table/")[2].partition("/")[0]
            service_context = {**service_context, KEY: service_context[KEY].get(table, [])}
        return enforce(*args, resource_arn=resource_arn, service_context=service_context, **more)

    iam_actions.dynamodb_service_context = with_all
    iam_evaluator.enforce = of_the_table
