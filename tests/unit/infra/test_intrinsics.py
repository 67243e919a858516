"""The functions of CloudFormation that policies are written with."""

from __future__ import annotations

from typing import Any

import pytest

from infra.intrinsics import Known

KNOWN = Known(
    references={"AWS::Region": "eu-west-1", "Key": "arn:key", "Empty": "", "Days": "7", "Queue": "https://queue"},
    arns={"Bucket": "arn:bucket"},
    conditions={
        "Empty": {"Fn::Equals": [{"Ref": "Empty"}, ""]},
        "Full": {"Fn::Not": [{"Condition": "Empty"}]},
        "Week": {"Fn::Equals": [{"Ref": "Days"}, 7]},
    },
)

OF_A_STATEMENT = {"Condition": {"StringLike": {"s3:prefix": "rejected/*"}}}
"""Not one of the template."""


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ("text", "text"),
        (5, 5),
        ({"Ref": "Key"}, "arn:key"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:bucket"),
        ({"Fn::Sub": "${Bucket.Arn}/raw/*"}, "arn:bucket/raw/*"),
        ({"Fn::Sub": "s3.${AWS::Region}.aws"}, "s3.eu-west-1.aws"),
        ({"Fn::Sub": "${!Literal} $ {}"}, "${!Literal} $ {}"),
        ({"Fn::If": ["Empty", {"Ref": "Key"}, "no"]}, "arn:key"),
        ({"Fn::If": ["Full", {"Ref": "Key"}, "no"]}, "no"),
        ({"Fn::If": ["Week", "week", "no"]}, "week"),
        (["a", {"Ref": "AWS::NoValue"}, {"Fn::If": ["Full", "b", {"Ref": "AWS::NoValue"}]}, "c"], ["a", "c"]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "Days"}]}, {"b": ["7"]}),
        (OF_A_STATEMENT, OF_A_STATEMENT),
    ],
)
def test_what_a_node_comes_to(node: Any, value: Any) -> None:
    assert KNOWN.resolved(node) == value


@pytest.mark.parametrize(
    "node",
    [
        {"Ref": "Nothing"},
        {"Fn::GetAtt": ["Queue", "Arn"]},
        {"Fn::Sub": "${Bucket.DomainName}"},
        {"Fn::Sub": "${Nothing}"},
        {"Fn::If": ["Nothing", 1, 2]},
    ],
)
def test_what_is_not_known_is_not_guessed(node: Any) -> None:
    with pytest.raises(KeyError):
        KNOWN.resolved(node)
