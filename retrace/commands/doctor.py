"""`retrace doctor`: checks this machine's connection to a deployment, and the deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain

import typer

from retrace import checkup
from retrace.checking import destination_queues
from retrace.checking.safeguards import newest_digest, safeguards
from retrace.checkup import Finding, Level
from retrace.context import AsJson, CommandContext, command_context
from retrace.output import Column, Output
from retrace.problem import Exit, Problem

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


def doctor(context: typer.Context, as_json: AsJson = None) -> None:
    """Check a deployment: target, credentials, signature, clock, version, speed, queues, dead letters, digests.

    For a stack it also compares the protection of bucket and tables with the deployed template.

    Nothing is changed. Exits with 1 if there is a problem. A warning is not a problem.

    retrace doctor
    retrace --profile production --stack retrace-prod doctor --json
    """
    call, output = command_context(context), Output(as_json=as_json)
    columns = (
        Column("", lambda item: item["level"], style=lambda item: _STYLES[item["level"]]),
        Column("looked at", lambda item: item["check"]),
        Column("found", lambda item: "\n→ ".join(filter(None, (item["said"], item["remedy"]))), several_lines=True),
    )
    findings = list(_findings(call))
    output.rows([asdict(finding) for finding in findings], columns, "")
    if any(finding.level is Level.PROBLEM for finding in findings):
        raise typer.Exit(Exit.DIFFERENT)


def _findings(call: CommandContext) -> Iterator[Finding]:
    try:
        target = call.target
        region = target.signing_region
    except Problem as problem:
        yield Finding("target", Level.PROBLEM, problem.what, problem.remedy)
        return
    yield Finding("target", Level.OK, f"{target.url} in {region}, as said by {target.found_in}")
    of_credentials = checkup.credentials(target)
    yield of_credentials
    if of_credentials.level is not Level.PROBLEM:
        api = checkup.Api(call.client, call.clock)
        yield from chain(api.look(), checkup.queues(target), destination_queues.findings(target))
        yield newest_digest(target, call.clock())
        yield from safeguards(target)
