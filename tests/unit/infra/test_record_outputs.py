"""The outputs of the resources reach `chalice deploy` as the settings that the application reads."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.runtime.settings import Settings
from infra.command import Problem
from infra.merge import RESOURCES, load
from infra.record_outputs import CONFIG, environment_name, policy_file, record, with_stage
from infra.roles import DEPLOYED_BY_CHALICE
from infra.stack import Stack
from tests.unit.infra.scripted import Scripted


@pytest.fixture
def config() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(CONFIG.read_text())
    return read


def test_every_name_that_the_application_reads_is_an_output() -> None:
    outputs = {environment_name(output) for output in load(RESOURCES)["Outputs"]}
    names = {name.upper() for name in Settings.model_fields if name.endswith(("_bucket", "_table", "_url"))}

    assert names <= outputs


def test_outputs_become_environment_variables_of_their_stage(config: dict[str, Any]) -> None:
    recorded = with_stage(config, "prod", {"RawBucket": "raw", "ReplayQueueUrl": "https://queue"})

    assert recorded["stages"]["prod"]["environment_variables"] == {
        "STAGE": "prod",
        "RAW_BUCKET": "raw",
        "REPLAY_QUEUE_URL": "https://queue",
    }


def test_each_function_has_a_policy_of_its_own_named_for_the_stage(config: dict[str, Any]) -> None:
    functions = with_stage(config, "prod", {})["stages"]["prod"]["lambda_functions"]

    assert functions == {name: {"iam_policy_file": policy_file("prod", name)} for name in DEPLOYED_BY_CHALICE}
    assert policy_file("prod", "planner") == "policy-prod-planner.json"
    assert functions.keys() == config["lambda_functions"].keys()


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_what_is_left_of_a_deployment_that_failed_is_not_recorded(tmp_path: Path, status: str) -> None:
    cloudformation = Scripted({"DescribeStacks": [{"Stacks": [{"StackName": "retrace-prod", "StackStatus": status}]}]})

    with pytest.raises(Problem, match=status) as caught:
        record("prod", Stack(cloudformation.client, "retrace-prod"), tmp_path / "config.json")

    assert "make destroy STAGE=prod" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_what_was_chosen_for_a_stage_and_all_other_stages_stay_as_they_are(config: dict[str, Any]) -> None:
    chosen = {
        "environment_variables": {"CONFIRM_ABOVE": "5", "RAW_BUCKET": "old"},
        "lambda_functions": {"planner": {"lambda_memory_size": 2048}},
        "reserved_concurrency": 7,
    }
    config["stages"]["prod"] = chosen
    before = copy.deepcopy(config)

    recorded = with_stage(config, "prod", {"RawBucket": "raw"})

    section = recorded["stages"].pop("prod")
    assert section["environment_variables"] == {"CONFIRM_ABOVE": "5", "STAGE": "prod", "RAW_BUCKET": "raw"}
    assert section["lambda_functions"]["planner"]["lambda_memory_size"] == 2048
    assert section["reserved_concurrency"] == 7
    assert config == before
    del before["stages"]["prod"]
    assert recorded == before
