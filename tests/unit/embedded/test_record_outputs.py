"""The outputs of the resources reach `chalice deploy` as the settings that the application reads."""

import copy
import json
from typing import Any

import pytest

from chalicelib.config import Settings
from infra.merge import RESOURCES, load
from infra.record_outputs import CONFIG, environment_name, with_outputs


@pytest.fixture
def config() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(CONFIG.read_text())
    return read


def test_every_name_that_the_application_reads_is_an_output() -> None:
    outputs = {environment_name(output) for output in load(RESOURCES)["Outputs"]}
    names = {name.upper() for name in Settings.model_fields if name.endswith(("_bucket", "_table", "_url"))}

    assert names <= outputs


def test_outputs_become_environment_variables_of_their_stage(config: dict[str, Any]) -> None:
    recorded = with_outputs(config, "dev", {"RawBucket": "raw", "ReplayQueueUrl": "https://queue"})

    variables = recorded["stages"]["dev"]["environment_variables"]
    assert variables["RAW_BUCKET"] == "raw"
    assert variables["REPLAY_QUEUE_URL"] == "https://queue"
    assert variables["STAGE"] == "dev"


def test_all_else_stays_as_it_is(config: dict[str, Any]) -> None:
    before = copy.deepcopy(config)

    recorded = with_outputs(config, "dev", {"RawBucket": "raw"})
    del recorded["stages"]["dev"]["environment_variables"]["RAW_BUCKET"]

    assert recorded == before == config
