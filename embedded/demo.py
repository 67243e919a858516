"""Shows the incident of examples/, or the same path on your own events, on a temporary stack: `make demo`.

It takes every figure from the stack's answers and checks it.
"""

import json
import sys
import time
from pathlib import Path
from typing import Final

from embedded.client import Client, Ingested, Job, Json
from embedded.connection import Stack
from embedded.layout import ON_THE_PATH, ROOT
from embedded.lineage import Lineage, inputs_hash
from embedded.load import Load
from embedded.narration import Narrator, Row, listed, perform, require
from embedded.revenue import Revenue
from embedded.sending import read
from embedded.stack import started

SAMPLE: Final = ROOT / "examples" / "shop-day"
ENTITY = "depot-lyon"
DAY = "2025-11-28"
WHOLE_DAY: Final = {"entity_id": ENTITY, "start_time": "2025-11-28T00:00:00Z", "end_time": "2025-11-29T00:00:00Z"}

STATUSES = ("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED")
PATIENCE_SECONDS = 60.0
SHOWN_OF_A_HASH = 16

TRY_NEXT = f"""\
make up                                # a stack that stays; make down stops it and keeps its state
{ON_THE_PATH}     # the command line finds that stack by itself
retrace ingest examples/shop-day/day.ndjson
retrace replay create depot-lyon --day 2025-11-28 --yes --wait
retrace ingest examples/shop-day/late-batch.ndjson
retrace replay create depot-lyon --day 2025-11-28 --yes --wait
retrace aggregates diff depot-lyon 2025-11-28     # what changed, event by event
retrace console                        # the same in a browser

make demo DATA=events.ndjson.gz        # the same path on events of your own
make local                             # the code of the checkout, reloaded as you change it"""


