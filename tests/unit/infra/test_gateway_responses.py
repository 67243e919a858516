"""What API Gateway answers by itself is a problem like all others, and whatever ended a function is worth a retry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.api.responses import RETRY_AFTER_S
from chalicelib.core.version import MAJOR_VERSION
from infra.merge import FUNCTIONS, load

RESPONSES: dict[str, dict[str, Any]] = load(FUNCTIONS)["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][
    "x-amazon-apigateway-gateway-responses"
]

CONTEXT = {"$context.error.responseType": "THROTTLED", "$context.error.messageString": '"Too \\"many\\" requests"'}
"""As API Gateway fills it in: the message with its quotation marks."""


def answered(kind: str) -> Any:
    [template] = RESPONSES[kind]["responseTemplates"].values()
    for name, value in CONTEXT.items():
        template = template.replace(name, value)
    return json.loads(template)


@pytest.mark.parametrize("kind", RESPONSES)
def test_every_answer_is_a_problem(kind: str) -> None:
    problem = answered(kind)

    assert RESPONSES[kind]["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    assert problem["type"] == "urn:retrace:problem:gateway:THROTTLED"
    assert problem["title"] == 'Too "many" requests'
    assert problem["errors"] == []
    assert problem["detail"]


@pytest.mark.parametrize("kind", RESPONSES)
def test_every_answer_has_the_version(kind: str) -> None:
    assert RESPONSES[kind]["responseParameters"]["gatewayresponse.header.Retrace-Version"] == f"'{MAJOR_VERSION}'"


def test_all_that_is_not_named_has_an_answer_of_its_class() -> None:
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= RESPONSES.keys()


def test_a_function_that_was_ended_is_answered_as_storage_that_takes_nothing() -> None:
    ended = RESPONSES["DEFAULT_5XX"]

    assert ended["statusCode"] == "503"
    assert ended["responseParameters"]["gatewayresponse.header.Retry-After"] == f"'{RETRY_AFTER_S}'"
    assert "again" in answered("DEFAULT_5XX")["detail"]


def test_a_throttled_caller_is_told_when_to_come_back() -> None:
    assert RESPONSES["THROTTLED"]["responseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"
    assert "statusCode" not in RESPONSES["THROTTLED"]
