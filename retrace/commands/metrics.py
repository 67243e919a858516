"""`retrace metrics …`: defines metrics of a file, tries them, lists, shows and retires them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

import typer

from chalicelib.core.lossless_json import member_texts
from chalicelib.metrics.definition import Definition
from retrace.answer import Answer
from retrace.client import Client
from retrace.context import AsJson, Limit, command_context
from retrace.defining.metric_file import definitions_in
from retrace.defining.trial import Trials, of_files, of_query
from retrace.defining.trial_report import show_trial
from retrace.event_table import Day, Since, Until, period
from retrace.explanation import computes
from retrace.json_layout import indented
from retrace.output import Column, Json, Output, short_time
from retrace.problem import Exit, Problem

_JSON = {"Content-Type": "application/json"}
_PAGE = 100

DefinitionFile = Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON with `metrics`, a list.")]
Name = Annotated[str, typer.Argument(help="The name of a metric.")]

_APPLIED = (
    Column("metric", lambda item: item["name"], whole=True),
    Column("result", lambda item: item["result"], whole=True),
    Column("definition", lambda item: item["definition_sha256"][:12], whole=True),
)
_LISTED = (
    Column("metric", lambda item: item["name"], whole=True),
    Column("state", lambda item: "built in" if item["built_in"] else item["state"].lower(), whole=True),
    Column("computes", lambda item: computes(item["definition"])),
    Column("changed (UTC)", lambda item: short_time(item["changed_at"] or "-")[:19], whole=True),
)
_VERSIONS = (
    Column("defined (UTC)", lambda item: short_time(item["defined_at"])[:19], whole=True),
    Column("retired (UTC)", lambda item: short_time(item["retired_at"] or "-")[:19], whole=True),
    Column("definition", lambda item: item["definition_sha256"][:12], whole=True),
    Column("by", lambda item: item["defined_by"]),
)


def apply(
    context: typer.Context,
    file: DefinitionFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change. Change nothing.")] = False,
    as_json: AsJson = None,
) -> None:
    """Define the metrics of a file. What is defined so already stays as it is, and what the file lacks stays too.

    retrace metrics apply metrics.yaml
    retrace metrics apply metrics.yaml --dry-run

    Replays that you request from then on compute them. Every fault of the file is shown with its line, and then nothing
    is defined. Exits with 2 if there is one.
    """
    call, output = command_context(context), Output(as_json=as_json)
    definitions = definitions_in(file, output)
    known = {item["name"]: item for item in call.client.pages("/metrics", {"limit": str(_PAGE)})}
    output.rows(_applied(call.client, definitions, known, dry_run=dry_run), _APPLIED, f"{file} defines no metric.")
    if dry_run:
        output.note("Nothing was changed.")


def _applied(client: Client, definitions: list[Definition], known: dict[str, Json], *, dry_run: bool) -> Iterator[Json]:
    for definition in definitions:
        before = known.get(definition.name)
        is_so = before is not None and before["state"] == "ACTIVE"
        result = "unchanged"
        if not is_so or before is None or before["definition_sha256"] != definition.sha256:
            result = "changed" if is_so else "new" if before is None else "active again"
            if not dry_run:
                _put(client, definition)
        yield {"name": definition.name, "result": result, "definition_sha256": definition.sha256}


def _put(client: Client, definition: Definition) -> None:
    client.expect("PUT", _path(definition.name), body=definition.canonical.encode(), headers=_JSON)


def list_metrics(context: typer.Context, limit: Limit = 1_000, as_json: AsJson = None) -> None:
    """List the metrics of a deployment, with what each computes.

    retrace metrics list
    """
    call, output = command_context(context), Output(as_json=as_json)
    found = call.client.pages("/metrics", {"limit": str(min(limit, _PAGE))}, limit)
    if output.rows(found, _LISTED, "There is no metric.") == limit:
        output.note(f"Cut off at {limit}. There may be more: --limit")


def show(context: typer.Context, name: Name, as_json: AsJson = None) -> None:
    """Show a metric: its definition, and those that it had before.

    retrace metrics show revenue
    """
    call, output = command_context(context), Output(as_json=as_json)
    found = _expected(call.client, "GET", name)
    if output.as_json:
        output.json_text(found.body.decode())
        return
    metric = found.json
    output.facts(
        [
            ("metric", metric["name"]),
            ("state", "built in" if metric["built_in"] else metric["state"]),
            ("definition", metric["definition_sha256"]),
        ]
    )
    output.say(indented(member_texts(found.body.decode())["definition"]))
    if metric["versions"]:
        output.rows(metric["versions"], _VERSIONS, "")


def retire(context: typer.Context, name: Name, as_json: AsJson = None) -> None:
    """Retire a metric: replays compute it only if they name it. Computed values stay.

    retrace metrics retire revenue

    To compute it again, apply its definition again.
    """
    call, output = command_context(context), Output(as_json=as_json)
    answer = _expected(call.client, "DELETE", name)
    if output.as_json:
        output.json_text(answer.body.decode())
    else:
        output.say(f"{name} is retired." if answer.json["changed"] else f"{name} was retired before.")


def _expected(client: Client, method: str, name: str) -> Answer:
    return client.expect(method, _path(name), headers=_JSON if method != "GET" else None)


def _path(name: str) -> str:
    return f"/metrics/{quote(name, safe='')}"


def try_metrics(
    context: typer.Context,
    file: DefinitionFile,
    entity: Annotated[str | None, typer.Argument(help="Over the stored events of this entity.")] = None,
    files: Annotated[
        list[str] | None, typer.Option("--events", metavar="FILE", help="Over the events of this file. Repeat it.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Over stored events of this source.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="Of this type. Repeat it for several. Default: of all.")
    ] = None,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME", help="Only this metric. Repeat it. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show this many contributions of each.")] = 10,
    as_json: AsJson = None,
) -> None:
    """Compute the metrics of a file over events, and show what each event contributes. Write nothing.

    retrace metrics try metrics.yaml --events day.ndjson.gz
    retrace metrics try metrics.yaml merchant-42 --day 2025-11-28
    retrace metrics try metrics.yaml --source payments/northpay --day yesterday --metric revenue

    All events together make one value, or one for each group. An event that comes twice counts once. With --events no
    deployment is needed.
    """
    call, output = command_context(context), Output(as_json=as_json)
    definitions = _chosen(definitions_in(file, output), metrics or [])
    trials = Trials(definitions, limit)
    if bool(files) == (entity is not None or source is not None):
        raise typer.BadParameter("give --events, or an entity, or --source", param_hint="--events, ENTITY, --source")
    if files:
        of_files(files, trials, output)
    else:
        when = period(call, day, since, until, open_ended=entity is not None)
        of_query(call.client, entity, source, types or [], when, trials, output)
    trials.finish()
    show_trial(output, trials)


def _chosen(definitions: list[Definition], names: list[str]) -> list[Definition]:
    unknown = [name for name in names if name not in {each.name for each in definitions}]
    if unknown:
        there = ", ".join(each.name for each in definitions)
        raise Problem(f"The file defines no metric {unknown[0]}.", f"It defines: {there}.", Exit.USAGE)
    return [each for each in definitions if not names or each.name in names]
