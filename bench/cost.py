"""The tables of docs/cost.md: what events cost, by what is counted and the model in bench/cost_model.py.

python -m bench.cost            prints them
python -m bench.cost --write    puts them into the page
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from bench import cost_model as model
from bench import prices
from bench.assumptions import Assumptions
from bench.cost_model import Dollars, Kept
from bench.event_costs import PEERS, SIZES, Cost, of_peer, taken_in, taken_in_again
from bench.growth import ROWS, grown
from bench.markdown import Row, filled, table
from bench.shapes import SCATTERED, THREES, TOGETHER

PAGE = Path(__file__).parents[1] / "docs/cost.md"
NAMES = {"plain": "plain", "powertools": "Powertools"}
RETRACE, EVENTBRIDGE = "Retrace", "EventBridge"
LONGER = (0, 40, 200, 400)
"""By how many bytes an entity's name is longer than a short one."""


def blocks() -> Mapping[str, str]:
    """The generated parts of the page, by name."""
    return {
        "calls": _calls(),
        "longer": _longer(),
        "growth": _growth(),
        "ingested": _ingested(),
        "services": _services(),
        "kept": _kept(),
        "replayed": _replayed(),
        "together": _together(),
        "assumptions": table(
            ("assumed", "ms"), ((f"`{each.name}`", getattr(Assumptions(), each.name)) for each in fields(Assumptions))
        ),
        "prices": table(
            ("price", "page", "who read it there, and when"),
            ((each.says, f"[{each.page}]({each.url})", each.seen) for each in prices.COSTS),
        ),
    }


def _calls() -> str:
    head = ("", "events a request", "AWS calls", "write units", "of indexes", "read units", "S3 bytes", "table bytes")
    rows = [_counts("Retrace, new", str(size), taken_in(size)) for size in SIZES]
    rows += [_counts("Retrace, known", str(size), taken_in_again(size)) for size in SIZES]
    for name in PEERS:
        rows += [_counts(f"{NAMES[name]}, new", "any", of_peer(name).new)]
        rows += [_counts(f"{NAMES[name]}, known", "any", of_peer(name).known)]
    return table(head, rows)


def _counts(what: str, size: str, cost: Cost) -> Row:
    units = (cost.each(cost.writes), cost.each(cost.projections), cost.each(cost.reads))
    return (what, size, cost.calls_an_event, *units, cost.s3_bytes, cost.table_bytes + cost.index_bytes)


def _longer() -> str:
    head = ("bytes longer", "bytes of both rows", "write units, new", "of the index", "read units, new")
    rows = []
    for padding in LONGER:
        cost = taken_in(100, padding)
        units = (cost.each(cost.writes), cost.each(cost.projections), cost.each(cost.reads))
        rows.append((padding, cost.table_bytes - 2 * prices.BYTES_A_ROW, *units))
    return table(head, rows)


def _growth() -> str:
    head = ("events in the tables", "of an event, by itself", "in a hundred", "of a page of 100", "of a message sent")
    rows = []
    for count in ROWS:
        at = grown(count)
        cells = [_of_each(cost) for cost in (at.one, at.hundred, at.page, at.replay)]
        rows.append((count, *cells))
    return table(head, rows)


def _of_each(cost: Cost) -> str:
    writes, reads = cost.each(cost.writes + cost.projections), cost.each(cost.reads)
    return f"{cost.calls_an_event:.3g} calls, {writes:.3g} writes, {reads:.3g} reads"


def _ingested() -> str:
    head = ("a million events", *(f"in requests of {size:,}" for size in SIZES))
    rows: list[Row] = [(RETRACE, *(_million(model.by_retrace(size)) for size in SIZES))]
    rows += [(f"{RETRACE}, known already", *(_million(model.by_retrace(size, known=True)) for size in SIZES))]
    rows += [(NAMES[name], *(_million(model.by_peer(name, size)) for size in SIZES)) for name in PEERS]
    archived = _million(model.published(of_peer("plain").new))
    return table(head, [*rows, (f"{EVENTBRIDGE}, in tens at most", *(archived for _ in SIZES))])


def _services() -> str:
    shown = {
        "Retrace, one by one": model.by_retrace(1),
        "Retrace, in hundreds": model.by_retrace(100),
        "plain, one by one": model.by_peer("plain", 1),
        "plain, in hundreds": model.by_peer("plain", 100),
        "Powertools, one by one": model.by_peer("powertools", 1),
        "Powertools, in hundreds": model.by_peer("powertools", 100),
    }
    services = (model.API, model.WRITES, model.READS, model.S3, model.LAMBDA)
    rows = ((name, *(_dollars(each[service]) for service in services)) for name, each in shown.items())
    return table(("a million events", *services), rows)


def _kept() -> str:
    kept: dict[str, Kept] = {
        "Retrace, one by one": model.kept_by_retrace(1),
        "Retrace, in hundreds": model.kept_by_retrace(100),
        **{NAMES[name]: model.kept_by_peer(name) for name in PEERS},
        EVENTBRIDGE: model.kept_by_eventbridge(),
    }
    head = ("of each event", "bytes in S3", "in tables", "in indexes", "a million for a year")
    rows = (
        (name, each.s3_bytes, each.table_bytes, each.index_bytes, _dollars(each.dollars)) for name, each in kept.items()
    )
    return table(head, rows)


def _replayed() -> str:
    sent = _million(model.sent_by_retrace())
    shapes = (
        ("taken in in batches, one entity", TOGETHER),
        ("in batches, several entities", THREES),
        ("one by one, the worst", SCATTERED),
    )
    rows: list[Row] = [
        (f"Retrace, {says}", sent, _million(model.processed_by_retrace(shape))) for says, shape in shapes
    ]
    rows += [
        (NAMES[name], _million(model.sent_by_peer(name)), _million(model.processed_by_peer(name))) for name in PEERS
    ]
    rows += [(EVENTBRIDGE, _million(model.sent_by_eventbridge()), "your own consumer")]
    return table(("a million events", "sent", "received and aggregated"), rows)


def _together() -> str:
    """Taken in in hundreds, kept for a year, replayed and aggregated once."""
    retrace = (model.by_retrace(100), model.sent_by_retrace(), model.processed_by_retrace(THREES))
    totals = {RETRACE: _sum(*retrace) + model.kept_by_retrace(100).dollars}
    for name in PEERS:
        work = (model.by_peer(name, 100), model.sent_by_peer(name), model.processed_by_peer(name))
        totals[NAMES[name]] = _sum(*work) + model.kept_by_peer(name).dollars
    archived = _sum(model.published(of_peer("plain").new), model.sent_by_eventbridge())
    totals[f"{EVENTBRIDGE}, without aggregates"] = archived + model.kept_by_eventbridge().dollars
    return table(("a million events", "dollars"), ((name, _dollars(each)) for name, each in totals.items()))


def _sum(*several: Dollars) -> float:
    return sum(sum(each.values()) for each in several)


def _million(each: Dollars) -> str:
    return _dollars(sum(each.values()))


def _dollars(of_one: float) -> str:
    return f"${of_one * prices.MILLION:,.2f}"


def write(page: Path, generated: Mapping[str, str]) -> None:
    """Put the tables into the page."""
    page.write_text(filled(page.read_text(), generated, "bench.cost"))


def main() -> None:
    """Print the tables, or put them into the page."""
    generated = blocks()
    if "--write" in sys.argv[1:]:
        write(PAGE, generated)
        return
    for name, text in generated.items():
        print(f"{name}\n\n{text}\n")


if __name__ == "__main__":
    main()
