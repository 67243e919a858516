"""Each destination gets every message of its replay and nothing else, although planners die and its consumer is bad.

Workers plan in place of the deployed functions and are ended with SIGKILL. Full size sends 100,000 events to each of
three destinations.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from pathlib import Path
from threading import Event

import pytest

from chalicelib.replays.commit_batch import ORDERED_MESSAGES_A_BATCH
from chalicelib.replays.rate_limit import burst
from embedded.admin import ACCOUNT
from embedded.client import Api
from tests.e2e.bad_consumer import BadConsumer, Told, fails, fails_first
from tests.e2e.chaos import LOOK_S, PATIENCE_S, Job, Killer, Work
from tests.e2e.deployed import Deployed
from tests.e2e.destinations import Inbox, arn_of, buses, consumer_of, queue_behind, url_of, waiting
from tests.e2e.workers import events
from tests.e2e.workers.fleet import Fleet, fleet
from tests.e2e.workers.stack import Ground, ground
from tests.sizes import is_full, times

pytestmark = pytest.mark.sized

FULL = is_full()

EVENTS = 100_000 if FULL else min(times(600), 1_500)
KILLS = 20 if FULL else 3
AT_ONCE = () if FULL else ("planner",)
"""Which functions are killed as soon as may be: a short replay is over before many of them could be."""

RATE = min(EVENTS // 8, 400)
"""Messages a second to each destination: planners are busy for eight seconds at least, whatever the machine.

Not many more than consumers take, as each call of the emulator goes through all that waits on its queue.
"""

REPORTER = "billing"
DESTINATIONS = f"""
destinations:
  aggregates:
  billing: {{kind: queue, reports: true, reporters: ["arn:aws:iam::{ACCOUNT}:user/{REPORTER}"], rate: {RATE}}}
  ordered: {{kind: fifo}}
  news: {{kind: eventbridge}}
"""

WINDOW = 5_000 if FULL else EVENTS // 3
MOST_AT_ONCE = 200 if FULL else 50

ORDERED_EVENTS, ENTITIES = 10_000 if FULL else 1_000, 100
ORDERED_KILLS = 5 if FULL else 1
CALLS_A_MESSAGE = 0.15

EVENTS_OF_A_LOSER, LOST = 10_000 if FULL else 500, 137

HIDDEN_S = "60" if FULL else "20"
"""For what a planner was given in the moment of its death; what it is known to have had comes back at once."""

UNREAD = {"retrace-dev-digest", "retrace-dev-replay-jobs"}
"""Queues that have no messages of replays."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A deployed stack with destinations, whose functions read no queue."""
    declared = tmp_path_factory.mktemp("stage") / "destinations.yaml"
    declared.write_text(DESTINATIONS)
    settings = {"MAX_IN_FLIGHT": str(WINDOW), "TYPE_DAY_SHARDS": "4", "INDEX_LAG_SECONDS": "0"}
    with ground(settings, declared) as quiet:
        quiet.admin.sqs.set_queue_attributes(
            QueueUrl=quiet.stack.replay_jobs_queue_url, Attributes={"VisibilityTimeout": HIDDEN_S}
        )
        yield quiet


@pytest.fixture
def workers(quiet: Ground, tmp_path: Path) -> Iterator[Fleet]:
    """Processes that do the work of the functions."""
    with fleet(quiet.environment, tmp_path / "workers.log") as workers:
        yield workers


@contextmanager
def at_work(*consumers: Callable[[Event], None]) -> Iterator[Callable[[], None]]:
    """Let consumers work in threads of their own; yields what raises the error of one that ended."""
    ending = Event()
    with ThreadPoolExecutor(len(consumers)) as threads:
        running = [threads.submit(consumer, ending) for consumer in consumers]

        def require_all() -> None:
            for each in running:
                if each.done():
                    each.result()

        try:
            yield require_all
        finally:
            ending.set()
        for each in running:
            each.result()


def taking_from(inbox: Inbox) -> Callable[[Event], None]:
    """A consumer that deletes what it gets."""

    def run(ending: Event) -> None:
        while not ending.is_set():
            inbox.delete(inbox.receive())

    return run


def requested(deployed: Deployed, destination: str, event_type: str, count: int, **more: float) -> str:
    """Ask for a replay of so many events of a type; answers its id."""
    days = {"start_day": str(events.FIRST_DAY), "end_day": str(events.LAST_DAY)}
    # With a limit nothing is counted beforehand, which takes the emulator too long where there are so many.
    selection = {"source": events.SOURCE, "event_type": event_type, **days, "max_messages": count}
    answer = deployed.post("/replay", {**selection, "destination": destination, **more})
    assert answer.status == 202, answer.data
    replay_id: str = answer.json()["replay_id"]
    return replay_id


