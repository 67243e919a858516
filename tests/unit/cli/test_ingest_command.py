"""`retrace ingest` against a server: what it sends, what it tells, how it ends."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from retrace.command_line import app
from retrace.problem import Exit, Problem
from tests.unit.cli.ingest_api import IngestApi, Trouble, environment, numbered, serving

Run = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[IngestApi]:
    with serving(IngestApi()) as api:
        yield api


@pytest.fixture
def run(api: IngestApi, tmp_path: Path) -> Run:
    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        runner = CliRunner(env=environment(tmp_path))
        return runner.invoke(app, ["--url", api.url, "ingest", *map(str, arguments)], input=stdin)

    return run


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def summary(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


COUNTS = ("events", "accepted", "duplicate", "conflict", "rejected")


def counts(result: Result) -> list[int]:
    return [summary(result)[name] for name in COUNTS]


def test_every_event_is_sent_once_in_batches_within_the_limits(api: IngestApi, run: Run, tmp_path: Path) -> None:
    lines = numbered(2_500)

    result = run(written(tmp_path / "a.ndjson", lines))

    assert result.exit_code == Exit.DONE
    assert counts(result) == [2_500, 2_500, 0, 0, 0]
    assert max(map(len, api.batches)) <= 1_000
    assert sum(map(len, api.batches)) == 2_500
    assert set(api.taken) == set(lines)
    assert max(api.taken.values()) == 1


@pytest.mark.parametrize(("option", "most"), [("--batch-events", 7), ("--batch-bytes", 1_000)])
def test_batches_are_as_small_as_one_asks(api: IngestApi, run: Run, tmp_path: Path, option: str, most: int) -> None:
    run(written(tmp_path / "a.ndjson", numbered(50)), option, str(most))

    sizes = [len(batch) if option == "--batch-events" else len(b"\n".join(batch)) for batch in api.batches]
    assert max(sizes) <= most
    assert sum(map(len, api.batches)) == 50


def test_bodies_stay_below_the_limit_and_one_large_event_goes_alone(api: IngestApi, run: Run, tmp_path: Path) -> None:
    large = [line.replace(b'"payload":', b'"payload":"%s' % (b"x" * size), 1) for line, size in LARGE]

    run(written(tmp_path / "a.ndjson", large))

    sizes = sorted(len(b"\n".join(batch)) for batch in api.batches)
    assert sizes[-1] == max(map(len, large))
    assert all(size <= 4_400_000 for size in sizes[:-1])
    assert sum(map(len, api.batches)) == len(LARGE)


LARGE = [(line, 1_300_000 if number != 5 else 4_800_000) for number, line in enumerate(numbered(9))]


def test_several_files_of_several_formats_go_in_together(api: IngestApi, run: Run, tmp_path: Path) -> None:
    lines = numbered(30)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"[" + b",".join(lines[:10]) + b"]"))
    table = "n,entity_id\n" + "".join(f"{number},order-{number}\n" for number in range(5))
    (tmp_path / "c.csv").write_text(table)

    first = run(tmp_path / "a.json.gz", written(tmp_path / "b.ndjson", lines[10:]))
    constants = ["--set", "source=shop", "--set", "event_type=paid", "--set", "event_time=2026-11-21T10:00:00Z"]
    second = run(tmp_path / "c.csv", *constants, "--map", "idempotency_key=n")

    assert counts(first) == [30, 30, 0, 0, 0]
    assert counts(second) == [5, 5, 0, 0, 0]
    assert json.loads(max(api.taken))["source"] == "shop"
    assert b'"idempotency_key":"4"' in b"".join(api.taken)


CLOUDEVENT = b'{"specversion":"1.0","id":"%d","source":"s","type":"t","data":{"n":1.10}}'


@pytest.mark.parametrize("layout", [b"%s", b"[%s,\n%s]", b"%s\n%s", b"{\n%s"])
def test_cloudevents_are_sent_as_cloudevents(api: IngestApi, run: Run, tmp_path: Path, layout: bytes) -> None:
    events = [CLOUDEVENT % number for number in range(layout.count(b"%"))]
    pretty = layout.startswith(b"{")
    content = layout % (events[0][1:] if pretty else tuple(events))

    result = run(written(tmp_path / "a.json", [content]), "--rejects", tmp_path / "r")

    assert counts(result) == [len(events), len(events), 0, 0, 0]
    assert set(api.taken) == ({b"{ " + events[0][1:]} if pretty else set(events))


def test_cloudevents_and_others_go_in_batches_of_their_own(api: IngestApi, run: Run, tmp_path: Path) -> None:
    native = b'{"source":"shop","payload":{"specversion":"1.0"}}'
    broken = [b'{"specversion":"1.0",}', b'{"specversion":' + b"[" * 300 + b"]" * 300 + b"}"]
    lines = [CLOUDEVENT % 1, CLOUDEVENT % 2, native, *broken, CLOUDEVENT % 3]

    result = run(written(tmp_path / "a.ndjson", lines), "-c", "1")

    assert counts(result) == [6, 6, 0, 0, 0]
    assert api.batches == [lines[:2], lines[2:5], lines[5:]]


def test_what_is_there_already_is_told_apart(api: IngestApi, run: Run, tmp_path: Path) -> None:
    run(written(tmp_path / "a.ndjson", numbered(10)))

    result = run(written(tmp_path / "b.ndjson", numbered(15)))

    assert result.exit_code == Exit.DONE
    assert counts(result) == [15, 5, 10, 0, 0]


def test_refusals_are_written_as_they_are_and_beside_them_place_and_reason(run: Run, tmp_path: Path) -> None:
    lines = [
        *numbered(2),
        b'{"refuse": 1.10}',
        b"",
        b"refuse {",
        b'{"conflict":1}',
        b'{"x":"%s"}' % (b"y" * 10_000_000),
    ]
    rejects = tmp_path / "rejects.ndjson"

    result = run(written(tmp_path / "a.ndjson", [*lines, b'{"a":', b"1,}"]), "--rejects", rejects)

    assert result.exit_code == Exit.DIFFERENT
    assert counts(result) == [7, 2, 0, 1, 4]
    assert summary(result)["not_sent"] == 2
    assert rejects.read_bytes() == b'{"refuse": 1.10}\nrefuse {\n{"conflict":1}\n{"a":\n1,}\n'
    told = [json.loads(line) for line in (tmp_path / "rejects.ndjson.reasons").read_bytes().splitlines()]
    assert [(one["rejects_line"], one["line"], one["status"], one.get("refused_by")) for one in told] == [
        (1, 3, "REJECTED", None),
        (2, 5, "REJECTED", None),
        (3, 6, "CONFLICT", None),
        (None, 7, "REJECTED", "retrace ingest"),
        (4, 8, "REJECTED", "retrace ingest"),
    ]
    assert told[0]["errors"] == [{"field": "payload", "message": "is bad"}]
    assert told[0]["rejected_id"] == "r-1"
    assert {one["file"] for one in told} == {str(tmp_path / "a.ndjson")}


def test_what_was_refused_is_corrected_by_hand_and_sent_with_every_number_as_it_was(
    api: IngestApi, run: Run, tmp_path: Path
) -> None:
    event = b'{"source":"shop","refuse":1,"payload":{"order":9007199254740993,"amount":1.10,"rate":1e2}}'
    first, again = tmp_path / "r.ndjson", tmp_path / "again.ndjson"
    run(written(tmp_path / "a.ndjson", [b'["refuse"]', event, b'{"refuse":', event]), "--rejects", first)
    first.write_bytes(first.read_bytes().replace(b'"refuse":1,', b""))

    result = run(first, "--rejects", again)

    assert counts(result) == [4, 1, 1, 0, 2]
    assert set(api.taken) == {event.replace(b'"refuse":1,', b"")}
    assert again.read_bytes() == b'["refuse"]\n{"refuse":\n'


def test_places_of_rejects_go_on_where_a_run_was_stopped(api: IngestApi, run: Run, tmp_path: Path) -> None:
    path, rejects = written(tmp_path / "a.ndjson", [b'{"refuse":%d}' % n for n in range(4)]), tmp_path / "r"
    options = ("--rejects", rejects, "--batch-events", "1", "-c", "1")
    api.trouble = lambda lines: (403, {}) if len(api.batches) == 2 else ()
    run(path, *options)
    api.trouble = lambda lines: ()

    run(path, *options, "--resume")

    reasons = (tmp_path / "r.reasons").read_text().splitlines()
    assert [json.loads(one)["rejects_line"] for one in reasons] == [1, 2, 3, 4]
    assert len(rejects.read_bytes().splitlines()) == 4


def test_standard_input_is_read(api: IngestApi, run: Run) -> None:
    result = run("-", stdin=gzip.compress(b"\n".join(numbered(3))))

    assert counts(result) == [3, 3, 0, 0, 0]


def test_a_dry_run_asks_for_one_and_leaves_nothing(api: IngestApi, run: Run, tmp_path: Path) -> None:
    result = run(written(tmp_path / "a.ndjson", numbered(3)), "--dry-run")

    assert counts(result) == [3, 3, 0, 0, 0]
    assert api.queries == ["results=all&dry_run=true"]
    assert not api.taken
    assert not (tmp_path / "state").exists()


def test_a_checkpoint_is_gone_when_all_is_sent(api: IngestApi, run: Run, tmp_path: Path) -> None:
    run(written(tmp_path / "a.ndjson", numbered(3)))

    assert list((tmp_path / "state/retrace").iterdir()) == []


def test_troubles_that_pass_cost_nothing(api: IngestApi, run: Run, tmp_path: Path) -> None:
    troubles: list[Trouble] = [(503, {"title": "later"}), (429, {"message": "Too Many Requests"}), None, (502, {})]
    api.trouble = lambda lines: troubles.pop() if troubles else ()

    result = run(written(tmp_path / "a.ndjson", numbered(100)), "--batch-events", "10")

    assert result.exit_code == Exit.DONE
    assert counts(result) == [100, 100, 0, 0, 0]
    assert set(api.taken.values()) == {1}


def test_an_answer_that_gets_lost_makes_duplicates_and_never_two(api: IngestApi, run: Run, tmp_path: Path) -> None:
    lost = [True]

    def taken_but_not_told(lines: list[bytes]) -> Trouble | tuple[()]:
        if lost:
            lost.pop()
            api.taken.update(lines)
            return None
        return ()

    api.trouble = taken_but_not_told

    result = run(written(tmp_path / "a.ndjson", numbered(20)), "--batch-events", "10")

    assert counts(result) == [20, 10, 10, 0, 0]
    assert set(api.taken.values()) == {1}


def test_a_body_that_is_too_large_goes_in_parts(api: IngestApi, run: Run, tmp_path: Path) -> None:
    def too_large(lines: list[bytes]) -> Trouble | tuple[()]:
        return (413, {"message": "Request Too Long"}) if len(lines) > 3 or b"huge" in b"".join(lines) else ()

    api.trouble = too_large
    lines = [*numbered(10), b'{"huge":1}', *numbered(9, 10)]

    result = run(written(tmp_path / "a.ndjson", lines), "--rejects", tmp_path / "r")

    assert result.exit_code == Exit.DIFFERENT
    assert counts(result) == [20, 19, 0, 0, 1]
    assert (tmp_path / "r").read_bytes() == b'{"huge":1}\n'
    assert json.loads((tmp_path / "r.reasons").read_bytes())["line"] == 11


@pytest.mark.parametrize(
    ("answer", "code"),
    [((403, {"message": "not authorized"}), Exit.REFUSED), ((415, {"detail": "no"}), Exit.REFUSED)],
)
def test_what_does_not_pass_ends_it_and_resume_goes_on(
    api: IngestApi, run: Run, tmp_path: Path, answer: tuple[int, dict[str, str]], code: int
) -> None:
    path, events = written(tmp_path / "a.ndjson", numbered(100)), ("--batch-events", "10", "-c", "1")
    api.trouble = lambda lines: answer if len(api.batches) == 4 else ()

    failed = run(path, *events)
    api.trouble = lambda lines: ()
    resumed = run(path, *events, "--resume")

    assert isinstance(failed.exception, Problem)
    assert failed.exception.exit_code == code
    assert "--resume" in failed.exception.remedy
    assert counts(failed) == [40, 40, 0, 0, 0]
    assert not summary(failed)["finished"]
    assert resumed.exit_code == Exit.DONE
    assert counts(resumed) == [100, 100, 0, 0, 0]
    assert summary(resumed)["resumed_at"] == 40
    assert sum(map(len, api.batches)) == 100


def test_a_file_that_breaks_off_is_sent_up_to_there(api: IngestApi, run: Run, tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [line.replace(b"}", b',"x":"%d"}' % rng.getrandbits(900)) for line in numbered(3_000)]
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(lines))[:-200_000])

    result = run(tmp_path / "a.ndjson.gz")

    assert isinstance(result.exception, Problem)
    assert "is not whole" in result.exception.what
    assert counts(result)[1] == len(api.taken) > 1_000
    assert api.taken == dict.fromkeys(lines[: len(api.taken)], 1)


def test_resume_goes_on_only_with_the_same_content_and_options(api: IngestApi, run: Run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", numbered(40))
    options = ("--checkpoint", tmp_path / "kept", "--batch-events", "10", "-c", "1")
    api.trouble = lambda lines: (403, {}) if len(api.batches) == 2 else ()
    run(path, *options)
    api.trouble = lambda lines: ()

    kept = (tmp_path / "kept").read_bytes()
    again = run(path, *options, "--dry-run")
    as_lines = run(path, *options, "--resume", "--format", "ndjson")
    (tmp_path / "kept").write_bytes(kept)
    written(path, numbered(41))
    changed = run(path, *options, "--resume")

    assert counts(again) == [40, 20, 20, 0, 0]
    assert counts(as_lines) == [40, 20, 20, 0, 0]
    assert counts(changed) == [41, 1, 40, 0, 0]
    for anew in (as_lines, changed):
        assert summary(anew)["resumed_at"] == 0
        assert "nothing to resume" in anew.stderr
    assert not (tmp_path / "kept").exists()


def test_a_run_that_could_go_on_says_so(api: IngestApi, run: Run, tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", numbered(40))
    options = ("--checkpoint", tmp_path / "kept", "--batch-events", "10", "-c", "1")
    api.trouble = lambda lines: (403, {}) if len(api.batches) == 2 else ()
    run(path, *options)
    api.trouble = lambda lines: ()

    anew = run(path, *options)

    assert counts(anew) == [40, 20, 20, 0, 0]
    assert "Add --resume" in anew.stderr


def test_resume_with_nothing_to_go_on_with_begins_at_the_beginning(api: IngestApi, run: Run, tmp_path: Path) -> None:
    result = run(written(tmp_path / "a.ndjson", numbered(3)), "--resume")

    assert counts(result) == [3, 3, 0, 0, 0]
    assert "nothing to resume" in result.stderr


@pytest.mark.parametrize("answer", [(403, {}), (415, {"detail": "no"})])
def test_a_run_that_fails_before_its_first_event_leaves_no_checkpoint(
    api: IngestApi, run: Run, tmp_path: Path, answer: Trouble
) -> None:
    api.trouble = lambda lines: answer

    result = run(written(tmp_path / "a.ndjson", numbered(40)))

    assert isinstance(result.exception, Problem)
    assert list((tmp_path / "state/retrace").iterdir()) == []


def test_a_run_that_fails_before_its_first_event_leaves_the_checkpoint_of_another_as_it_was(
    api: IngestApi, run: Run, tmp_path: Path
) -> None:
    path, kept = written(tmp_path / "a.ndjson", numbered(40)), tmp_path / "kept"
    options = ("--checkpoint", kept, "--batch-events", "10", "-c", "1")
    api.trouble = lambda lines: (403, {}) if len(api.batches) == 2 else ()
    run(path, *options)
    before = kept.read_bytes()
    api.trouble = lambda lines: (403, {})

    run(path, *options)

    assert kept.read_bytes() == before


def test_a_checkpoint_that_cannot_be_written_is_told_before_anything_is_sent(
    api: IngestApi, run: Run, tmp_path: Path
) -> None:
    result = run(written(tmp_path / "a.ndjson", numbered(3)), "--checkpoint", "/proc/kept")

    assert isinstance(result.exception, Problem)
    assert "cannot be written" in result.exception.what
    assert not api.batches


def test_a_file_that_is_no_checkpoint_is_not_overwritten(api: IngestApi, run: Run, tmp_path: Path) -> None:
    mine = written(tmp_path / "mine", [b"my notes"])

    result = run(written(tmp_path / "a.ndjson", numbered(3)), "--checkpoint", mine)

    assert isinstance(result.exception, Problem)
    assert mine.read_bytes() == b"my notes\n"
    assert not api.taken


@pytest.mark.parametrize(
    "arguments",
    [
        ["-", "a.ndjson"],
        ["-", "--resume"],
        ["a.ndjson", "--resume", "--dry-run"],
        ["a.ndjson", "--rejects", "a.ndjson"],
        ["a.ndjson", "--rejects", "r", "--checkpoint", "r.reasons"],
        ["a.ndjson", "--checkpoint", "a.ndjson"],
        ["a.ndjson", "--map", "entity"],
        ["a.ndjson", "--map", "payload=x"],
        ["a.ndjson", "--map", "source=a", "--set", "source=b"],
        ["a.ndjson", "--delimiter", "::"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    api: IngestApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = numbered(2)
    written(tmp_path / "a.ndjson", lines)

    result = run(*arguments)

    assert result.exit_code == Exit.USAGE
    assert not api.batches
    assert (tmp_path / "a.ndjson").read_bytes().splitlines() == lines


@pytest.mark.parametrize("name", [".", "missing.ndjson"])
def test_what_cannot_be_read_is_told_before_anything_is_sent(
    api: IngestApi, run: Run, tmp_path: Path, name: str
) -> None:
    result = run(written(tmp_path / "a.ndjson", numbered(2)), tmp_path / name)

    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code == Exit.USAGE
    assert not api.batches


def facts(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_people_are_told_where_refused_events_are(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "a.ndjson", [*numbered(3), b'{"refuse":1}', b'{"conflict":1}', b'{\n"a":}'])

    told, kept, dry = run(path, "--table"), run(path, "--table", "--rejects", "r"), run(path, "--table", "--dry-run")

    assert facts(told)[:6] == [
        "events 6",
        "accepted 3",
        "duplicates 0",
        "refused 3 (2 not valid, 1 in conflict)",
        "in quarantine 2: retrace rejected list",
        "not sent 1, in no quarantine: run it again with --rejects FILE to keep them",
    ]
    assert facts(kept)[4:7] == [
        "in quarantine 2: retrace rejected list",
        "not sent 1, in no quarantine",
        "to correct r (reasons: r.reasons)",
    ]
    assert not any("quarantine 2" in line for line in facts(dry))


def test_pipes_are_read_whole_and_only_once(api: IngestApi, run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    lines = numbered(3_000)
    writers = [
        Thread(target=path.write_bytes, args=(b"\n".join(some),))
        for path, some in zip((first, second), (lines[:2_000], lines[2_000:]), strict=True)
    ]
    for path in (first, second):
        os.mkfifo(path)
    for writer in writers:
        writer.start()

    result = run(first, second)

    for writer in writers:
        writer.join()
    assert result.exit_code == Exit.DONE
    assert counts(result) == [3_000, 3_000, 0, 0, 0]
    assert run(first, "--resume").exit_code == Exit.USAGE


def test_a_corrected_file_is_sent_again_and_not_resumed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join(numbered(500)))[:-20])

    result = run(path)

    assert isinstance(result.exception, Problem)
    assert "no event counts twice" in result.exception.remedy
    assert "--resume" not in result.exception.remedy


@pytest.mark.parametrize("options", [("--rejects", "x", "--checkpoint", "x"), ("--delimiter", '"')])
def test_files_and_delimiters_that_cannot_be(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    result = run(written(tmp_path / "a.csv", [b"a,b"]), *options)

    assert result.exit_code == Exit.USAGE
