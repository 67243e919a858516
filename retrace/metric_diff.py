"""Shows how a metric differs between two versions: the events that make the difference, and their sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chalicelib.metrics.exact_number import Exact, read_exact
from retrace.output import Column, Json, Output, short_time

_MOST_GROUPS = 5
_NONE = "-"


class MetricPages:
    """A metric's difference, put together from the pages of two versions."""

    def __init__(self, listed: int | None) -> None:
        self._listed = listed
        self._contributions: list[Json] = []
        self._events = 0

    def add(self, page: Json) -> None:
        """Take a page's events in, and make the page's metric that of all pages so far."""
        self._events += len(page["contributions"])
        room = None if self._listed is None else max(0, self._listed - len(self._contributions))
        self._contributions += page["contributions"][:room]
        page["contributions"] = self._contributions
        page["events"] = self._events
        if "delta" in page:
            page["delta_by_group"] = {group_name(each["group"]): each["delta"] for each in page.get("groups", ())}


def asked_metric(found: Json) -> Json | None:
    """The metric of a difference, a sum or not; None if none was named."""
    metric: Json | None = found.get("metric", found.get("metric_values"))
    return metric


def group_name(group: Json) -> str:
    """A group of a metric that has several: that of all others has no texts."""
    return group_text(group) or "all others"


def group_text(group: Json) -> str:
    """A group in a table."""
    return ", ".join(map(str, group.values()))


def signed(text: str) -> str:
    """A change, with its sign."""
    return text if text.startswith("-") or text == "0" else f"+{text}"


def change_of(event: Json) -> Exact:
    """By how much an event changes a count or a sum."""
    return read_exact(event["to_value"] or "0") - read_exact(event["from_value"] or "0")


def show_metric(output: Output, metric: Json) -> None:
    """The events that make the difference."""
    columns = change_columns(output, metric["contributions"], adds_up="delta" in metric)
    output.rows(metric["contributions"], columns, "No event contributed differently.")
    if len(metric["contributions"]) < metric["events"]:
        output.note("Not all are listed: --limit, --all", "yellow")
    for side in ("from", "to"):
        if f"{side}_unknown_because" in metric:
            output.note(f"The value of {side} is unknown. {metric[f'{side}_unknown_because']}", "yellow")


def change_columns(output: Output, events: Sequence[Json], *, adds_up: bool) -> tuple[Column, ...]:
    """What each event contributed to both versions, and if that adds up, the change."""
    grouped = any(event["from_group"] or event["to_group"] for event in events)
    columns = (
        Column("event time (UTC)", lambda event: short_time(event["event_time"][:19]), whole=True),
        Column("type", lambda event: event["event_type"], cut=True),
        *([Column("group", _groups)] * grouped),
        Column("from", lambda event: _value(event, "from"), number=True),
        Column("to", lambda event: _value(event, "to"), number=True),
        *([Column("change", lambda event: signed(str(change_of(event))), number=True)] * adds_up),
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
    groups = list(_changes(metric))
    more = [f"{len(groups) - _MOST_GROUPS:,} groups more"] * (len(groups) > _MOST_GROUPS)
    by_group = f" ({', '.join([*groups[:_MOST_GROUPS], *more])})" if groups else ""
    whole = f" went from {metric['from_value'] or _NONE} to {metric['to_value'] or _NONE}"
    delta = f": {signed(metric['delta'])}" if "delta" in metric else ""
    return f"{metric['name']}{whole}{delta}{by_group} by {events}. {_differs(metric['differs'])}"


def _changes(metric: Json) -> Iterator[str]:
    """What changed of each group."""
    for each in metric.get("groups", ()):
        if each["from_value"] != each["to_value"]:
            values = f"{each['from_value'] or _NONE} > {each['to_value'] or _NONE}"
            yield f"{group_name(each['group'])} {signed(each['delta']) if 'delta' in each else values}"


def _differs(differs: list[str]) -> str:
    match differs:
        case []:
            return "Inputs and definition are the same."
        case [one]:
            return f"The {one} differ{'s' if one == 'definition' else ''}, the {_OTHER[one]}."
        case _:
            return "Inputs and definition differ."


_OTHER = {"inputs": "definition is the same", "definition": "inputs are the same"}
