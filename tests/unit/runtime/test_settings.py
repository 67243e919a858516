"""Settings: read from what a deployment says, checked, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.runtime.event_sources import planner, processor, queue_name
from chalicelib.runtime.settings import Settings, settings_from


def test_a_setting_is_the_environment_variable_of_its_name() -> None:
    settings = settings_from(
        {"RAW_BUCKET": "raw", "TYPE_DAY_SHARDS": "8", "REPORT_BATCH_ITEM_FAILURES": "true", "PATH": "/"}
    )

    assert settings == Settings(raw_bucket="raw", type_day_shards=8, report_batch_item_failures=True)


def test_failures_are_not_reported_in_the_response_unless_the_setting_says_that_it_is_read() -> None:
    assert settings_from({}).report_batch_item_failures is False


def test_identities_are_kept_for_ever_unless_the_setting_says_how_long() -> None:
    assert settings_from({}).dedupe_ttl_s is None
    assert settings_from({"DEDUPE_TTL_DAYS": "2"}).dedupe_ttl_s == 172_800


@pytest.mark.parametrize(
    ("name", "value"), [("TYPE_DAY_SHARDS", "0"), ("CONCURRENCY", "many"), ("LATE_AFTER_SECONDS", "-1")]
)
def test_a_setting_that_cannot_be_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        settings_from({name: value})


def test_queues_are_named_for_their_stage() -> None:
    assert queue_name({"STAGE": "prod"}, "replay") == "retrace-prod-replay"
    assert queue_name({}, "replay") == "retrace-dev-replay"


def test_a_function_is_deployed_with_as_many_processors_as_its_setting_says() -> None:
    assert processor({})["maximum_concurrency"] == Settings().processor_concurrency
    assert processor({"PROCESSOR_CONCURRENCY": "3"})["maximum_concurrency"] == 3


def test_a_function_is_deployed_with_as_many_planners_as_its_variable_says() -> None:
    assert planner({})["maximum_concurrency"] == 10
    assert planner({"PLANNER_CONCURRENCY": "3"})["maximum_concurrency"] == 3
    with pytest.raises(ValueError, match="PLANNER_CONCURRENCY must be from 2 to 1,000"):
        planner({"PLANNER_CONCURRENCY": "1"})


@pytest.mark.parametrize("value", ["1", "1001", "many"])
def test_a_number_of_processors_that_aws_would_refuse_is_not_deployed(value: str) -> None:
    with pytest.raises(ValueError, match=r"PROCESSOR_CONCURRENCY|int"):
        processor({"PROCESSOR_CONCURRENCY": value})
    with pytest.raises(ValidationError, match="processor_concurrency"):
        settings_from({"PROCESSOR_CONCURRENCY": value})
