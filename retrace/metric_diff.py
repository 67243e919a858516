"""Shows how a metric differs between two versions: the events that make the difference, and their sum."""

from __future__ import annotations

from chalicelib.metrics.exact_number import ZERO, Exact, read_exact
from retrace.output import Column, Json, Output, short_time

_MOST_GROUPS = 5
_NONE = "-"


class MetricPages:
    """A metric's difference, put together from the pages of two versions."""

    def __init__(self, listed: int | None) -> None:
        self._listed = listed
        self._contributions: list[Json] = []
        self._by_group: dict[str, Exact] = {}
        self._events = 0

    def add(self, page: Json) -> None:
        """Take a page's events in, and make the page's metric that of all pages so far."""
        for event in page["contributions"]:
            self._events += 1
            self._add_to_group(event, "to", read_exact(event["to_value"] or "0"))
            self._add_to_group(event, "from", ZERO - read_exact(event["from_value"] or "0"))
        room = None if self._listed is None else max(0, self._listed - len(self._contributions))
        self._contributions += page["contributions"][:room]
        page["contributions"] = self._contributions
        page["events"] = self._events
        page["delta_by_group"] = {group: str(delta) for group, delta in sorted(self._by_group.items())}

    def _add_to_group(self, event: Json, side: str, amount: Exact) -> None:
        if event[f"{side}_group"]:
            group = group_text(event[f"{side}_group"])
            self._by_group[group] = self._by_group.get(group, ZERO) + amount


def group_text(group: Json) -> str:
    """A group in a table."""
    return ", ".join(map(str, group.values()))


def signed(text: str) -> str:
    """A change, with its sign."""
    return text if text.startswith("-") or text == "0" else f"+{text}"


def changed_by(event: Json) -> str:
    """By how much an event changes the metric."""
    return signed(str(read_exact(event["to_value"] or "0") - read_exact(event["from_value"] or "0")))


def show_metric(output: Output, metric: Json) -> None:
    """The events that make the difference."""
    output.rows(metric["contributions"], _columns(output, metric["contributions"]), "No event contributed differently.")
    if len(metric["contributions"]) < metric["events"]:
        output.note("Not all are listed: --limit, --all", "yellow")


def _columns(output: Output, events: list[Json]) -> tuple[Column, ...]:
    grouped = any(event["from_group"] or event["to_group"] for event in events)
    columns = (
        Column("event time (UTC)", lambda event: short_time(event["event_time"][:19]), whole=True),
        Column("type", lambda event: event["event_type"], cut=True),
        *([Column("group", _groups)] * grouped),
        Column("from", lambda event: _value(event, "from"), number=True),
        Column("to", lambda event: _value(event, "to"), number=True),
        Column("change", changed_by, number=True),
    )
    return (*columns, Column("event id", lambda event: event["event_id"], whole=True)) if output.is_wide else columns


def _value(event: Json, side: str) -> str:
    return "skipped" if f"{side}_skipped" in event else event[f"{side}_value"] or _NONE


def _groups(event: Json) -> str:
    sides = [group_text(event[f"{side}_group"]) for side in ("from", "to")]
    return " > ".join(dict.fromkeys(text for text in sides if text))


def metric_summary(metric: Json) -> str:
    """What changed, in one sentence, and what differs between the versions."""
    events = f"{metric['events']:,} event{'' if metric['events'] == 1 else 's'}"
    groups = [f"{group} {signed(delta)}" for group, delta in metric["delta_by_group"].items() if delta != "0"]
    more = [f"{len(groups) - _MOST_GROUPS:,} groups more"] * (len(groups) > _MOST_GROUPS)
    by_group = f" ({', '.join([*groups[:_MOST_GROUPS], *more])})" if groups else ""
    what = f"{metric['name']} went from {metric['from_value']} to {metric['to_value']}"
    return f"{what}: {signed(metric['delta'])}{by_group} by {events}. {_differs(metric['differs'])}"


def _differs(differs: list[str]) -> str:
    match differs:
        case []:
            return "Inputs and definition are the same."
        case [one]:
            return f"The {one} differ{'s' if one == 'definition' else ''}, the {_OTHER[one]}."
        case _:
            return "Inputs and definition differ."


_OTHER = {"inputs": "definition is the same", "definition": "inputs are the same"}
