"""The tables of docs/scale.md and bench/scale.md: what a replay of a billion events takes, by bench/scale_model.py.

python -m bench.scale [--write]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from bench import prices
from bench.assumptions import ASSUMED, MB_A_VCPU, Assumptions
from bench.markdown import DOCS, Row, publish, table
from bench.meter import write_units
from bench.metered_aws import AGGREGATES, REPLAYS
from bench.prices import LAMBDA, READS, S3, SQS, WRITES, dollars
from bench.replay_costs import BATCHES, SCATTERED, SHAPES, TOGETHER, planned, sizes
from bench.scale_model import INSTALLED, Model

PAGE = DOCS / "scale.md"
WORKINGS = Path(__file__).with_suffix(".md")
BILLION = 1_000_000_000
HOT = 100_000

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

MODELS = [Model(shape, batch) for shape in SHAPES for batch in BATCHES]


def blocks() -> Mapping[str, str]:
    """The generated parts of the page, by name."""
    return {"dollars": _dollars([Model(TOGETHER), Model(SCATTERED)])}


def workings() -> Mapping[str, str]:
    """The generated parts of bench/scale.md, which the page follows from."""
    return {
        "rows": _rows(),
        "units": _units(),
        "billion": _billion(),
        "ceilings": _ceilings(),
        "hours": _hours(),
        "all-dollars": _dollars(MODELS),
        "stored": _stored(),
        "hot": _hot(),
        "assumptions": table(("assumed", "ms"), ((f"`{each.name}`", each.default) for each in fields(Assumptions))),
    }


def _rows() -> str:
    of = sizes()
    written = {
        "what became of a message": of["outcome"],
        "version with one input": of["new version"],
        "version with ten inputs or more": of["full version"],
    }
    rows: list[Row] = [
        (name, size, 2 * write_units(size), write_units(size) * prices.KIB - size) for name, size in written.items()
    ]
    rows += [("row of the index", of["index row"], "", ""), ("message", of["message"], "", "")]
    return table(("", "bytes", "units to write it in a transaction", "bytes until it costs two more"), rows)


def _units() -> str:
    costs = {("planning, any shape", ""): planned()}
    costs |= {(model.shape.name, str(model.batch)): model.processing for model in MODELS}
    rows = (
        (*of, each(cost.calls), each(cost.writes.get(AGGREGATES, 0)), each(cost.writes[REPLAYS]), each(cost.reads))
        for of, cost in costs.items()
        for each in [cost.each]
    )
    head = ("of one message", "batch", "AWS calls", "write units, AggregatesTable", "ReplaysTable", "read units")
    return table(head, rows)


def _billion() -> str:
    """In billions, as a message is one billionth of it."""
    counts = ("write units", "read units", "SQS requests", "S3 GETs", "invocations", "GB-hours of Lambda")
    rows = (
        (
            model.shape.name,
            model.batch,
            f"{takes.write_units:.2f} billion",
            f"{takes.read_units:.2f} billion",
            f"{takes.sqs_requests:.2f} billion",
            f"{takes.gets * 1_000:,.0f} million",
            f"{takes.invocations * 1_000:,.1f} million",
            takes.gb_seconds * BILLION / 3_600,
        )
        for model in MODELS
        for takes in [model.takes]
    )
    return table(("shape", "batch", *counts), rows)


def _dollars(models: Sequence[Model]) -> str:
    services = (WRITES, READS, SQS, S3, LAMBDA)
    rows = (
        (model.shape.name, model.batch, *(f"${each * BILLION:,.0f}" for each in (*cost, sum(cost))))
        for model in models
        for charged in [dollars(model.takes)]
        for cost in [[charged[service] for service in services]]
    )
    return table(("shape", "batch", *services, "all"), rows)


def _stored() -> str:
    """What stays in AggregatesTable."""
    of = sizes()
    kept = {"of each message": of["outcome"], "of each entity-day with one event": of["new version"]}
    kept["of each entity-day with ten events or more"] = of["full version"]
    gb = {name: BILLION * (size + prices.BYTES_A_ROW) / prices.KIB**3 for name, size in kept.items()}
    rows = ((name, each, f"${each * prices.STORED_GB_MONTH:,.0f}") for name, each in gb.items())
    return table(("a billion rows", "GB", "dollars a month"), rows)


def _ceilings() -> str:
    best, worst = (Model(shape).ceilings() for shape in (TOGETHER, SCATTERED))
    of_best = {each.name: each.messages_a_second for each in best}
    rows = ((each.name, each.messages_a_second, of_best[each.name], each.to_raise) for each in worst)
    return table(("what binds, the lowest first", SCATTERED.name, TOGETHER.name, "what raises it"), rows)


def _hours() -> str:
    rows = []
    for deployment in (INSTALLED, TEN_JOBS, FORTY_JOBS):
        for shape in (TOGETHER, SCATTERED):
            bound = Model(shape, deployment=deployment).binding()
            hours = BILLION / bound.messages_a_second / 3_600
            rows.append((deployment.says, shape.name, bound.messages_a_second, hours, bound.name))
    return table(("deployment", "shape", "messages a second", "hours for a billion", "what binds"), rows)


def _hot() -> str:
    """One entity-day: its ledger is one partition, its version one row that one transaction at a time can change."""
    rows = []
    for batch in BATCHES:
        model = Model(TOGETHER, batch)
        entries = 2 * HOT / prices.PARTITION_WRITES
        a_transaction = model.processing.events / model.processing.calls["TransactWriteItems"]
        turn_s = (ASSUMED.read_ms + ASSUMED.transaction_ms) / 1_000
        rows.append((batch, entries, HOT / a_transaction * turn_s, max(entries, HOT / a_transaction * turn_s)))
    head = (f"{HOT:,} messages of one entity-day, in batches of", "its ledger, s", "its version, s", "at least, s")
    return table(head, rows)


if __name__ == "__main__":
    publish(PAGE, "bench.scale", blocks())
    publish(WORKINGS, "bench.scale", workings())
