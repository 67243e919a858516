"""infra/monitoring.yaml: each alarm is told to somebody and explained in the runbook, and watches what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from chalicelib.runtime.telemetry import METRICS, NAMESPACE
from infra.merge import MONITORING, RESOURCES, load
from retrace.command_line import app

RUNBOOK = (Path(__file__).parents[3] / "docs/runbook.md").read_text()
PARTS = ["What it means.", "First look.", "How to mend.", "When it is over."]
FUNCTIONS = {"IngestHandler", "APIHandler", "Planner", "Processor", "DeadLetters", "Digest"}

ALARMS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in load(MONITORING)["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}


def sections() -> dict[str, str]:
    """What stands below each heading of the runbook, by the anchor of the heading."""
    parts = re.split(r"^## (.*)$", RUNBOOK, flags=re.MULTILINE)
    return {heading.lower().replace(" ", "-"): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def name_of(alarm: dict[str, Any]) -> str:
    """What an alarm is called, without the stage."""
    name: str = alarm["AlarmName"]["Fn::Sub"]
    assert name.startswith("retrace-${Stage}-")
    return name.removeprefix("retrace-${Stage}-")


def test_every_alarm_has_a_section_of_the_runbook_and_every_section_an_alarm() -> None:
    of_destinations = ["destinations"]  # infra/destinations.py makes their alarms

    assert [name_of(alarm) for alarm in ALARMS.values()] == [name for name in sections() if name not in of_destinations]
    assert set(of_destinations) <= sections().keys()


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_leads_to_its_section(alarm: str) -> None:
    assert ALARMS[alarm]["AlarmDescription"].endswith(f" docs/runbook.md#{name_of(ALARMS[alarm])}")


@pytest.mark.parametrize("section", sections())
def test_a_section_says_what_it_means_where_to_look_how_to_mend_it_and_when_it_is_over(section: str) -> None:
    text = sections()[section]

    assert re.findall(r"^\*\*(.*?)\*\*", text, re.MULTILINE) == PARTS
    assert "```sh" in text.split("**First look.**")[1].split("**How to mend.**")[0]


def commands() -> Iterator[str]:
    """The parts of the runbook that are typed into a shell."""
    yield from re.findall(r"^```sh\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)


def test_what_the_runbook_has_typed_into_a_shell_is_what_a_shell_understands() -> None:
    checked = subprocess.run(
        ["bash", "-n"],  # noqa: S607  # whichever bash there is
        input="\n".join(commands()),
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stderr == ""


def test_the_runbook_uses_commands_and_resources_that_there_are() -> None:
    there = typer.main.get_command(app).commands.keys()  # type: ignore[attr-defined]  # it is a group of commands
    resources = {
        name
        for path in (MONITORING, RESOURCES, MONITORING.with_name("functions.yaml"))
        for name in load(path)["Resources"]
    }

    assert set(re.findall(r"\bretrace ([a-z-]+)", "\n".join(commands()))) <= set(there)
    assert set(re.findall(r"(?:id|errors|logs|source)_of (\w+)", "\n".join(commands()))) <= resources | FUNCTIONS


def test_a_given_topic_is_told_when_an_alarm_begins_and_ends() -> None:
    told = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}

    for name, alarm in ALARMS.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == told, name
        if name != "DigestMissingAlarm":
            assert alarm["TreatMissingData"] == "notBreaching", name


def test_digests_that_do_not_come_are_an_alarm_where_there_should_be_some() -> None:
    alarm = ALARMS["DigestMissingAlarm"]

    # A function that does not run writes no metric: what is missing is what the alarm is for.
    assert alarm["TreatMissingData"] == {"Fn::If": ["EnablesDigests", "breaching", "notBreaching"]}
    assert (alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "DigestCount",
        "LessThanThreshold",
        1,
    )
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 3 * 3_600


def test_every_queue_that_messages_come_to_rest_in_has_an_alarm() -> None:
    resting = {
        name
        for name, resource in load(RESOURCES)["Resources"].items()
        if resource["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" not in resource["Properties"]
        if name != "DigestQueue"  # what waits there is no trouble until it is old
    }
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in ALARMS.values()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }

    assert watched == resting


def functions_in(metrics: list[Any]) -> Iterator[str]:
    """The functions whose metrics are added up."""
    for metric in metrics:
        found = metric["Fn::If"][1] if "Fn::If" in metric else metric
        if "MetricStat" in found:
            [dimension] = found["MetricStat"]["Metric"]["Dimensions"]
            assert dimension["Name"] == "FunctionName"
            yield dimension["Value"]["Ref"]


@pytest.mark.parametrize("alarm", ["FunctionErrorsAlarm", "FunctionThrottlesAlarm"])
def test_every_function_is_watched_and_those_that_are_optional_where_they_are_there(alarm: str) -> None:
    metrics = ALARMS[alarm]["Metrics"]

    assert set(functions_in(metrics)) == FUNCTIONS
    assert [metric["Fn::If"][0] for metric in metrics if "Fn::If" in metric] == ["EnablesProcessor", "EnablesDigests"]


def metrics_of_ours(node: Any) -> Iterator[tuple[str, Any]]:
    """Every metric of our own that is watched, with its dimensions."""
    match node:
        case {"Namespace": str(namespace), "MetricName": str(name)} if namespace == NAMESPACE:
            yield name, node["Dimensions"]
        case dict():
            for value in node.values():
                yield from metrics_of_ours(value)
        case list():
            for value in node:
                yield from metrics_of_ours(value)


def test_the_metrics_that_are_watched_are_those_that_are_written_for_the_stage() -> None:
    of_stage = [{"Name": "service", "Value": {"Fn::Sub": "retrace-${Stage}"}}]
    found = list(metrics_of_ours(ALARMS))

    assert {name for name, _ in found} <= METRICS.keys()
    assert len(found) == 7
    assert all(dimensions == of_stage for _, dimensions in found)


def test_the_expressions_over_metrics_name_metrics_that_are_there() -> None:
    for name, alarm in ALARMS.items():
        metrics = [metric.get("Fn::If", [None, metric])[1] for metric in alarm.get("Metrics", [])]
        used = {word for metric in metrics for word in re.findall(r"\b[a-z_]+\b", metric.get("Expression", ""))}
        assert used <= {metric["Id"] for metric in metrics}, name
        assert [metric["Id"] for metric in metrics if metric.get("ReturnData", True)] == [
            metric["Id"] for metric in metrics[:1]
        ], name


def test_the_dashboard_shows_all_alarms_all_functions_and_all_metrics_of_ours() -> None:
    text, given = load(MONITORING)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(text)["widgets"]
    shown = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]

    assert widgets[0]["properties"]["alarms"] == [f"${{{name}.Arn}}" for name in ALARMS]
    assert {metric[1] for metric in shown if metric[0] == NAMESPACE} == METRICS.keys()
    assert {metric[3] for metric in shown if metric[:2] == ["AWS/Lambda", "Errors"]} == {
        f"${{{name}}}" for name in FUNCTIONS - {"Processor", "Digest"} | {"ProcessorName", "DigestName"}
    }
    assert given == {
        "ProcessorName": {"Fn::If": ["EnablesProcessor", {"Ref": "Processor"}, "no processor"]},
        "DigestName": {"Fn::If": ["EnablesDigests", {"Ref": "Digest"}, "no digests"]},
        "DigestQueueName": {"Fn::If": ["EnablesDigests", {"Fn::GetAtt": ["DigestQueue", "QueueName"]}, "no digests"]},
    }
