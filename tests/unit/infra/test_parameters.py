"""Parameters as they are typed, and what of them is refused."""

from __future__ import annotations

from typing import Any

import pytest

from infra.command import Problem
from infra.deploy import warnings
from infra.rollout import kept, parsed, require_declared, require_readers_first, require_stage, value_of

DECLARED = {"Stage": {"AllowedPattern": "[a-z][a-z0-9]{0,15}"}, "AlarmTopic": {}, "MaxInFlight": {}}


def test_a_value_may_hold_whatever_an_arn_may_and_may_be_empty() -> None:
    typed = ["AlarmTopic=arn:aws:sns:eu-west-1:1:a=b", "KmsKeyArn="]

    assert parsed(typed) == {"AlarmTopic": "arn:aws:sns:eu-west-1:1:a=b", "KmsKeyArn": ""}


@pytest.mark.parametrize("word", ["MaxInFlight", "=5", "="])
def test_a_word_that_is_no_parameter(word: str) -> None:
    with pytest.raises(Problem, match="Name=value"):
        parsed(["Good=1", word])


def test_a_parameter_that_the_template_does_not_have() -> None:
    with pytest.raises(Problem) as caught:
        require_declared(DECLARED, {"MaxInFlight": "5", "MaxInFlite": "5"})

    assert caught.value.what == "The template has no parameter MaxInFlite."
    assert caught.value.remedy == "It has: AlarmTopic, MaxInFlight, Stage"


@pytest.mark.parametrize("stage", ["", "Prod", "1st", "prod-eu", "a" * 17, "prod\n"])
def test_a_stage_that_cannot_be_called_that(stage: str) -> None:
    with pytest.raises(Problem, match="STAGE=prod"):
        require_stage(DECLARED, stage, {})


def test_a_stage_is_named_once() -> None:
    require_stage(DECLARED, "prod", {})

    with pytest.raises(Problem, match="twice"):
        require_stage(DECLARED, "prod", {"Stage": "test"})


SHARDS = {"TypeDayShards": {"Default": "4"}, "TypeDayShardsRead": {"Default": "0"}}


def deployed(**parameters: str) -> Any:
    """A stack with these parameters."""
    return {"Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]}


def refusal(given: dict[str, str], described: Any) -> str | None:
    """Why a deployment of shards is refused; None if it is not."""
    try:
        require_readers_first(SHARDS, given, described)
    except Problem as problem:
        return problem.what
    return None


@pytest.mark.parametrize(
    ("given", "before"),
    [
        ({"TypeDayShards": "8"}, {}),
        ({"TypeDayShards": "8", "TypeDayShardsRead": "8"}, {"TypeDayShards": "4"}),
        ({"TypeDayShards": "9"}, {"TypeDayShards": "4", "TypeDayShardsRead": "8"}),
    ],
)
def test_ingest_writes_to_no_shard_that_what_is_deployed_does_not_read(
    given: dict[str, str], before: dict[str, str]
) -> None:
    with pytest.raises(Problem, match=r"they would miss new events") as caught:
        require_readers_first(SHARDS, given, deployed(**before))

    assert caught.value.remedy.startswith(f"Deploy TypeDayShardsRead={given['TypeDayShards']} first")


@pytest.mark.parametrize("given", [{"TypeDayShards": "6", "TypeDayShardsRead": "0"}, {"TypeDayShardsRead": "6"}])
def test_shards_that_may_contain_events_are_read_for_ever(given: dict[str, str]) -> None:
    with pytest.raises(Problem, match=r"8 may contain events"):
        require_readers_first(SHARDS, given, deployed(TypeDayShards="4", TypeDayShardsRead="8"))


@pytest.mark.parametrize(
    ("given", "before"),
    [
        ({}, {}),
        ({"TypeDayShardsRead": "8"}, {}),
        ({"TypeDayShards": "8"}, {"TypeDayShards": "4", "TypeDayShardsRead": "8"}),
        ({"TypeDayShardsRead": "0"}, {"TypeDayShards": "8", "TypeDayShardsRead": "8"}),
    ],
)
def test_shards_grow_in_two_deployments(given: dict[str, str], before: dict[str, str]) -> None:
    assert refusal(given, deployed(**before)) is None


def test_a_new_stack_begins_with_any_number_of_shards() -> None:
    assert refusal({"TypeDayShards": "64"}, None) is None


def test_parameters_that_are_deployed_and_not_given_keep_their_values() -> None:
    deployed: Any = {
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": ""} for key in ("Stage", "AlarmTopic", "MaxInFlight", "Gone")
        ]
    }

    assert kept(DECLARED, {"Stage": "dev", "MaxInFlight": "5"}, deployed) == ["AlarmTopic"]
    assert kept(DECLARED, {"Stage": "dev"}, None) == []


@pytest.mark.parametrize(
    ("given", "deployed", "value"),
    [
        ({}, None, "365"),
        ({}, {"RawRetentionDays": "0"}, "0"),
        ({"RawRetentionDays": "7"}, {"RawRetentionDays": "0"}, "7"),
    ],
)
def test_a_parameter_is_as_given_else_as_deployed_else_as_by_default(
    given: dict[str, str], deployed: dict[str, str] | None, value: str
) -> None:
    pairs = [{"ParameterKey": name, "ParameterValue": each} for name, each in (deployed or {}).items()]
    described: Any = None if deployed is None else {"Parameters": pairs}

    assert value_of("RawRetentionDays", {"RawRetentionDays": {"Default": 365}}, given, described) == value


def test_a_deployment_that_keeps_nothing_warns() -> None:
    [warning, remedy] = warnings("prod", "0")

    assert "WARNING: RawRetentionDays is 0." in warning
    assert "make deploy STAGE=prod PARAMETERS='RawRetentionDays=365'" in remedy
    assert list(warnings("prod", "365")) == []