class Story:
    """One telling; the steps follow one another and need the stack to be empty before the first."""

    def __init__(self, stack: Stack, narrator: Narrator, sample: Path = SAMPLE) -> None:
        self._client = Client(stack)
        self._lineage = Lineage(stack)
        self._narrator = narrator
        self._files = {path.name: path.read_bytes().splitlines() for path in sorted(sample.glob("*.ndjson"))}
        self._firsts: dict[str, Json] = {}

    def tell(self) -> None:
        """Tell it all."""
        first_scan = self._the_day_arrives()
        self._a_retry_storm(first_scan)
        friday = self._the_aggregate(self._a_replay())
        self._a_late_batch()
        saturday = self._a_second_replay()
        self._what_changed(friday, saturday)
        self._numbers_come_back_as_sent()
        [refused] = self._files["conflict.ndjson"]
        Revenue(self._client, self._narrator, DAY, self._replay).tell(self._files["day.ndjson"], refused)

    def _the_day_arrives(self) -> str:
        """Ingest the day and what is wrong with it; return the id of the first scan of the depot."""
        self._narrator.step("Friday: the day's events arrive, and three that are not right")
        sent = self._send({"day.ndjson": "ACCEPTED", "conflict.ndjson": "CONFLICT", "malformed.ndjson": "REJECTED"})
        self._firsts = {result["event_id"]: result for result in sent["day.ndjson"].results}
        require("every event of the day has an identity of its own", len(self._firsts), len(self._files["day.ndjson"]))
        self._narrator.say("Nothing is dropped: what was refused is kept in quarantine, with every reason.")
        for name in ("conflict.ndjson", "malformed.ndjson"):
            for result in sent[name].results:
                reasons = ", and ".join(f"{fault['field']} {fault['message']}" for fault in result["errors"])
                self._narrator.point(f"{result['status']}: {reasons}")
        position = next(number for number, line in enumerate(self._files["day.ndjson"]) if _of_the_depot(line))
        first_scan: str = sent["day.ndjson"].results[position]["event_id"]
        return first_scan

    def _a_retry_storm(self, scan: str) -> None:
        self._narrator.step("A retry storm: gateways that saw no answer send the same events again and again")
        storm = self._send({"retry-storm.ndjson": "DUPLICATE"})["retry-storm.ndjson"]
        pointing = sum(_place(result) == _place(self._firsts[result["event_id"]]) for result in storm.results)
        require("each duplicate points at the raw object of the first", pointing, len(storm.results))
        self._narrator.say(
            f"It changed nothing: {pointing} of {len(storm.results)} answers name the raw object and ingest time of "
            "the first arrival, also those that came with their members in another order. That they came is known, too:"
        )
        arrivals = self._client.event(scan)["arrivals"]
        require("the repeats of a scan are recorded", len(arrivals), 5)
        self._narrator.fact("one scan", scan)
        self._narrator.fact("later arrivals of it", len(arrivals))

    def _a_replay(self) -> Job:
        dashboard = sum(
            _of_the_depot(line) for name in ("day.ndjson", "retry-storm.ndjson") for line in self._files[name]
        )
        self._narrator.step(f"How many scans at {ENTITY} on {DAY}? The dashboard says {dashboard}; a replay counts")
        return self._replay(WHOLE_DAY)

    def _the_aggregate(self, job: Job) -> Json:
        self._narrator.step("The aggregate, and the events that it was computed from")
        expected = sum(map(_of_the_depot, self._files["day.ndjson"]))
        aggregates = self._client.aggregates(ENTITY, DAY)
        version: Json = aggregates["versions"][0]
        require("the aggregate counts each scan once", version["event_count"], expected)
        require("the aggregate is of this replay", version["replay_id"], job.replay_id)
        self._narrator.fact("event_count", version["event_count"])
        self._narrator.fact("by event type", listed(version["counts_by_type"]))
        self._narrator.fact("inputs_hash", version["inputs_hash"])
        inputs = self._lineage.inputs(ENTITY, DAY, job.replay_id)
        foreign = {one.event_id for one in inputs} - self._firsts.keys()
        require("each input was accepted on Friday", foreign, set())
        require("the inputs hash to inputs_hash", inputs_hash(inputs), version["inputs_hash"])
        self._narrator.say(f"Recomputed from the {len(inputs)} inputs in AggregatesTable, the hash is the same.")
        require("nothing has arrived since", aggregates["late_arrivals"], 0)
        return version

    def _a_late_batch(self) -> None:
        self._narrator.step("Saturday: a scanner that was offline sends what it kept")
        late = self._send({"late-batch.ndjson": "ACCEPTED"})["late-batch.ndjson"]
        aggregates = self._client.aggregates(ENTITY, DAY)
        require("the aggregate knows what came since", aggregates["late_arrivals"], len(late.results))
        self._narrator.fact("count, as it was", aggregates["versions"][0]["event_count"])
        self._narrator.fact("arrived since", aggregates["late_arrivals"])

    def _a_second_replay(self) -> Job:
        self._narrator.step("The same replay again")
        return self._replay(WHOLE_DAY)

    def _what_changed(self, friday: Json, saturday: Job) -> None:
        self._narrator.step("Two versions, and what makes the difference")
        aggregates = self._client.aggregates(ENTITY, DAY)
        versions = aggregates["versions"]
        ids = [version["replay_id"] for version in versions]
        require("both versions are there, newest first", ids, [saturday.replay_id, friday["replay_id"]])
        require("the older version is as it was", _computed(versions[1]), _computed(friday))
        rows = [(one["replay_id"], one["event_count"], one["inputs_hash"][:SHOWN_OF_A_HASH] + "…") for one in versions]
        self._narrator.table(("version (replay)", "event_count", "inputs_hash"), rows)
        before = set(self._lineage.inputs(ENTITY, DAY, friday["replay_id"]))
        after = self._lineage.inputs(ENTITY, DAY, saturday.replay_id)
        new = [single for single in after if single not in before]
        require("the inputs hash to inputs_hash", inputs_hash(after), versions[0]["inputs_hash"])
        require("the new inputs are the late batch", len(new), len(self._files["late-batch.ndjson"]))
        require("nothing has arrived since", aggregates["late_arrivals"], 0)
        self._narrator.say(f"New in the later one, {len(new)} events:")
        shown = [(one.event_time, one.event_type, one.event_id[:SHOWN_OF_A_HASH] + "…") for one in new]
        self._narrator.table(("event_time", "event_type", "event_id"), shown)
        self._narrator.say(
            f"{versions[1]['event_count']} was right on Friday, {versions[0]['event_count']} is right since Saturday."
        )

    def _numbers_come_back_as_sent(self) -> None:
        self._narrator.step("GET /events/{event_id}/raw: the event as it was sent, digit by digit")
        lines = self._files["day.ndjson"]
        position = next(number for number, line in enumerate(lines) if b'"amount":1.10,' in line)
        raw = self._client.raw(list(self._firsts)[position])
        require("the raw event is what was sent", raw, lines[position])
        self._narrator.verbatim(raw.decode())
        self._narrator.say(f"These are the {len(raw)} bytes of line {position + 1} of day.ndjson, none changed.")

    def _send(self, expected: dict[str, str]) -> dict[str, Ingested]:
        """Ingest files, each in one request, and show the counts; every event must end as expected of its file."""
        sent = {name: self._client.ingest(self._files[name]) for name in expected}
        rows: list[Row] = [
            (name, answer.status, *(answer.count(status) for status in STATUSES)) for name, answer in sent.items()
        ]
        self._narrator.table(("POST /ingest", "HTTP", *map(str.lower, STATUSES)), rows)
        for name, status in expected.items():
            require(f"events of {name} that end as {status}", sent[name].count(status), len(self._files[name]))
        return sent

    def _replay(self, request: Json) -> Job:
        """Request a replay and show how it gets on."""
        started = time.monotonic()
        job = self._client.request_replay(request)
        self._narrator.fact("replay", job.replay_id)
        self._show(job, started)
        for moved in self._client.progress(job, PATIENCE_SECONDS):
            if moved.state != job.state:
                self._show(moved, started)
            job = moved
        require("every sent message was processed", job.processed, job.sent)
        return job

    def _show(self, job: Job, started: float) -> None:
        counts = f"matched {job.matched}, sent {job.sent}, processed {job.processed}"
        self._narrator.fact(job.state, f"{time.monotonic() - started:4.1f} s   {counts}")


def _of_the_depot(line: bytes) -> bool:
    return bool(json.loads(line)["entity_id"] == ENTITY)


def _computed(version: Json) -> Json:
    """Return a version without what may change after it was computed, such as late arrivals."""
    names = (
        "event_count",
        "metrics",
        "inputs_hash",
        "sample_event_ids",
        "counts_by_type",
        "other_types_count",
        "computed_at",
    )
    return {name: version[name] for name in names}


def _place(result: Json) -> tuple[str, str]:
    return result["s3_key"], result["ingest_time"]


def _tell(narrator: Narrator, path: Path | None) -> None:
    lines = read(path) if path is not None else []
    narrator.title(f"Retrace, with {path.name}" if path else "Retrace: Black Friday at a small shop")
    narrator.step("A stack of its own, on this machine: MiniStack as AWS, the packaged application on it")
    with started(tell=narrator.doing) as running:
        if path is None:
            Story(running, narrator).tell()
        else:
            Load(running, narrator, lines).run()
    narrator.end("All figures held; the stack is stopped and gone. What to try next")
    narrator.verbatim(TRY_NEXT)


if __name__ == "__main__":
    sys.exit(perform("demo", __doc__, _tell))
