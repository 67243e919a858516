"""What the bench makes of its measurements."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest

from bench import cold, exports, producer
from bench.assumptions import Assumptions
from bench.compare import ALL, Measured, workings
from bench.contenders import CALL_MS
from bench.markdown import DOCS, PERFORMANCE, filled
from bench.orders import orders
from bench.rounds import Load, Rates, alternating, require_equal
from bench.throughput import Replayed, Scenario
from chalicelib.core.lossless_json import parse
from chalicelib.events.event import parse_native


def test_contenders_take_turns_and_another_one_is_first_in_each_round() -> None:
    called: list[str] = []

    def measured(name: str) -> Load:
        called.append(name)
        return Load(len(called), 1.0)

    rates = alternating("work", {"a": lambda _: measured("a"), "b": lambda _: measured("b")})

    assert called == ["a", "b", "b", "a", "a", "b"]
    assert rates.of == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_exports_are_compared_with_a_request_for_each_event() -> None:
    rates = Rates({name: [10.0 * number] * 3 for number, name in enumerate(exports.NAMES, 1)})

    first, *_, last = exports.rows(rates).splitlines()[2:]

    assert first == "| a request for each | 10 | 1 |"
    assert last == "| boto3 and DuckDB | 40 | 4 |"
    assert all(f"| {name} |" in PERFORMANCE.read_text() for name in exports.NAMES)


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    rates = Rates({"ours": [10, 40, 90], "theirs": [10, 10, 10]})

    assert (rates.median("ours"), rates.ratio("ours", "theirs")) == (40, 4)
    assert (rates.median("others"), rates.ratio("ours", "others")) == (None, None)


def test_waits_are_of_all_requests_together() -> None:
    rates = Rates()
    rates.add("a", Load(50, 1.0, tuple(n / 1_000 for n in range(50))))
    rates.add("a", Load(51, 1.0, tuple(n / 1_000 for n in range(50, 101))))
    rates.add("b", Load(1, 1.0, (0.007,)))

    assert rates.wait_ms("a", 50) == pytest.approx(50)
    assert rates.wait_ms("a", 99) == pytest.approx(99)
    assert rates.wait_ms("b", 99) == 7
    assert rates.wait_ms("c", 99) is None


def test_contenders_that_did_not_do_the_same_are_not_compared() -> None:
    require_equal({"a": 1, "b": 1}, "rows")

    with pytest.raises(RuntimeError, match="rows did not do the same work"):
        require_equal({"a": 1, "b": 2}, "rows")


def test_every_event_of_the_bench_is_valid_and_another_one() -> None:
    events = [parse_native(parse(repr(order).replace("'", '"'))) for order in orders("order.paid", 0, 2_000)]

    assert len({event.event_id for event in events}) == 2_000
    assert events == sorted(events, key=lambda event: str(event.event_time))


def test_aws_is_no_farther_away_than_any_call_is_assumed_to_be() -> None:
    assumed = [ms for name, ms in asdict(Assumptions()).items() if not name.startswith("cpu_")]

    assert len(assumed) == 7
    assert min(assumed) >= CALL_MS


@pytest.fixture
def measured() -> Measured:
    """A run in which Powertools took part in some of the work."""
    scenario = Scenario(100, 1, 16)
    rates = Rates({"Retrace": [1_500.0], "plain": [100.0]}, {"Retrace": [0.1, 0.3], "plain": [0.1, 0.3]})
    replayed = Replayed(scenario, rates, Rates({"Retrace": [900.0], "plain": [300.0], "Powertools": [200.0]}))
    return Measured(
        ingested={scenario: rates},
        ingested_far={scenario: rates},
        replayed=[replayed],
        replayed_far=[replayed],
        in_hundreds=[replayed],
        asked={100: Rates({}, {"Retrace": [0.009], "plain": [0.008], "Powertools": [0.01]})},
    )


def test_a_contender_that_did_not_take_part_has_an_empty_cell(measured: Measured) -> None:
    generated = workings(measured)

    assert generated["ingest"].splitlines()[-1] == "| 100 | 1 | 1,500 | 100 |  | 15 |  |"
    assert generated["waits"].splitlines()[-1] == "| 100 | 200 | 298 | 200 | 298 |  |  |"
    assert generated["ingest-far"].splitlines()[-1] == "| 100 | 1 | 1,500 | 100 | 15 |"
    assert generated["processing"].splitlines()[-1] == "| requests of 100 events | 4,800 | 900 | 300 | 200 | 3 | 4.5 |"
    assert generated["queries"].splitlines()[-1] == "| 100 | 9 | 8 | 10 |"


def test_the_page_has_the_tables_that_are_generated_with_their_columns(measured: Measured) -> None:
    page, generated = PERFORMANCE.read_text(), workings(measured)
    marked = re.findall(r"<!-- bench\.compare: (\S+) -->\n(.*)\n(.*)\n", page)

    heads = [(name, *text.splitlines()[:1]) for name, text in generated.items()]
    assert [(name, head) for name, head, _ in marked] == heads
    assert filled(page, generated, "bench.compare").count("|\n<!-- /") == page.count("|\n<!-- /")


def measurements(name: str) -> list[dict[str, str]]:
    """The rows of a table of bench/performance.md, by its columns."""
    [text] = re.findall(rf"<!-- bench\.\w+: {name} -->\n(.*?)\n<!--", PERFORMANCE.read_text(), re.DOTALL)
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def taken_in_by(size: str) -> list[dict[str, str]]:
    return [row for row in measurements("ingest") if row["events a request"] == size]


@pytest.mark.parametrize("peer", ALL[1:])
def test_the_page_for_readers_has_the_ratios_that_were_measured(peer: str) -> None:
    page = (DOCS / "performance.md").read_text()
    measured = {
        "single events": taken_in_by("1"),
        "tens": taken_in_by("10"),
        "hundreds": taken_in_by("100"),
        r"\[sends a replay\]\S+": measurements("sending"),
        r"\[processes messages\]\S+ in tens": measurements("processing"),
        r"\[in hundreds\]\S+ as on AWS": measurements("in-hundreds"),
    }
    for says, rows in measured.items():
        [cells] = re.findall(rf"^\|(?: \[takes in\]\S+)? {says} \| ([^|]*) \| ([^|]*)\|$", page, re.MULTILINE)
        said = [float(number) for number in re.findall(r"[\d.]+", cells[ALL[1:].index(peer)])]
        ratios = sorted(float(row[f"times {peer}"]) for row in rows if row.get(f"times {peer}"))
        assert said[:1] + said[-1:] == pytest.approx(ratios[:1] + ratios[-1:], rel=0.15), says


def test_the_page_for_readers_says_how_many_times_as_fast_the_producer_is() -> None:
    [said] = re.findall(r"sends \[(\d+) times as fast\]", (DOCS / "performance.md").read_text())
    *_, looped = measurements("producer")

    assert looped["sent by"] == producer.LOOP
    assert int(said) == round(float(looped["times as fast is the producer"]))


def test_a_cold_function_takes_an_event_in_for_the_bench() -> None:
    *_, row = cold.measured(("app",), rounds=1).splitlines()  # it fails if the function does not answer 201

    assert row.startswith("| `app` | ")


def test_a_producer_is_compared_with_each_other_way_to_send() -> None:
    sent = Rates(
        {producer.PRODUCER: [1000, 2000, 3000], producer.INGEST: [1000, 1000, 1000], producer.LOOP: [10, 10, 10]}
    )
    found = producer.tables(sent, Rates({"fsync=False": [5.0], "fsync=True": [1.0]}))

    assert found["producer"].splitlines()[2:] == [
        "| `retrace.Producer` | 2,000 | 1 |",
        "| `retrace ingest` | 1,000 | 2 |",
        "| `requests.post` | 10 | 200 |",
    ]
    assert found["send"].splitlines()[2:] == ["| `fsync=False` | 5 |", "| `fsync=True` | 1 |"]
    assert filled(PERFORMANCE.read_text(), found, "bench.producer").count("| `retrace.Producer` | 2,000 | 1 |") == 1