@dataclass
class Delivery:
    """Replays, each to one destination, and what came there."""

    work: Work
    count: int
    replays: Mapping[str, str]
    inboxes: Mapping[str, Inbox]

    def until_over(self, require_all: Callable[[], None]) -> None:
        """Let workers work, and kill some, until every message came and was deleted; fail if nothing more comes."""
        moved, before = time.monotonic(), -1
        while not self._is_over():
            now = sum(inbox.came.total() for inbox in self.inboxes.values())
            if now != before:
                moved, before = time.monotonic(), now
            assert time.monotonic() < moved + PATIENCE_S, f"{now} messages came and no more: {self.work.counts}"
            require_all()
            self.work.killer.processed = self._least_came / self.count
            self.work.go_on(LOOK_S)

    @property
    def _least_came(self) -> int:
        return min(len(inbox.came) for inbox in self.inboxes.values())

    def _is_over(self) -> bool:
        if self._least_came < self.count or self.work.ground.messages(*(each.url for each in self.inboxes.values())):
            return False
        return all(job["state"] in {"SENT", "COMPLETE"} for job in self.jobs().values())

    def jobs(self) -> dict[str, Job]:
        """How far each replay is."""
        return {name: self.work.deployed.get(f"/replay/{replay_id}") for name, replay_id in self.replays.items()}

    @property
    def told(self) -> dict[str, tuple[int, int, int]]:
        """Of each destination: planners killed, messages that came, and doubles among them."""
        return {name: (self.killed(name), each.came.total(), each.doubles) for name, each in self.inboxes.items()}

    def killed(self, destination: str) -> int:
        """How many planners were killed while they worked on the replay to a destination."""
        return self.work.killer.killed_at[self.replays[destination]]

    def assert_came(self, event_ids: Collection[str]) -> None:
        """Each event came to each destination by its own replay, and nothing else came; doubles only by kills."""
        for name, inbox in self.inboxes.items():
            assert inbox.came.keys() == {(self.replays[name], event_id) for event_id in event_ids}, name
            assert inbox.doubles <= self.killed(name) * burst(RATE), name


def shown(job: Job) -> tuple[str, int, int, int]:
    return job["state"], job["sent"], job["processed"], job["failed"]


def a_queue_behind_each_bus(deployed: Deployed) -> str:
    """Have every event on any bus come to a queue; answers the URL of the one behind `news`."""
    urls = {bus: queue_behind(deployed, bus, {"account": [{"prefix": ""}]}, f"behind-{bus}") for bus in buses(deployed)}
    assert len(urls) > 1
    return urls[arn_of(deployed.stack, "news").rpartition("/")[2]]


def bad_consumers(
    delivery: Delivery, never_sent: Sequence[str], withheld: Collection[str], rng: random.Random
) -> list[BadConsumer]:
    """Two that share a queue. Who consumes another destination is a stranger, and who may read this one alone."""
    deployed, inbox, replay_id = delivery.work.deployed, delivery.inboxes["billing"], delivery.replays["billing"]
    api, told = Api(consumer_of(deployed, REPORTER, "Billing")), Told()
    strangers = [Api(consumer_of(deployed, f"reader-of-{each}", each)) for each in ("Ordered", "Billing")]
    return [
        BadConsumer(
            inbox, api, strangers, replay_id, never_sent, withheld, random.Random(rng.random()), told, MOST_AT_ONCE
        )
        for _ in range(2)
    ]


def test_each_destination_gets_every_message_of_its_replay_although_planners_are_killed(
    quiet: Ground, workers: Fleet, seed: int
) -> None:
    deployed, rng, began = Deployed(quiet.stack), random.Random(seed), time.monotonic()
    lines = list(events.of_a_month(EVENTS))
    kinds = dict(zip((each["event_id"] for each in deployed.accepted(lines)), map(events.kind_of, lines), strict=True))
    chosen = [event_id for event_id, kind in kinds.items() if kind == events.CHOSEN]
    assert len(chosen) == EVENTS
    ingested = time.monotonic()
    url = {name: url_of(deployed, name) for name in ("billing", "ordered")}
    sqs, news = deployed.admin.sqs, a_queue_behind_each_bus(deployed)
    inboxes = {
        "billing": Inbox(sqs, url["billing"]),
        "ordered": Inbox(sqs, url["ordered"]),
        "news": Inbox(sqs, news, lambda body: dict(body["detail"])),
    }
    replays = {name: requested(deployed, name, events.EVENT_TYPE, EVENTS, rate=RATE) for name in inboxes}
    never_sent = [sha256(each.encode()).hexdigest() for each in chosen[:5]]
    never_sent += [event_id for event_id, kind in kinds.items() if kind != events.CHOSEN]
    withheld = next(each for each in chosen if not fails(each) and not fails_first(each))
    work = Work(quiet, workers, Killer(rng, {"planner": KILLS}, AT_ONCE, ceil(KILLS / len(replays)), EVENTS))
    delivery = Delivery(work, EVENTS, replays, inboxes)
    bad = bad_consumers(delivery, never_sent, {withheld}, rng)
    for _ in replays:
        workers.start("planner")

    good = [taking_from(inboxes[name]) for name in ("ordered", "news")] * 2
    with at_work(*(each.run for each in bad), *good) as require_all:
        delivery.until_over(require_all)
    for each in bad:
        each.report_late()

    took_s = f"{ingested - began:.0f} s to ingest, {time.monotonic() - ingested:.0f} s to deliver"
    print(took_s, work.killer.killed, delivery.told, [each.counts for each in bad])  # noqa: T201  # pytest shows it
    delivery.assert_came(chosen)
    assert inboxes["ordered"].doubles == 0
    assert inboxes["ordered"].too_late == []
    assert waiting(deployed).keys() <= UNREAD
    assert work.killer.killed["planner"] >= KILLS
    assert min(map(delivery.killed, replays)) > 0

    failed = sum(map(fails, chosen))
    jobs = delivery.jobs()
    assert shown(jobs["ordered"]) == shown(jobs["news"]) == ("SENT", EVENTS, 0, 0)
    assert shown(jobs["billing"]) == ("SENT", EVENTS, EVENTS - failed - 1, failed)
    bad[0].report([{"event_id": withheld, "outcome": "done"}])
    complete = delivery.jobs()["billing"]
    assert shown(complete) == ("COMPLETE", EVENTS, EVENTS - failed, failed)
    bad[1].report([{"event_id": each, "outcome": rng.choice(("done", "failed"))} for each in chosen if not fails(each)])
    assert delivery.jobs()["billing"] == complete


