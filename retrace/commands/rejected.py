"""Commands about refused events."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from retrace.context import AsJson, Limit, command_context
from retrace.output import Column, Json, Output, bar

_PAGE = 1_000


def list_rejected(
    context: typer.Context,
    day: Annotated[str, typer.Option("--day", "-d", help="Rejected on this UTC day.")] = "today",
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only with this reason: REJECTED, CONFLICT, or an invalid field.")
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = None,
) -> None:
    """What was refused on a day, and why.

    retrace rejected list
    retrace rejected list --day yesterday --reason event_time
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
