"""The whole path on a file of events: ingest, ingest again, replay, and check every aggregate against its events."""

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core.timestamps import Day, day_of, end_of, parse_instant, start_of
from embedded.client import Client, Job
from embedded.connection import Stack
from embedded.lineage import Lineage, inputs_hash
from embedded.narration import Narrator, require
from embedded.sending import CLIENTS, Pass, batches, send

EVENTS_A_REQUEST = 200
OTHER_EVENTS_A_REQUEST = 333
BYTES_A_REQUEST = 4_000_000
"""Of a request, which may have more; small ones let the clients take turns."""

MOST_ENTITIES = 50
REASONS_SHOWN = 5
ENTITIES_SHOWN = 10
PATIENCE_SECONDS = 420.0
"""Longer than the visibility timeout of ReplayQueue, after which a message that failed is delivered again."""

Identities = frozenset[tuple[str, str]]
"""Events by (event_id, content_sha256)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is replayed: for each entity, and each day of it, the events that must be counted."""

    days: Mapping[str, Mapping[Day, Identities]]

    def count(self, entity_id: str) -> int:
        """Return how many events an entity has."""
        return sum(map(len, self.days[entity_id].values()))


class Load:
    """One run; the stack knows none of the events before it."""

    def __init__(self, stack: Stack, narrator: Narrator, lines: Sequence[bytes]) -> None:
        self._client = Client(stack)
        self._lineage = Lineage(stack)
        self._narrator = narrator
        self._lines = lines

    def run(self) -> None:
        """Run it all."""
        first = self._ingest()
        self._ingest_again(first)
        everything = _taken_in(first)
        if not everything.days:
            self._narrator.say("No event was taken in, so there is nothing to replay.")
            return
        chosen = self._busiest(everything)
        jobs = self._replay(chosen)
        self._verify(chosen, jobs)

    def _ingest(self) -> Pass:
        self._narrator.step(f"Ingest, {CLIENTS} clients at once")
        outcome = self._send(self._lines, EVENTS_A_REQUEST)
        self._show_refused(outcome)
        return outcome

    def _ingest_again(self, first: Pass) -> None:
        """The second pass must find each line known; who was first among lines of one identity is settled by now."""
        self._narrator.step("The same again, shuffled and cut into other batches")
        shuffled = list(self._lines)
        random.Random(len(shuffled)).shuffle(shuffled)  # noqa: S311  # any other order will do, the same each time
        counts = self._send(shuffled, OTHER_EVENTS_A_REQUEST).counts
        require("no event is accepted twice", counts["ACCEPTED"], 0)
        require("what was taken in is known", counts["DUPLICATE"], first.counts["ACCEPTED"] + first.counts["DUPLICATE"])
        require("what was in conflict still is", counts["CONFLICT"], first.counts["CONFLICT"])
        self._narrator.say("Not one event was accepted a second time.")

    def _send(self, lines: Sequence[bytes], events: int) -> Pass:
        cut = list(batches(lines, events, BYTES_A_REQUEST))
        size = sum(map(len, lines)) / 1e6
        with self._narrator.counting(f"Sending {len(lines):,} events, {size:,.1f} MB", len(lines)) as told:
            outcome = send(self._client, cut, told)
        for status in ("ACCEPTED", "DUPLICATE", "CONFLICT", "REJECTED"):
            self._narrator.fact(status.lower(), outcome.counts[status])
        rate = f"{len(lines) / outcome.seconds:,.0f} events/s"
        self._narrator.fact("rate", f"{rate}: {outcome.requests} requests in {outcome.seconds:.1f} s")
        return outcome

    def _show_refused(self, outcome: Pass) -> None:
        """Show why events were refused: by the field that was wrong, each with the first such reason."""
        faults = [
            ((result["status"], fault["field"]), fault["message"])
            for _, result in outcome.results
            for fault in result.get("errors", ())
        ]
        if faults:
            first_reasons = dict(reversed(faults))
            most = Counter(kind for kind, _ in faults).most_common()
            rows = [(count, *kind, first_reasons[kind]) for kind, count in most[:REASONS_SHOWN]]
            self._narrator.table(("events", "status", "field", "for example"), rows)
            if len(most) > REASONS_SHOWN:
                self._narrator.say(f"and other fields: {len(most) - REASONS_SHOWN}")

    def _busiest(self, everything: Selection) -> Selection:
        total = len(everything.days)
        names = sorted(everything.days, key=lambda name: (-everything.count(name), name))[:MOST_ENTITIES]
        self._narrator.step(
            f"Replay {'each' if total <= MOST_ENTITIES else f'the busiest {MOST_ENTITIES}'} of {total:,} entities"
        )
        rows = [(everything.count(name), len(everything.days[name]), name) for name in names[:ENTITIES_SHOWN]]
        self._narrator.table(("events", "days", "entity"), rows)
        if len(names) > ENTITIES_SHOWN:
            self._narrator.say(f"and {len(names) - ENTITIES_SHOWN} more")
        return Selection({name: everything.days[name] for name in names})

    def _replay(self, chosen: Selection) -> dict[str, Job]:
        started = time.monotonic()
        total = sum(map(chosen.count, chosen.days))
        jobs = {name: self._request(name, chosen.days[name]) for name in chosen.days}
        with self._narrator.counting(f"Waiting for {len(jobs)} replays of {total:,} events", total) as told:
            done = 0
            for name, job in jobs.items():
                for moved in self._client.progress(job, PATIENCE_SECONDS):
                    told(done + moved.processed)
                    jobs[name] = moved
                done += jobs[name].processed
        seconds = time.monotonic() - started
        require(
            "each event of the entities was replayed",
            {name: job.sent for name, job in jobs.items()},
            {name: chosen.count(name) for name in jobs},
        )
        self._narrator.fact("replayed", done)
        self._narrator.fact("rate", f"{done / seconds:,.0f} events/s: {len(jobs)} replays in {seconds:.1f} s")
        return jobs

    def _request(self, entity_id: str, days: Mapping[Day, Identities]) -> Job:
        return self._client.request_replay(
            {"entity_id": entity_id, "start_time": start_of(min(days)), "end_time": end_of(max(days))}
        )

    def _verify(self, chosen: Selection, jobs: Mapping[str, Job]) -> None:
        self._narrator.step("Check each aggregate against the answers of /ingest")
        values = 0
        versions = 0
        pairs = [(name, day) for name, days in chosen.days.items() for day in sorted(days)]
        with self._narrator.counting(f"Reading {len(pairs):,} aggregates and their inputs", len(pairs)) as told:
            for name, day in pairs:
                values += self._verified(name, day, jobs[name], chosen.days[name][day])
                versions += 1
                told(versions)
        require("the values add up to the events", values, sum(map(chosen.count, chosen.days)))
        self._narrator.fact("aggregates", versions)
        self._narrator.fact("sum of their values", values)
        self._narrator.say(
            "Every inputs_hash equals the one recomputed from the inputs, and every input is an event of the file."
        )

    def _verified(self, entity_id: str, day: Day, job: Job, expected: Identities) -> int:
        """Return the events of one aggregate after checking it, its inputs and their hash."""
        where = f"{entity_id} on {day}"
        versions = self._client.aggregates(entity_id, day)["versions"]
        require(f"the versions of {where}", [one["replay_id"] for one in versions], [job.replay_id])
        version = versions[0]
        inputs = self._lineage.inputs(entity_id, day, job.replay_id)
        require(f"the inputs of {where}", frozenset((one.event_id, one.content_sha256) for one in inputs), expected)
        require(f"the events of {where}", version["event_count"], len(expected))
        require(f"the inputs_hash of {where}", version["inputs_hash"], inputs_hash(inputs))
        value: int = version["event_count"]
        return value


def _taken_in(outcome: Pass) -> Selection:
    """Return what the stack must know after a pass."""
    days: dict[str, dict[Day, set[tuple[str, str]]]] = defaultdict(lambda: defaultdict(set))
    for line, result in outcome.results:
        if result["status"] in {"ACCEPTED", "DUPLICATE"}:
            event = json.loads(line, parse_int=str, parse_float=str)
            day = day_of(parse_instant(event["event_time"]))
            days[event["entity_id"]][day].add((result["event_id"], result["content_sha256"]))
    return Selection({name: {day: frozenset(ids) for day, ids in of.items()} for name, of in days.items()})
