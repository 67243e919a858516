"""The tables of docs/cost.md and bench/cost.md: what events cost, as counted and by bench/cost_model.py.

python -m bench.cost [--write]
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench import cost_model as model
from bench import prices
from bench.destination_costs import Sending, reporting_takes, sending_takes
from bench.event_costs import PEERS, SIZES, of_peer, taken_in, taken_in_again
from bench.markdown import DOCS, Row, publish, table
from bench.prices import API, EVENTBRIDGE, LAMBDA, READS, S3, WRITES, Dollars, dollars
from bench.replay_costs import SCATTERED, THREES, TOGETHER
from bench.scale_model import Model
from chalicelib.replays.destinations import DestinationKind

PAGE = DOCS / "cost.md"
WORKINGS = Path(__file__).with_suffix(".md")
NAMES = {"plain": "plain", "powertools": "Powertools"}
RETRACE = "Retrace"


def blocks() -> Mapping[str, str]:
    """The generated parts of the page, by name."""
    return {"ingested": _ingested(), "together": _together()}


def workings() -> Mapping[str, str]:
    """The generated parts of bench/cost.md, which the page follows from."""
    return {
        "calls": _calls(),
        "services": _services(),
        "kept": _kept(),
        "replayed": _replayed(),
        "destinations": _destinations(),
    }


def _calls() -> str:
    costs = {("Retrace, new", str(size)): taken_in(size) for size in SIZES}
    costs |= {("Retrace, known", str(size)): taken_in_again(size) for size in (1, 100)}
    for name in PEERS:
        costs[f"{NAMES[name]}, new", "any"] = of_peer(name).new
        costs[f"{NAMES[name]}, known", "any"] = of_peer(name).known
    head = ("", "events a request", "AWS calls", "write units", "of indexes", "read units", "S3 bytes", "table bytes")
    rows = (
        (*of, cost.each(cost.calls), *cost.units, cost.s3_bytes, cost.table_bytes + cost.index_bytes)
        for of, cost in costs.items()
    )
    return table(head, rows)


def _ingested() -> str:
    rows: list[Row] = [
        (RETRACE, *(_dollars(model.by_retrace(size)) for size in SIZES)),
        (f"{RETRACE}, duplicates", *(_dollars(model.by_retrace(size, known=True)) for size in SIZES)),
        *((NAMES[name], *(_dollars(model.by_peer(name, size)) for size in SIZES)) for name in PEERS),
        (f"{EVENTBRIDGE}, in tens at most", *(_dollars(model.published()) for _ in SIZES)),
    ]
    return table(("a million events, in requests of", *(f"{size:,}" for size in SIZES)), rows)


def _services() -> str:
    services = (API, WRITES, READS, S3, LAMBDA)
    rows = (
        (f"{who}, {how}", *(_dollars({service: charged[service]}) for service in services))
        for who, name in ((RETRACE, ""), *((NAMES[name], name) for name in PEERS))
        for how, size in (("one by one", 1), ("in hundreds", 100))
        for charged in [model.by_peer(name, size) if name else model.by_retrace(size)]
    )
    return table(("a million events", *services), rows)


def _kept() -> str:
    kept = {
        "Retrace, one by one": model.kept_by_retrace(1),
        "Retrace, in hundreds": model.kept_by_retrace(100),
        **{NAMES[name]: model.kept_by_peer(name) for name in PEERS},
        EVENTBRIDGE: model.kept_by_eventbridge(),
    }
    rows = (
        (name, each.s3_bytes, each.table_bytes, each.index_bytes, _dollars({"": each.dollars}))
        for name, each in kept.items()
    )
    return table(("of each event", "bytes in S3", "in tables", "in indexes", "a million for a year"), rows)


def _replayed() -> str:
    shapes = {
        "taken in in batches, one entity": TOGETHER,
        "in batches, several entities": THREES,
        "one by one, the worst": SCATTERED,
    }
    sent = _dollars(dollars(Model(TOGETHER).sending_takes))
    processed = {says: _dollars(dollars(Model(shape).processing_takes)) for says, shape in shapes.items()}
    rows: list[Row] = [
        *((f"Retrace, {says}", sent, each) for says, each in processed.items()),
        *((NAMES[name], _dollars(model.sent_by_peer(name)), _dollars(model.processed_by_peer(name))) for name in PEERS),
        (EVENTBRIDGE, _dollars(model.sent_by_eventbridge()), "your own consumer"),
    ]
    return table(("a million events", "sent", "received and aggregated"), rows)


def _together() -> str:
    """Taken in in hundreds, kept for a year, replayed and aggregated once."""
    retrace = (model.by_retrace(100), dollars(Model(TOGETHER).sending_takes), dollars(Model(THREES).processing_takes))
    rows = [(RETRACE, _dollars(*retrace, {"": model.kept_by_retrace(100).dollars}))]
    for name in PEERS:
        work = (model.by_peer(name, 100), model.sent_by_peer(name), model.processed_by_peer(name))
        rows.append((NAMES[name], _dollars(*work, {"": model.kept_by_peer(name).dollars})))
    archived = (model.published(), model.sent_by_eventbridge(), {"": model.kept_by_eventbridge().dollars})
    return table(("a million events", "dollars"), [*rows, (f"{EVENTBRIDGE}, without aggregates", _dollars(*archived))])


def _destinations() -> str:
    kinds = {
        "`queue`": Sending(DestinationKind.QUEUE),
        "`fifo`, many entities": Sending(DestinationKind.FIFO),
        "`fifo`, one entity": Sending(DestinationKind.FIFO, entities=1),
        "`eventbridge`": Sending(DestinationKind.EVENTBRIDGE),
    }
    reports = reporting_takes().usd
    sent = ((says, sending_takes(sending).usd) for says, sending in kinds.items())
    rows = ((says, _dollars({"": usd}), _dollars({"": usd + reports})) for says, usd in sent)
    return table(("a million messages to", "dollars", "with `reports`"), rows)


def _dollars(*of_one: Dollars) -> str:
    """Of a million events."""
    return f"${prices.MILLION * sum(sum(each.values()) for each in of_one):,.2f}"


if __name__ == "__main__":
    publish(PAGE, "bench.cost", blocks())
    publish(WORKINGS, "bench.cost", workings())
