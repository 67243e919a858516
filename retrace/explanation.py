"""Shows the explanation of a number on one screen of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core.calendars import UTC
from chalicelib.metrics.exact_number import ZERO, Exact
from retrace.commands.aggregates import at_least, metric_text
from retrace.metric_diff import asked_metric, change_columns, change_of, group_text, metric_summary, signed
from retrace.output import Column, Json, Output, short_time
from retrace.replay_table import replay_column

_MINUTE = len("2025-11-28T10:00")
_SHOWN = 5
_DIGITS = 12


def show_explanation(output: Output, found: Json) -> None:
    """The value, what it is, its versions, its biggest contributions, what changed, and how to mend it."""
    version = found["version"]
    output.say(f"{found['metric']} of {found['entity_id']} on {found['day']}: {_value(version)}", "bold")
    output.facts(_facts(found, version))
    _show_versions(output, found["versions"])
    if found["biggest"] is not None:
        _show_biggest(output, found["biggest"])
    if found["change"] is not None:
        _show_change(output, found["change"])
    _show_state(output, found)


def computes(definition: Json) -> str:
    """What a metric computes, in a few words."""
    of = f" of {definition['value']}" if "value" in definition else ""
    by = f" by {', '.join(definition['group_by'])}" if "group_by" in definition else ""
    return f"{definition['aggregate']}{of}{by}"


def _value(version: Json) -> str:
    """The values of the first groups, and how many more there are."""
    groups = [each for each in version["metrics"] if each["inputs"]]
    shown = metric_text({"metrics": groups[:_SHOWN] or version["metrics"]})
    return f"{shown}, and {len(groups) - _SHOWN:,} groups more" if len(groups) > _SHOWN else shown


def _facts(found: Json, version: Json) -> Sequence[tuple[str, str]]:
    sha256 = version["metrics"][0]["definition_sha256"]
    newest = found["newest_definition_sha256"] == sha256
    inputs, skipped = (sum(each[name] for each in version["metrics"]) for name in ("inputs", "skipped"))
    bounds = (short_time(version[f"window_{side}"])[:_MINUTE] for side in ("start", "end"))
    facts = [
        ("computes", "unknown" if found["definition"] is None else computes(found["definition"])),
        ("definition", f"{sha256[:_DIGITS]}{', the newest' if newest else ''}"),
        ("version", f"{version['replay_id']}, computed {short_time(version['computed_at'])[:_MINUTE]} UTC"),
        ("inputs", f"{inputs:,} contributed, {skipped:,} skipped, of {version['event_count']:,}"),
    ]
    if found["calendar"] != UTC:
        facts.insert(2, ("day", f"{found['calendar']}, {' to '.join(bounds)} UTC"))
    return facts


def _show_versions(output: Output, versions: Sequence[Json]) -> None:
    columns = (
        Column("computed (UTC)", lambda each: short_time(each["computed_at"])[:_MINUTE], whole=True),
        replay_column(output),
        Column("value", _value, cut=True),
        Column("came since", lambda each: at_least(each, each["arrived_since"]), number=True),
        Column("holds the day", _standing, whole=True),
    )
    output.rows(versions[:_SHOWN], columns, "")
    if len(versions) > _SHOWN:
        output.say(f"and {len(versions) - _SHOWN:,} earlier versions", "dim")


def _standing(version: Json) -> str:
    return "what-if" if version.get("what_if") else "complete" if version["complete"] else "partial"


def _show_biggest(output: Output, biggest: Json) -> None:
    items = biggest["items"]
    columns = (
        Column("biggest contributions", lambda each: short_time(each["event_time"])[:19], whole=True),
        Column("type", lambda each: each["event_type"], cut=True),
        *([Column("group", lambda each: group_text(each["group"]), cut=True)] * any(each["group"] for each in items)),
        Column("contributed", lambda each: each["value"] or "-", number=True),
    )
    output.rows(items, columns, "No event contributed.")
    if not biggest["exact"]:
        output.say("The version has more events than a request reads: these are the biggest of the first.", "yellow")


def _show_change(output: Output, difference: Json) -> None:
    """The events by which the two newest complete versions differ, the biggest first, and what the rest adds up to."""
    metric = asked_metric(difference) or {}
    if not metric["contributions"]:
        output.say(f"The version before has the same. {metric_summary(metric)}")
        return
    adds_up, events = "delta" in metric, metric["contributions"]
    if adds_up:
        events = sorted(events, key=_size, reverse=True)
    shown, others = events[:_SHOWN], events[_SHOWN:]
    output.rows(shown, change_columns(output, shown, adds_up=adds_up), "")
    if others:
        together = f": {signed(str(sum(map(change_of, others), ZERO)))} together" if adds_up else ""
        output.say(f"and {len(others):,} more event{'' if len(others) == 1 else 's'}{together}", "dim")
    output.say(metric_summary(metric))


def _size(event: Json) -> Exact:
    change = change_of(event)
    return Exact(abs(change.coefficient), change.scale)


def _show_state(output: Output, found: Json) -> None:
    if found["state"] == "complete":
        output.say("It is complete: it has every event of the day.", "green")
        return
    output.say(f"It is {found['state']}. {' '.join(found['because'])}", "yellow")
    if found["state"] != "unknown":
        output.say(f"Compute it again: {found['command']}", "yellow")
