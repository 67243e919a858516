"""Shows computed metrics: groups with their values, the biggest contributions, and what was skipped."""

from __future__ import annotations

from chalicelib.metrics.contribution import Contribution
from retrace.defining.trial import Crowded, Given, Trial, Trials
from retrace.output import Column, Json, Output, short_time

_CROWDED_SHOWN = 10

_GROUPS = (
    Column("group", lambda item: group_text(item["group"])),
    Column("value", lambda item: "-" if item["value"] is None else item["value"], number=True),
    Column("inputs", lambda item: item["inputs"], number=True),
)
_CONTRIBUTIONS = (
    Column("event time (UTC)", lambda item: short_time(item["event_time"] or "-")[:19], whole=True),
    Column("entity", lambda item: item["entity_id"]),
    Column("group", lambda item: group_text(item["group"])),
    Column("contributes", lambda item: item["amount"], number=True),
    Column("event", lambda item: item["event_id"][:12], whole=True),
)
_SKIPPED = (
    Column("skipped because", lambda item: item["reason"]),
    Column("events", lambda item: item["events"], number=True),
    Column("such as", lambda item: item["event_id"][:12], whole=True),
)


def group_text(group: Json) -> str:
    """A group as people read it."""
    return ", ".join(str(value) for value in group.values()) or "all others"


def show_trial(output: Output, trials: Trials) -> None:
    """Show each metric, one after the other."""
    for trial in trials.trials:
        if output.as_json:
            output.json(_said(trial))
        else:
            _show(output, trial)
    events = f"{trials.events:,} events were read"
    twice = f", {trials.duplicates:,} of them for a second time" if trials.duplicates else ""
    output.note(f"{events}{twice}. Nothing was written.")


def _said(trial: Trial) -> Json:
    return {
        "name": trial.definition.name,
        "definition_sha256": trial.definition.sha256,
        "selected": trial.selected,
        "groups": trial.groups,
        "contributions": [_contribution(trial, each) for each in trial.biggest],
        "skipped": [
            {"reason": reason, "events": count, "event_id": first} for reason, (count, first) in trial.skipped.items()
        ],
        "failing": trial.failing,
        "crowded": [_crowded(each) for each in trial.crowded[:_CROWDED_SHOWN]],
        "crowded_days": len(trial.crowded),
    }


def _crowded(each: Crowded) -> Json:
    return {"entity_id": each.entity_id, "day": each.day, "groups": each.groups, "listed": each.listed}


def _crowd_text(said: Json) -> str:
    """How many days have too many groups, and which is the worst."""
    worst, days = said["crowded"][0], said["crowded_days"]
    more = f" {days:,} days of entities have more groups than that." if days > 1 else ""
    return (
        f"{said['name']} has {worst['groups']:,} groups for {worst['entity_id']} on {worst['day']}. A version lists"
        f" {worst['listed']:,} of them, and folds {worst['groups'] - worst['listed']:,} into one entry.{more}"
        " Group by a path with fewer values."
    )


def _contribution(trial: Trial, given: Given) -> Json:
    event, contributed = given.event, given.contributed
    found = contributed if isinstance(contributed, Contribution) else None
    paths = [pointer.text for pointer in trial.definition.group_by]
    return {
        "event_id": event.event_id,
        "event_time": event.event_time,
        "entity_id": event.entity_id,
        "group": dict(zip(paths, found.group if found else (), strict=False)),
        "amount": str(found.amount) if found else None,
    }


def _show(output: Output, trial: Trial) -> None:
    said = _said(trial)
    output.say(f"{trial.definition.name}: {said['selected']:,} events are selected.", "bold")
    grouped = bool(trial.definition.group_by)
    listed = [each for each in said["groups"] if each["inputs"] or not grouped]
    output.rows(listed, _GROUPS if grouped else _GROUPS[1:], "No event contributes to a group.")
    if said["contributions"]:
        output.rows(said["contributions"], [each for each in _CONTRIBUTIONS if grouped or each.heading != "group"], "")
    if said["skipped"]:
        output.rows(said["skipped"], _SKIPPED, "")
    if said["crowded"]:
        output.note(_crowd_text(said), "yellow")
    if trial.failing:
        output.note(f'{trial.failing:,} messages would fail, because {trial.definition.name} has "on_missing": "fail".')
