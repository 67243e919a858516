"""Commands that say what is missing or was refused: freshness, quarantine."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from retrace.context import AsJson, Limit, command_context
from retrace.event_table import event_columns, lag
from retrace.output import Column, Json, Output, bar, duration
from retrace.problem import Exit

_PAGE = 1_000


def freshness(
    context: typer.Context,
    source: Annotated[str, typer.Option("--source", "-s", help="Of this source.")],
    event_type: Annotated[str, typer.Option("--type", "-t", help="Of this type.")],
    max_age: Annotated[
        int | None, typer.Option("--max-age-s", min=0, help="Exit with 1 if the newest is older.")
    ] = None,
    look_back: Annotated[
        int | None, typer.Option("--look-back-days", min=1, help="Look back this many days. Default: 31.")
    ] = None,
    as_json: AsJson = None,
) -> None:
    """The newest event of a source and type; for monitors, too.

    retrace freshness --source shop/checkout --type order.paid --max-age-s 600
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {
        "source": source,
        "event_type": event_type,
        "max_age_s": None if max_age is None else str(max_age),
        "look_back_days": None if look_back is None else str(look_back),
    }
    # A stale one is answered with 503, for monitors that read the status alone.
    found = call.client.expect("GET", "/freshness", query=query, expected=lambda answer: answer.has("fresh")).json
    if output.as_json:
        output.json(found)
    elif found["newest"] is None:
        output.say(f"Nothing since {found['looked_back_to']}.", "red")
    else:
        output.say(f"The newest is {duration(found['age_s'] * 1_000)} old.", "" if found["fresh"] else "red")
        output.rows([found["newest"]], event_columns(output), "")
    if not output.as_json and found.get("ahead") is not None:
        output.note(f"The newest event, {lag(found['ahead'])}, does not count: a producer's clock is wrong.")
    if not found["fresh"]:
        raise typer.Exit(Exit.DIFFERENT)


def rejected(
    context: typer.Context,
    day: Annotated[str, typer.Option("--day", "-d", help="Rejected on this UTC day.")] = "today",
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only with this reason: REJECTED, CONFLICT, or an invalid field.")
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = None,
) -> None:
    """What was refused on a day, and why.

    retrace rejected
    retrace rejected --day yesterday --reason event_time
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {"day": call.day(day, "--day"), "reason": reason, "limit": str(min(limit, _PAGE))}
    columns = (
        Column("id", lambda item: item["rejected_id"], whole=True),
        Column("status", lambda item: item["status"]),
        Column("why", _reasons),
        Column("retried", lambda item: "yes" if item.get("retried") else ""),
    )
    found = list(call.client.pages("/rejected", query, limit))
    output.rows(found, columns, f"Nothing was rejected on {query['day']}" + (f" for {reason}." if reason else "."))
    if len(found) == limit:
        output.note(f"Cut off at {limit}. There may be more: --limit")
    reasons = Counter(error.get("field") or "(whole)" for item in found for error in item.get("errors", [])[:1])
    if not output.as_json and len(reasons) > 1:
        most = max(reasons.values())
        for name, count in reasons.most_common(10):
            output.say(f"{bar(count, most):24} {count:>5}  {name}", "dim")


def _reasons(item: Json) -> str:
    errors = item.get("errors", [])
    return "; ".join(f"{error.get('field', '')} {error['message']}".strip() for error in errors[:3])
