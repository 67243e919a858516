"""`make drill`: lose the tables, and raw objects, of a stack of its own; bring all back, and count what was lost."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embedded.admin import Administrator
from embedded.client import Client
from embedded.connection import Stack
from embedded.demo import SAMPLE
from embedded.disaster import EVENTS, KINDS, METRICS, RAW, ApiSnapshot, Disaster, Row, asked, questions_about
from embedded.layout import ROOT
from embedded.load import BYTES_A_REQUEST, PATIENCE_SECONDS
from embedded.narration import Narrator, perform, require
from embedded.sending import batches, read
from embedded.stack import started
from infra.command import Problem

EVENTS_A_REQUEST = 500
REPLAYED = 5
_NAMES = ("raw_bucket", "events_table", "dedupe_table", "replays_table", "aggregates_table")
_CHANGES = (
    ("weight", {"aggregate": "sum", "value": "/weight_kg"}),
    ("weight", {"aggregate": "sum", "value": "/weight_kg", "group_by": ["/scanner"]}),
    ("heaviest", {"aggregate": "max", "value": "/weight_kg"}),
)
"""Of metrics; a name gets two definitions. Events of your own may have none of their values, and are skipped then."""
_DIFFERENT = 1
"""How a command exits that found differences."""


class Drill:
    """One drill; the stack knows no event before it."""

    def __init__(self, stack: Stack, narrator: Narrator, lines: Sequence[bytes]) -> None:
        self._stack = stack
        self._client = Client(stack)
        self._disaster = Disaster(stack)
        self._retrace = RetraceCommand(stack)
        self._narrator = narrator
        self._lines = lines

    def run(self) -> None:
        """Run it all; raises Problem if anything is lost."""
        self._ingest()
        index, arrivals = self._index(), len(self._arrivals())
        replayed = self._busiest(index)
        for name, definition in _CHANGES:
            self._client.define_metric(name, definition)
        self._replay(replayed)
        questions = questions_about(index, sorted({name for name, _ in _CHANGES}))
        before, rows = asked(self._stack, questions), self._counted()
        require("each event is known, and its text is there", [*before.unknown(EVENTS), *before.unknown(RAW)], [])
        self._narrator.say(f"What the API answers to {len(questions):,} questions is remembered.")
        self._lose_tables(before)
        self._rebuild(len(index))
        self._replay(replayed)
        self._nothing_differs()
        self._compare("the tables", before, rows)
        self._narrator.say(
            f"In no raw object, and so not in this count: that {arrivals} events had come again. Point-in-time "
            "recovery of EventsTable has it; duplicates have changed nothing, and conflicts are in quarantine."
        )
        self._lose_objects(index)
        self._compare("the raw objects", before.of(RAW), rows)

    def _ingest(self) -> None:
        self._narrator.step("Events arrive, and some are replayed")
        counts: Counter[str] = Counter()
        for batch in batches(self._lines, EVENTS_A_REQUEST, BYTES_A_REQUEST):
            counts.update(result["status"] for result in self._client.ingest(batch).results)
        for status, count in sorted(counts.items()):
            self._narrator.fact(status.lower(), count)

    def _index(self) -> list[Row]:
        return [row for row in self._disaster.rows(self._stack.events_table) if row["PK"]["S"].startswith("ENTITY#")]

    def _arrivals(self) -> list[Row]:
        return [row for row in self._disaster.rows(self._stack.events_table) if row["PK"]["S"].startswith("EVENT#")]

    def _counted(self) -> dict[str, int]:
        """Return how many rows there are of events in raw objects."""
        return {
            "rows of the index": len(self._index()),
            "rows of identities": len(self._disaster.rows(self._stack.dedupe_table)),
        }

    def _busiest(self, index: Sequence[Row]) -> dict[str, tuple[str, str]]:
        """Return the entities that have most events, each with the first and the last day of these."""
        most = Counter(row["entity_id"]["S"] for row in index).most_common(REPLAYED)
        times = {
            name: sorted(row["event_time"]["S"] for row in index if row["entity_id"]["S"] == name) for name, _ in most
        }
        return {name: (of_entity[0][:10], of_entity[-1][:10]) for name, of_entity in times.items()}

    def _replay(self, entities: dict[str, tuple[str, str]]) -> None:
        jobs = [
            self._client.request_replay(
                {"entity_id": name, "start_time": f"{first}T00:00:00Z", "end_time": f"{last}T23:59:59.999999999Z"}
            )
            for name, (first, last) in entities.items()
        ]
        for number, job in enumerate(jobs):
            for moved in self._client.progress(job, PATIENCE_SECONDS):
                jobs[number] = moved
        require("every sent message was processed", [job.processed for job in jobs], [job.sent for job in jobs])
        self._narrator.fact("replayed", f"{sum(job.processed for job in jobs)} events of {len(jobs)} entities")

    def _lose_tables(self, before: ApiSnapshot) -> None:
        self._narrator.step(
            "Index, identities and aggregates are lost: their tables are deleted, past their protection"
        )
        self._disaster.lose_tables()
        self._disaster.lose_metrics()
        left = {table: len(self._disaster.rows(table)) for table in self._disaster.tables()}
        require("nothing is left in the tables", sum(left.values()), 0)
        known = asked(self._stack, list(before.of(EVENTS).answers)[:1])
        require("the API knows no event any more", known.count(EVENTS), 0)
        require("the API knows no metric any more", asked(self._stack, before.of(METRICS).answers).count(METRICS), 0)
        self._narrator.say(
            "The tables exist again, and are empty. The rows of metrics in ReplaysTable are deleted, too."
        )

    def _rebuild(self, events: int) -> None:
        self._narrator.step("retrace check rebuild: rows and metrics from the bucket; then the same replays again")
        [summary] = self._retrace.lines("check", "rebuild", as_root=True)
        self._narrator.fact("events written again", summary["written"])
        require("rows of each event were written", summary["written"], events)

    def _nothing_differs(self) -> None:
        self._narrator.step("retrace check audit and retrace check verify: does anything differ?")
        require("audit finds nothing", self._retrace.lines("check", "audit"), [])
        require("verify finds nothing", self._retrace.lines("check", "verify", "--prefix", "raw/"), [])
        self._narrator.say("Nothing differs between raw objects, index, identities and aggregates.")

    def _compare(self, what: str, before: ApiSnapshot, rows: dict[str, int]) -> None:
        """Show what there was and what there is; raises Problem if anything of it is lost."""
        self._narrator.step(f"What was lost with {what}")
        after = asked(self._stack, before.answers)
        lost = before.lost_in(after)
        of_kind = Counter(kind for kind, _, _ in lost)
        now = self._counted()
        table = [
            (kind, before.count(kind), after.count(kind), of_kind[kind]) for kind in KINDS if before.of(kind).answers
        ]
        table += [(name, count, now[name], max(0, count - now[name])) for name, count in rows.items()]
        self._narrator.table(("", "before", "after", "answered otherwise"), table)
        require("nothing was lost", lost[:3], [])
        require("no row was lost", now, rows)
        self._narrator.say("Lost: nothing.")

    def _lose_objects(self, index: Sequence[Row]) -> None:
        keys = sorted({row["s3_key"]["S"] for row in index})
        require("there are two raw objects to lose", len(keys) > 1, expected=True)
        deleted, changed = keys[0], next(row for row in index if row["s3_key"]["S"] == keys[-1])
        self._narrator.step("One raw object is deleted, and one overwritten, past the bucket's policy")
        self._disaster.delete(deleted)
        self._disaster.change(changed)
        gone = {row["event_id"]["S"] for row in index if row["s3_key"]["S"] == deleted}
        expected = {("index-without-raw", event_id) for event_id in gone}
        expected |= {("line-changed", changed["event_id"]["S"])}
        found = self._retrace.lines("check", "audit", differs=True)
        require("audit finds exactly that", {(each["difference"], each["event_id"]) for each in found}, expected)
        for name, count in sorted(Counter(name for name, _ in expected).items()):
            self._narrator.fact(name, count)
        self._narrator.step("Every version is kept: the first of each is copied over what lies above it")
        for key in (deleted, keys[-1]):
            self._narrator.point(f"version {self._disaster.restore(key)} of {key}")
        self._nothing_differs()


class RetraceCommand:
    """`retrace`, with the stack as its default profile."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def lines(self, *arguments: str, as_root: bool = False, differs: bool = False) -> list[dict[str, Any]]:
        """Return the JSON objects that a command prints. Raises Problem unless it ends as it should."""
        with tempfile.TemporaryDirectory(prefix="retrace-drill-") as directory:
            self._write_profile(Path(directory))
            done = subprocess.run(  # our own interpreter, our own module
                [sys.executable, "-m", "retrace", *arguments],
                env=self._environment(directory, as_root=as_root),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != (_DIFFERENT if differs else 0):
            raise Problem(
                f"retrace {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}",
                "docs/runbook.md has what to do.",
            )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _write_profile(self, directory: Path) -> None:
        settings = {name: getattr(self._stack, name) for name in _NAMES} | {
            "url": self._stack.api_url,
            "region": self._stack.region,
            "endpoint_url": self._stack.aws_endpoint_url,
        }
        config = directory / "retrace/config.toml"
        config.parent.mkdir()
        config.write_text("[default]\n" + "".join(f"{name} = {json.dumps(said)}\n" for name, said in settings.items()))

    def _environment(self, directory: str, *, as_root: bool) -> dict[str, str]:
        key = Administrator.load(Path(self._stack.administrator_file)) if as_root else self._stack
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": directory,
            "HOME": directory,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }


def _drill(narrator: Narrator, path: Path | None) -> None:
    files = [path] if path is not None else sorted(SAMPLE.glob("*.ndjson"))
    lines = [line for each in files for line in read(each)]
    narrator.title("Retrace: a disaster drill")
    narrator.step("A stack of its own, on this machine: MiniStack as AWS, the packaged application on it")
    with started(tell=narrator.doing) as running:
        Drill(running, narrator, lines).run()
    narrator.end("Nothing was lost; the stack is stopped and gone")


if __name__ == "__main__":
    sys.exit(perform("drill", __doc__, _drill))
