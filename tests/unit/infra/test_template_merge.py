"""infra/: its files merge into one template that Chalice can merge over its own."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.app import SQSEventConfig

from app import app
from chalicelib.processing.dead_letters import RESERVE_MS
from chalicelib.replays.job import AFTER_CANCEL_S, DEAD_LETTERS_KEPT_S
from chalicelib.replays.planner import DELAY_AT_MOST_S, WATCH_S
from chalicelib.replays.tasks import RECEIVES, RECEIVES_IN_VAIN, SLICE_S
from chalicelib.runtime.settings import Settings
from embedded.layout import ROOT
from infra.merge import FILES, RESOURCES, RUNTIME, load, merged
from infra.roles import ROLES

FUNCTIONS_OF_APP = {
    "APIHandler": "api_handler",
    "Planner": "planner",
    "Processor": "processor",
    "DeadLetters": "dead_letters",
    "Digest": "digest",
}
"""What Chalice calls the functions that it generates for app.py, and what .chalice/config.json does."""

CHALICE_RESOURCES = {
    *FUNCTIONS_OF_APP,
    *("ApiHandlerRole", "PlannerRole", "ProcessorRole", "DeadLettersRole", "DigestRole", "RestAPI"),
}
"""What Chalice calls what it generates for app.py; functions.yaml adds to these."""


@pytest.fixture
def template() -> dict[str, Any]:
    merged_template: dict[str, Any] = json.loads(merged())
    return merged_template


def references(node: Any) -> Iterator[str]:
    """Every logical id that a part of a template refers to."""
    match node:
        case {"Ref": str(name)}:
            yield from [] if name.startswith("AWS::") else [name]
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": [str(text), dict(given)]}:
            yield from (name for name in references({"Fn::Sub": text}) if name not in given)
            yield from references(given)
        case {"Fn::Sub": str(text)}:
            yield from re.findall(r"\$\{([A-Za-z0-9]+)(?:\.\w+)?}", text)
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)


def test_everything_of_all_files_is_in_the_merged_template_once(template: dict[str, Any]) -> None:
    for section in ("Parameters", "Conditions", "Resources", "Outputs"):
        names = [name for path in FILES for name in load(path).get(section, {})]
        assert len(names) == len(set(names))
        assert template[section].keys() == set(names) | (set(ROLES.values()) if section == "Resources" else set())


def test_every_reference_is_to_something_that_is_there(template: dict[str, Any]) -> None:
    known = template["Parameters"].keys() | template["Resources"].keys() | CHALICE_RESOURCES

    assert set(references(template)) <= known


def test_resources_alone_refer_to_nothing_that_only_chalice_makes() -> None:
    resources = load(RESOURCES)

    assert set(references(resources)) <= resources["Parameters"].keys() | resources["Resources"].keys()


def test_partial_batch_responses_are_announced_exactly_where_they_are_given(template: dict[str, Any]) -> None:
    for name in FUNCTIONS_OF_APP:
        properties = template["Resources"][name]["Properties"]
        given = properties["Environment"]["Variables"].get("REPORT_BATCH_ITEM_FAILURES") == "true"
        sources = properties.get("Events", {}).values()
        announced = any("FunctionResponseTypes" in source["Properties"] for source in sources)
        assert given == announced, name


def sources(template: dict[str, Any]) -> dict[str, str]:
    """Every function that takes messages, and the queue that it takes them from."""
    found = {}
    for name in FUNCTIONS_OF_APP:
        for source in template["Resources"][name]["Properties"].get("Events", {}).values():
            [queue] = references(source["Properties"]["Queue"])
            found[name] = queue
    return found


def test_each_queue_has_its_function(template: dict[str, Any]) -> None:
    assert sources(template) == {
        "Planner": "ReplayJobsQueue",
        "Processor": "ReplayQueue",
        "DeadLetters": "ReplayFailuresQueue",
    }


def test_a_message_stays_hidden_for_six_timeouts_of_the_function_that_has_it(template: dict[str, Any]) -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    chosen = config["lambda_functions"]

    for function, queue in sources(template).items():
        timeout = chosen[FUNCTIONS_OF_APP[function]]["lambda_timeout"]
        assert template["Resources"][queue]["Properties"]["VisibilityTimeout"] == 6 * timeout, function


def test_after_a_cancel_a_job_says_it_may_change_for_longer_than_the_cancel_and_a_processor_last_together() -> None:
    functions = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]

    longest = functions["api_handler"]["lambda_timeout"] + functions["processor"]["lambda_timeout"]
    assert longest + 30 <= AFTER_CANCEL_S


def test_an_overtaken_planner_looks_again_after_the_other_one_has_ended_and_within_the_longest_delay() -> None:
    functions = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]

    assert functions["planner"]["lambda_timeout"] < WATCH_S <= DELAY_AT_MOST_S


def test_a_dead_letter_is_not_said_to_have_expired_before_sqs_drops_it(template: dict[str, Any]) -> None:
    assert queues(template)["DeadLetterQueue"]["MessageRetentionPeriod"] < DEAD_LETTERS_KEPT_S


def test_a_slice_of_a_redrive_ends_before_the_next_one_of_its_pass_must_not_begin() -> None:
    functions = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]

    assert functions["planner"]["lambda_timeout"] - RESERVE_MS / 1_000 < SLICE_S


def test_a_page_that_is_sent_again_is_sent_while_fifo_still_recognises_it(template: dict[str, Any]) -> None:
    assert template["Resources"]["ReplayJobsQueue"]["Properties"]["VisibilityTimeout"] < 300


def queues(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of every queue."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource.get("Type") == "AWS::SQS::Queue"
    }


def test_messages_fall_from_queue_to_queue_and_come_to_rest(template: dict[str, Any]) -> None:
    falls = {
        name: (
            next(references(queue["RedrivePolicy"]["deadLetterTargetArn"])),
            queue["RedrivePolicy"]["maxReceiveCount"],
        )
        for name, queue in queues(template).items()
        if "RedrivePolicy" in queue
    }

    # SQS counts receives across queues: a message comes to the second with the five of the first.
    assert falls == {
        "ReplayQueue": ("ReplayFailuresQueue", 5),
        "ReplayFailuresQueue": ("DeadLetterQueue", 10),
        "ReplayJobsQueue": ("ReplayJobsDeadLetterQueue", 100),
    }


def test_a_planner_is_called_and_gives_its_job_up_before_sqs_takes_the_slice_away(template: dict[str, Any]) -> None:
    most = queues(template)["ReplayJobsQueue"]["RedrivePolicy"]["maxReceiveCount"]

    assert RECEIVES < RECEIVES_IN_VAIN
    assert most >= 2 * RECEIVES_IN_VAIN


def test_who_redrives_is_told_that_there_is_nothing_only_if_there_is_nothing(template: dict[str, Any]) -> None:
    assert queues(template)["DeadLetterQueue"]["ReceiveMessageWaitTimeSeconds"] > 0


def test_a_queue_takes_dead_letters_of_those_that_name_it_and_of_no_other(template: dict[str, Any]) -> None:
    named = {queue["QueueName"]["Fn::Sub"]: name for name, queue in queues(template).items()}
    for name, queue in queues(template).items():
        fall_here = {
            other
            for other, properties in queues(template).items()
            if name in references(properties.get("RedrivePolicy", {}))
        }
        allowed = queue.get("RedriveAllowPolicy", {"redrivePermission": "byQueue", "sourceQueueArns": []})
        assert allowed["redrivePermission"] == "byQueue"
        assert {named[arn["Fn::Sub"].rpartition(":")[2]] for arn in allowed["sourceQueueArns"]} == fall_here


def test_dead_letters_are_kept_as_long_as_sqs_keeps_anything(template: dict[str, Any]) -> None:
    assert {queue["MessageRetentionPeriod"] for queue in queues(template).values()} == {14 * 86_400}


def only_where(template: dict[str, Any], condition: str) -> set[str]:
    """The resources that are there only under a condition."""
    return {name for name, resource in template["Resources"].items() if resource.get("Condition") == condition}


def without_conditional(node: Any, condition: str) -> Any:
    """A part of a template as it is where a condition does not hold."""
    match node:
        case {"Fn::If": [str(name), _, otherwise]} if name == condition:
            return without_conditional(otherwise, condition)
        case dict():
            return {name: without_conditional(value, condition) for name, value in node.items()}
        case list():
            return [without_conditional(value, condition) for value in node]
    return node


def test_all_of_the_processor_and_nothing_else_is_there_only_where_it_is_enabled(template: dict[str, Any]) -> None:
    assert only_where(template, "EnablesProcessor") == {"Processor", "ProcessorRole", "ProcessorLogs"}


def test_all_of_digests_and_nothing_else_is_there_only_where_they_are_enabled(template: dict[str, Any]) -> None:
    of_digests = {"DigestQueue", "DigestQueuePolicy", "DigestKey", "Digest", "DigestRole", "DigestLogs"}

    assert only_where(template, "EnablesDigests") == of_digests
    assert template["Conditions"]["EnablesDigests"] == {"Fn::Equals": [{"Ref": "EnableDigests"}, "true"]}


@pytest.mark.parametrize("condition", ["EnablesProcessor", "EnablesDigests"])
def test_nothing_that_stays_refers_to_what_may_not_be_there(template: dict[str, Any], condition: str) -> None:
    gone = only_where(template, condition)
    outputs = [output for output in template["Outputs"].values() if output.get("Condition") != condition]
    stays = [resource for name, resource in template["Resources"].items() if name not in gone]

    assert not set(references(without_conditional([stays, outputs], condition))) & gone


def test_the_function_of_digests_knows_its_queue_and_its_key_and_no_table(template: dict[str, Any]) -> None:
    variables = template["Resources"]["Digest"]["Properties"]["Environment"]["Variables"]

    assert set(references(variables)) == {"Stage", "RawBucket", "DigestQueue", "DigestKey"}


def test_what_a_run_that_died_has_hidden_is_there_for_the_next(template: dict[str, Any]) -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    timeout = config["lambda_functions"]["digest"]["lambda_timeout"]

    assert 2 * timeout <= queues(template)["DigestQueue"]["VisibilityTimeout"] < 3_600
    assert template["Resources"]["Digest"]["Properties"]["EventInvokeConfig"] == {"MaximumRetryAttempts": 0}


def test_the_bucket_comes_after_what_lets_it_tell_the_queue(template: dict[str, Any]) -> None:
    assert "DigestQueuePolicy" in references(template["Resources"]["RawBucket"]["Metadata"])


def test_a_parameter_says_how_many_processors_run_at_once(template: dict[str, Any]) -> None:
    source = template["Resources"]["Processor"]["Properties"]["Events"]["ProcessorSqsEventSource"]["Properties"]

    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "ProcessorConcurrency"}}
    assert (source["BatchSize"], source["MaximumBatchingWindowInSeconds"]) == (100, 1)


def test_what_reads_a_queue_never_takes_all_of_an_account(template: dict[str, Any]) -> None:
    most = {
        name: next(iter(template["Resources"][name]["Properties"]["Events"].values()))["Properties"].get(
            "ScalingConfig"
        )
        for name in sources(template)
    }
    of_chalice = {each.name: each.maximum_concurrency for each in app.event_sources if isinstance(each, SQSEventConfig)}

    assert most == {
        "Planner": {"MaximumConcurrency": {"Ref": "PlannerConcurrency"}},
        "Processor": {"MaximumConcurrency": {"Ref": "ProcessorConcurrency"}},
        "DeadLetters": {"MaximumConcurrency": of_chalice["dead_letters"]},
    }
    assert of_chalice == {"planner": 10, "processor": 10, "dead_letters": 5}
    assert [template["Parameters"][f"{name}Concurrency"]["Default"] for name in ("Planner", "Processor")] == [10, 10]


def test_ingest_has_a_share_of_its_own_only_if_it_is_asked_for(template: dict[str, Any]) -> None:
    reserved = template["Resources"]["IngestHandler"]["Properties"]["ReservedConcurrentExecutions"]
    condition = {"Fn::Not": [{"Fn::Equals": [{"Ref": "IngestReservedConcurrency"}, 0]}]}

    assert reserved == {"Fn::If": ["ReservesForIngest", {"Ref": "IngestReservedConcurrency"}, {"Ref": "AWS::NoValue"}]}
    assert template["Conditions"]["ReservesForIngest"] == condition
    assert template["Parameters"]["IngestReservedConcurrency"]["Default"] == 0


PARAMETERS_OF_INGEST = {
    "TYPE_DAY_SHARDS": "TypeDayShards",
    "LATE_AFTER_SECONDS": "LateAfterSeconds",
    "DEDUPE_TTL_DAYS": "DedupeTtlDays",
}
PARAMETERS_OF_SETTINGS = PARAMETERS_OF_INGEST | {
    "PROCESSOR_CONCURRENCY": "ProcessorConcurrency",
    "CONFIRM_ABOVE": "ConfirmAbove",
    "MAX_IN_FLIGHT": "MaxInFlight",
    "INDEX_LAG_SECONDS": "IndexLagSeconds",
    "TYPE_DAY_SHARDS_READ": "TypeDayShardsRead",
}


@pytest.mark.parametrize("function", [name for name in FUNCTIONS_OF_APP if name != "Digest"])
def test_parameters_reach_the_functions_as_settings(template: dict[str, Any], function: str) -> None:
    variables = template["Resources"][function]["Properties"]["Environment"]["Variables"]

    assert {name: variables[name] for name in PARAMETERS_OF_SETTINGS} == {
        name: {"Ref": parameter} for name, parameter in PARAMETERS_OF_SETTINGS.items()
    }


def test_the_parameters_that_say_how_events_are_kept_reach_ingest(template: dict[str, Any]) -> None:
    variables = template["Resources"]["IngestHandler"]["Properties"]["Environment"]["Variables"]

    assert {name: variables[name] for name in PARAMETERS_OF_INGEST} == {
        name: {"Ref": parameter} for name, parameter in PARAMETERS_OF_INGEST.items()
    }


def test_parameters_and_settings_have_the_same_defaults_and_bounds(template: dict[str, Any]) -> None:
    settings = Settings.model_json_schema()["properties"]
    for name, parameter in PARAMETERS_OF_SETTINGS.items():
        setting, declared = settings[name.lower()], template["Parameters"][parameter]
        assert str(declared["Default"]) == str(setting["default"]).lower()
        assert declared.get("MinValue") == setting.get("minimum"), parameter
        assert declared.get("MaxValue") == setting.get("maximum"), parameter


def test_nothing_that_holds_data_goes_with_the_stack(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        if resource.get("Type") in {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key"}:
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain", name


def test_the_operations_page_lists_every_parameter_with_its_default(template: dict[str, Any]) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    section = page.split("\n## Parameters\n")[1].split("\n## ", maxsplit=1)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, re.MULTILINE))

    assert {name: shown.strip() for name, shown in rows.items()} == {
        name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()
    }
    assert list(rows)[: len(load(RESOURCES)["Parameters"])] == list(load(RESOURCES)["Parameters"])


def test_the_security_page_lists_every_policy_that_is_an_output(template: dict[str, Any]) -> None:
    page = (ROOT / "docs/security.md").read_text()

    assert set(re.findall(r"^\| `(\w+PolicyArn)` \|", page, re.MULTILINE)) == {
        output for output in template["Outputs"] if output.endswith("PolicyArn")
    }


def test_the_ingest_function_has_the_runtime_that_chalice_gives_the_others(template: dict[str, Any]) -> None:
    assert template["Resources"]["IngestHandler"]["Properties"]["Runtime"] == RUNTIME
    assert f"python{sys.version_info.major}.{sys.version_info.minor}" == RUNTIME