def test_a_fifo_destination_gets_each_entity_in_order_by_few_calls_although_planners_are_killed(
    quiet: Ground, workers: Fleet, seed: int
) -> None:
    deployed = Deployed(quiet.stack)
    lines = list(events.of_entities(ORDERED_EVENTS, ENTITIES, "in order"))
    chosen = [each["event_id"] for each in deployed.accepted(lines)]
    inbox = Inbox(deployed.admin.sqs, url_of(deployed, "ordered"))
    work = Work(quiet, workers, Killer(random.Random(seed), {"planner": ORDERED_KILLS}, AT_ONCE))
    replay_id = requested(deployed, "ordered", "in order", ORDERED_EVENTS, rate=400)
    delivery = Delivery(work, ORDERED_EVENTS, {"ordered": replay_id}, {"ordered": inbox})
    workers.start("planner")

    with at_work(taking_from(inbox)) as require_all:
        delivery.until_over(require_all)

    sent, calls = work.counts["messages sent"], work.counts["calls"]
    print(work.killer.killed, delivery.told, f"{calls} calls for {sent} messages")  # noqa: T201  # pytest shows it
    delivery.assert_came(chosen)
    assert (inbox.doubles, inbox.too_late) == (0, [])
    assert work.killer.killed["planner"] >= ORDERED_KILLS
    assert sent >= ORDERED_EVENTS - work.killer.killed["planner"] * ORDERED_MESSAGES_A_BATCH
    assert calls / sent <= CALLS_A_MESSAGE


def test_only_what_a_bad_consumer_lost_is_sent_once_more(quiet: Ground, workers: Fleet, seed: int) -> None:
    deployed, rng = Deployed(quiet.stack), random.Random(seed)
    lines = list(events.of_entities(EVENTS_OF_A_LOSER, ENTITIES, "lost"))
    chosen = [each["event_id"] for each in deployed.accepted(lines)]
    failed = {each for each in chosen if fails(each)}
    reliable = [each for each in chosen if not fails(each) and not fails_first(each)]
    never_reported = set(rng.sample(reliable, LOST - len(failed)))
    first = requested(deployed, "billing", "lost", EVENTS_OF_A_LOSER)
    inbox = Inbox(deployed.admin.sqs, url_of(deployed, "billing"))
    work = Work(quiet, workers, Killer(rng, {"planner": 1}, AT_ONCE))
    delivery = Delivery(work, EVENTS_OF_A_LOSER, {"billing": first}, {"billing": inbox})
    bad = bad_consumers(delivery, [sha256(each.encode()).hexdigest() for each in chosen[:5]], never_reported, rng)
    workers.start("planner")
    with at_work(*(each.run for each in bad)) as require_all:
        delivery.until_over(require_all)
    for each in bad:
        each.report_late()
    counts = ("SENT", EVENTS_OF_A_LOSER, EVENTS_OF_A_LOSER - LOST, len(failed))
    assert shown(delivery.jobs()["billing"]) == counts

    answer = deployed.post("/replay", {"only": "unprocessed", "of": first})
    assert answer.status == 202, answer.data
    again = Delivery(work, LOST, {"billing": answer.json()["replay_id"]}, {"billing": Inbox(inbox.sqs, inbox.url)})
    with at_work(taking_from(again.inboxes["billing"])) as require_all:
        again.until_over(require_all)

    again.assert_came(failed | never_reported)
    assert again.jobs()["billing"]["sent"] == LOST
