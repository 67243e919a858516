"""`retrace aggregates diff`: lists the differences of two versions, event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated

import typer

from retrace.answer import Answer
from retrace.client import Client
from retrace.commands.aggregates import Entity, OfCalendar, OfDay, at_least, replay_command
from retrace.concurrency import in_order
from retrace.context import AsJson, command_context
from retrace.event_ids import event_id_column
from retrace.known_names import require_known_entity
from retrace.metric_diff import MetricPages, asked_metric, metric_summary, show_metric
from retrace.output import Column, Json, Output, duration, short_time
from retrace.problem import Exit, Problem
from retrace.progress import Counting
from retrace.replay_table import whole_replay_id

LISTS = ("only_in_from", "only_in_to", "changed")
_SIGNS = {"only_in_from": "-", "only_in_to": "+", "changed": "~"}
_STYLES = {"-": "red", "+": "green", "~": "yellow"}
_MOST_NAMED = 3
_PAGE = "1000"


def _columns(output: Output) -> tuple[Column, ...]:
    """What differs, with as much about each event as there is room for."""
    columns = (
        Column("", lambda item: item["sign"], style=lambda item: _STYLES[item["sign"]]),
        Column("event time (UTC)", lambda item: short_time(item["event_time"][:19]), whole=True),
        Column("lag", lambda item: duration(item["ingest_lag_ms"]) if "ingest_lag_ms" in item else "", number=True),
        Column("source", lambda item: item.get("source", ""), cut=True),
        Column("type", lambda item: item.get("event_type", ""), cut=True),
    )
    taken_in = Column("taken in (UTC)", lambda item: short_time(item.get("ingest_time", "")[:19]), whole=True)
    return (*columns, *([taken_in] * output.is_wide), event_id_column(output))


def diff(
    context: typer.Context,
    entity: Entity,
    of_day: OfDay,
    from_: Annotated[
        str | None, typer.Argument(metavar="FROM", help="The replay of one version. Default: the second newest.")
    ] = None,
    to: Annotated[
        str | None, typer.Argument(metavar="TO", help="The replay of the other. Default: the newest.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="The events that change this metric.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="With each event as it was sent.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="List at most this many of each kind.")] = 100,
    every: Annotated[bool, typer.Option("--all", help="List every difference.")] = False,
    calendar: OfCalendar = None,
    as_json: AsJson = None,
) -> None:
    """List the differences of two versions of a daily aggregate, event by event. Exits with 1 if there are any.

    retrace aggregates diff depot-lyon 2025-11-28
    retrace aggregates diff depot-lyon 2025-11-28 REPLAY REPLAY --raw
    retrace aggregates diff merchant-42 2025-11-28 --metric revenue

    `-` is in the older version only, `+` in the newer only, `~` in both with different content. Both are compared
    completely, even if the list is cut off. With --metric it lists what each event contributed to each version.
    """
    call, output = command_context(context), Output(as_json=as_json)
    query = {"entity_id": entity, "day": call.day(of_day, "DAY") or "", "calendar": calendar}
    older, newer = _versions(call.client, query, from_, to)
    with Counting(output.notes, "Comparing") as progress:
        found = compared(
            call.client, {**query, "from": older, "to": newer, "metric": metric}, None if every else limit, progress
        )
    described_lists = () if metric is not None and not output.as_json else LISTS
    for name in described_lists:
        found[name] = list(in_order(lambda item: described(call.client, item, raw=raw), found[name]))
    if output.as_json:
        output.json({**found, "summary": summary(found)})
    else:
        _show(output, found)
    if any(found["counts"][name] for name in LISTS) or (asked_metric(found) or {}).get("events"):
        raise typer.Exit(Exit.DIFFERENT)


def compared(client: Client, query: Json, listed: int | None, progress: Counting) -> Json:
    """The difference of two versions, page after page: all of it counted, and the first of each kind, all if None."""
    found: Json = {}
    metric = MetricPages(listed)
    for [page] in client.each_page("/aggregates/diff", {**query, "limit": _PAGE}, read=Answer.whole):
        progress.add(events=sum(page["counts"].values()))
        for name in LISTS:
            page[name] = [*found.get(name, ()), *page[name]][:listed]
        if (part := asked_metric(page)) is not None:
            metric.add(part)
        before = found.get("counts", {})
        found = {**page, "counts": {name: count + before.get(name, 0) for name, count in page["counts"].items()}}
    del found["cursor"]
    return found


def _versions(client: Client, query: Json, from_: str | None, to: str | None) -> tuple[str, str]:
    """The replay ids of the versions to compare: as named, or the two newest."""
    from_, to = (whole_replay_id(client, each) if each is not None else None for each in (from_, to))
    if from_ is not None and to is not None:
        return from_, to
    known = client.get("/aggregates", {**query, "limit": "2"})
    newest = [version["replay_id"] for version in known["versions"]]
    needed = 1 if from_ is not None else 2
    if not newest:
        require_known_entity(client, query["entity_id"])
    if len(newest) < needed:
        raise _too_few(known)
    return from_ or newest[1], newest[0]


def _too_few(known: Json) -> Problem:
    again = f"{replay_command(known['entity_id'], known['day'])} computes one"
    if not known["versions"]:
        return Problem("This day has no version yet, so nothing can be compared.", f"{again}.", Exit.NOT_FOUND)
    only = known["versions"][0]
    what = f"This day has one version, of {_events(only['event_count'])}, so nothing can be compared."
    came = known["late_arrivals"]
    none = "No event of the day came since" if known["exact"] else "Whether more events came since is not counted"
    since = f"{at_least(known, came)} of the day's events came since" if came else none
    return Problem(what, f"{since}; {again} more.", Exit.DIFFERENT)


def described(client: Client, item: Json, *, raw: bool) -> Json:
    """An event with its metadata, as far as it is known, and with `raw` as it was sent."""
    event_id = item["event_id"]
    answer = client.call("GET", f"/events/{event_id}")
    hidden = ("arrivals", "more_arrivals", "aggregates", "more_aggregates", *item)
    known = answer.json if answer.status == HTTPStatus.OK else {}
    found = {**item, **{name: value for name, value in known.items() if name not in hidden}}
    if raw:
        sent = client.call("GET", f"/events/{event_id}/raw")
        found["raw"] = sent.body.decode(errors="replace") if sent.status == HTTPStatus.OK else None
    return found


def _show(output: Output, found: Json) -> None:
    for title, version in (("from", found["from"]), ("to", found["to"])):
        computed = short_time(version["computed_at"][:19])
        output.say(f"{title:4} {version['replay_id']}, computed {computed}: {version['event_count']:,}", "dim")
        if title in found.get("incomplete", {}):
            output.say(f"{found['incomplete'][title]} The difference may change.", "yellow")
    if (metric := asked_metric(found)) is not None:
        show_metric(output, metric)
        output.say(metric_summary(metric), "bold")
        return
    items = list(_signed(found))
    if items:
        output.rows(items, _columns(output), "")
    for item in items:
        if "raw" in item:
            output.say(f"{item['sign']} {item['event_id']} {item['raw'] or '(unavailable)'}")
    if any(len(found[name]) < found["counts"][name] for name in LISTS):
        output.note("Not all are listed: --limit, --all", "yellow")
    output.say(summary(found), "bold")


def _signed(found: Json) -> Iterator[Json]:
    for name in LISTS:
        yield from ({**item, "sign": _SIGNS[name]} for item in found[name])


def summary(found: Json) -> str:
    """What changed, in one sentence."""
    counts, values = found["counts"], (found["from"]["event_count"], found["to"]["event_count"])
    more, fewer, changed = counts["only_in_to"], counts["only_in_from"], counts["changed"]
    if not (more or fewer or changed):
        return f"The same {_events(counts['shared'])} in both; the count is {values[1]:,}."
    parts = [f"{_events(more)} more"] * bool(more)
    parts += [f"{fewer:,} fewer" if more else f"{_events(fewer)} fewer"] * bool(fewer)
    parts += [f"{_events(changed)} with other content"] * bool(changed)
    value = f"the count went from {values[0]:,} to {values[1]:,}" if values[0] != values[1] else "the count is the same"
    named = [item for name in LISTS for item in found[name]]
    return f"{', '.join(parts)}: {_kinds(named)}; {value}{_when(found)}."


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _kinds(items: Sequence[Json]) -> str:
    """Of which type and source the events are, most first."""
    unknown = {"event_type": "of unknown type", "source": ""}
    kinds = Counter(tuple({**unknown, **item}[name] for name in unknown) for item in items)
    parts = [f"{count:,} {kind}{f' from {source}' if source else ''}" for (kind, source), count in kinds.most_common()]
    others = [f"{len(parts) - _MOST_NAMED} kinds more"] * (len(parts) > _MOST_NAMED)
    return ", ".join([*parts[:_MOST_NAMED], *others])


def _when(found: Json) -> str:
    """Whether the events that only the second version has were taken in after the first was computed."""
    times = [item["ingest_time"] for item in found["only_in_to"] if "ingest_time" in item]
    after = sum(time >= found["from"]["computed_at"] for time in times)
    if not after:
        return ""
    those = "all of what is new" if after == found["counts"]["only_in_to"] else f"{after:,} of what is new"
    return f"; {those} came after the first was computed"
