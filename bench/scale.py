"""The tables of docs/scale.md and bench/scale.md: what a replay of a billion events takes, by bench/scale_model.py.

python -m bench.scale            prints them
python -m bench.scale --write    puts them into the pages
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from bench import prices
from bench.assumptions import MB_A_VCPU, Assumptions
from bench.markdown import DOCS, Row, publish, table
from bench.meter import write_units
from bench.metered_aws import AGGREGATES, REPLAYS
from bench.replay_costs import BATCHES, SCATTERED, SHAPES, TOGETHER, Count, count
from bench.scale_model import SERVICES, TABLES, Deployment, Model

PAGE = DOCS / "scale.md"
WORKINGS = Path(__file__).with_suffix(".md")
BILLION = 1_000_000_000
HOT = 100_000

INSTALLED = Deployment()
TEN_JOBS = replace(INSTALLED, says="ten jobs, `ProcessorConcurrency` 100", jobs=10, processors=100)
FORTY_JOBS = replace(
    INSTALLED,
    says="forty jobs, forty planners of 1,769 MB, `ProcessorConcurrency` 500, a table quota of 400,000",
    jobs=40,
    planners=40,
    processors=500,
    planner_mb=MB_A_VCPU,
    table_units=400_000,
)


def blocks(counted: Count) -> Mapping[str, str]:
    """The generated parts of the page, by name."""
    return {
        "dollars": _dollars([Model(counted, shape, BATCHES[0], INSTALLED) for shape in (TOGETHER, SCATTERED)]),
    }


def workings(counted: Count) -> Mapping[str, str]:
    """The generated parts of bench/scale.md, which the page follows from."""
    return {
        "rows": _rows(counted),
        "units": _units(counted),
        "billion": _billion(counted),
        "ceilings": _ceilings(counted),
        "hours": _hours(counted),
        "all-dollars": _dollars(_models(counted)),
        "stored": _stored(counted),
        "hot": _hot(counted),
        "assumptions": table(("assumed", "ms"), ((f"`{each.name}`", each.default) for each in fields(Assumptions))),
        "prices": table(("price", "page", "who read it there, and when"), map(prices.row, prices.PRICES)),
        "quotas": table(("quota", "page"), (prices.row(quota)[:2] for quota in prices.QUOTAS)),
    }


def _models(counted: Count) -> list[Model]:
    return [Model(counted, shape, batch, INSTALLED) for shape in SHAPES for batch in BATCHES]


def _rows(counted: Count) -> str:
    sizes = counted.sizes
    written = {
        "what became of a message": sizes.entry,
        "version with one input": sizes.new_version,
        "version with ten inputs or more": sizes.full_version,
    }
    rows: list[Row] = [
        (name, size, 2 * write_units(size), write_units(size) * prices.KIB - size) for name, size in written.items()
    ]
    rows += [("row of the index", sizes.index_row, "", ""), ("message", sizes.message, "", "")]
    return table(("", "bytes", "units to write it in a transaction", "bytes until it costs two more"), rows)


def _units(counted: Count) -> str:
    costs = {("planning, any shape", ""): counted.planning}
    costs |= {(model.shape.name, str(model.batch)): model.processing for model in _models(counted)}
    rows = (
        (*of, each(cost.calls), each(cost.writes.get(AGGREGATES, 0)), each(cost.writes[REPLAYS]), each(cost.reads))
        for of, cost in costs.items()
        for each in [cost.each]
    )
    head = ("of one message", "batch", "AWS calls", "write units, AggregatesTable", "ReplaysTable", "read units")
    return table(head, rows)


def _billion(counted: Count) -> str:
    """In billions, as a message is one billionth of it."""
    counts = ("write units", "read units", "SQS requests", "S3 GETs", "invocations", "GB-hours of Lambda")
    rows = (
        (
            model.shape.name,
            model.batch,
            f"{sum(map(model.writes, TABLES)):.2f} billion",
            f"{sum(map(model.reads, TABLES)):.2f} billion",
            f"{model.sqs_requests:.2f} billion",
            f"{model.gets * 1_000:,.0f} million",
            f"{model.invocations * 1_000:,.1f} million",
            model.gb_seconds * BILLION / 3_600,
        )
        for model in _models(counted)
    )
    return table(("shape", "batch", *counts), rows)


def _dollars(models: Sequence[Model]) -> str:
    rows = (
        (model.shape.name, model.batch, *(f"${each * BILLION:,.0f}" for each in (*cost, sum(cost))))
        for model in models
        for cost in [tuple(model.dollars.values())]
    )
    return table(("shape", "batch", *SERVICES, "all"), rows)


def _stored(counted: Count) -> str:
    """What stays in AggregatesTable."""
    sizes = counted.sizes
    kept = {"of each message": sizes.entry, "of each entity-day with one event": sizes.new_version}
    kept["of each entity-day with ten events or more"] = sizes.full_version
    gb = {name: BILLION * (size + prices.BYTES_A_ROW) / prices.KIB**3 for name, size in kept.items()}
    rows = ((name, each, f"${each * prices.STORED_GB_MONTH.value:,.0f}") for name, each in gb.items())
    return table(("a billion rows", "GB", "dollars a month"), rows)


def _ceilings(counted: Count) -> str:
    best, worst = (Model(counted, shape, BATCHES[0], INSTALLED).ceilings() for shape in (TOGETHER, SCATTERED))
    of_best = {each.name: each.messages_a_second for each in best}
    rows = ((each.name, each.messages_a_second, of_best[each.name], each.to_raise) for each in worst)
    return table(("what binds, the lowest first", SCATTERED.name, TOGETHER.name, "what raises it"), rows)


def _hours(counted: Count) -> str:
    rows = []
    for deployment in (INSTALLED, TEN_JOBS, FORTY_JOBS):
        for shape in (TOGETHER, SCATTERED):
            bound = Model(counted, shape, BATCHES[0], deployment).binding()
            hours = BILLION / bound.messages_a_second / 3_600
            rows.append((deployment.says, shape.name, bound.messages_a_second, hours, bound.name))
    return table(("deployment", "shape", "messages a second", "hours for a billion", "what binds"), rows)


def _hot(counted: Count) -> str:
    """One entity-day: its ledger is one partition, its version one row that one transaction at a time can change."""
    rows = []
    for batch in BATCHES:
        model = Model(counted, TOGETHER, batch, INSTALLED)
        entries = 2 * HOT / prices.PARTITION_WRITES.value
        a_transaction = model.processing.events / model.processing.calls["TransactWriteItems"]
        turn_s = (model.assumed.read_ms + model.assumed.transaction_ms) / 1_000
        rows.append((batch, entries, HOT / a_transaction * turn_s, max(entries, HOT / a_transaction * turn_s)))
    head = (f"{HOT:,} messages of one entity-day, in batches of", "its ledger, s", "its version, s", "at least, s")
    return table(head, rows)


if __name__ == "__main__":
    once = count()
    publish(PAGE, "bench.scale", blocks(once))
    publish(WORKINGS, "bench.scale", workings(once))
