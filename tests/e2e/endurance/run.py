"""A long run: faults on the wire, crashes, producers and replays all the time, and an account of it at the end.

All that the application asks of the embedded AWS goes over the faulty wire. Planners, processors and the function for
dead letters run as processes, the API as deployed functions; all of them are killed at random.
"""

import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from embedded.client import Api
from embedded.stack import started
from infra.command import Problem, wait_until
from tests.e2e.endurance.account import Account, account
from tests.e2e.endurance.crashes import Crashes
from tests.e2e.endurance.ledger import Ledger
from tests.e2e.endurance.producers import LEFT_TYPE, Producer
from tests.e2e.endurance.replay_desk import Desk
from tests.e2e.endurance.report import Counts, progress
from tests.e2e.faults import Wire, faulty_wire, foul_weather
from tests.e2e.workers.fleet import Fleet, fleet
from tests.e2e.workers.stack import Ground, ground_of

HIDDEN_S = "20"
"""For what a worker was given in the moment of its death; what it is known to have had comes back at once."""

RECEIVES = 2
"""After which SQS gives a message up, so that there are dead letters to redrive."""

WORKERS = (
    ("planner",),
    ("planner",),
    *[("processor", "--batch", "20", "--repeat", "20")] * 5,
    ("dead_letters", "--batch", "10"),
)

SETTINGS = {"MAX_IN_FLIGHT": "5000"}
PATIENCE_S = 300.0
START_S = 90.0
TOLD_EVERY_S = 30.0
TURN_S = 0.5


@dataclass(frozen=True)
class Plan:
    """How long and how hard: at least so many seconds, and until so many calls have been made."""

    seconds: float
    calls: int = 0
    share: float = 0.3
    seed: int = 7
    producers: int = 5
    epoch_s: float = 60.0
    workers_every_s: float = 4.0
    functions_every_s: float = 12.0


@dataclass
class Run:
    """One long run on a stack."""

    plan: Plan
    ground: Ground
    wire: Wire
    workers: Fleet
    ledger: Ledger = field(default_factory=Ledger)
    ending: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)
    ended: float = math.inf

    def __post_init__(self) -> None:
        rng = random.Random(self.plan.seed)  # repeatable, not secret
        api = Api(self.ground.stack, timeout=90.0, connections=4 * self.plan.producers)
        self.producers = [
            Producer(number, api, self.ledger, self._epoch, self.ending, self.given_up, random.Random(rng.random()))
            for number in range(self.plan.producers)
        ]
        self.desk = Desk(api, self.ledger, self._epochs_closed, random.Random(rng.random()))
        self.crashes = Crashes(
            self.ground,
            self.workers,
            random.Random(rng.random()),
            self.plan.workers_every_s,
            self.plan.functions_every_s,
        )

    def __call__(self) -> Counts:
        """Run it all; raises Problem if it does not come to an end. No thread outlives it."""
        producing = [threading.Thread(target=producer.run, daemon=True) for producer in self.producers]
        asking = threading.Thread(target=self.desk.run, daemon=True)
        self.wire.disturb(foul_weather(self.plan.share))
        for thread in (*producing, asking):
            thread.start()
        try:
            return self._run(producing, asking)
        finally:
            for event in (self.given_up, self.ending, self.desk.ending):
                event.set()
            for thread in (*producing, asking):
                thread.join()

    def _run(self, producing: Sequence[threading.Thread], asking: threading.Thread) -> Counts:
        self._storm()
        self.ended = time.monotonic()
        self.ending.set()
        while any(thread.is_alive() for thread in producing):
            self.crashes.work(TURN_S)
        foul = time.monotonic() - self.started
        calls = self.wire.calls()
        self.wire.mend()
        self.crashes.on = False
        self._calm()
        self.desk.ending.set()
        asking.join()
        return Counts(foul, calls, self.ledger, self.crashes, self.desk.errands, self._accounted())

    def _storm(self) -> None:
        """The run itself."""
        told = self.started
        while not self._enough(now := time.monotonic()):
            self.crashes.work(TURN_S)
            if now > told + TOLD_EVERY_S:
                progress(now - self.started, self.ledger, self.crashes, self.desk.errands)
                told = now

    def _enough(self, now: float) -> bool:
        if now < self.started + self.plan.seconds:
            return False
        calls = sum(self.wire.calls().values())
        if calls < self.plan.calls and now > self.started + self.plan.seconds + PATIENCE_S:
            raise Problem(f"Of {self.plan.calls} calls to AWS only {calls} have been made.", "")
        return calls >= self.plan.calls

    def _calm(self) -> None:
        """What was not acknowledged is sent again, and everything is worked off."""
        self._wait_for(lambda: self.desk.begun >= self._epochs_closed(), "the last replays to be asked for")
        for request in self.ledger.left:
            self.producers[0].deliver(request)
        for kind, events in sorted(self.ledger.of_type(LEFT_TYPE).items()):
            self.desk.want(" ".join(kind), kind, events)
        self._wait_for(lambda: not self.desk.open, "the last replays to be complete")
        self._wait_for(lambda: self._messages() == 0, "the queues to be empty")

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        moved, before = time.monotonic(), None
        while not condition():
            self.crashes.work(TURN_S)
            state = [errand.job for errand in self.desk.errands], self._messages()
            if state != before:
                moved, before = time.monotonic(), state
            if time.monotonic() > moved + PATIENCE_S:
                raise Problem(f"It waits in vain for {what}: {self.desk.open}, {self._messages()} messages", "")

    def _messages(self) -> int:
        """Those that are due; planners' messages to themselves look after a replay much later."""
        stack = self.ground.stack
        return self.ground.messages_due(
            stack.replay_queue_url, stack.replay_jobs_queue_url, stack.replay_failures_queue_url
        )

    def _accounted(self) -> Account:
        return account(self.ground, self.ledger, self.desk.errands)

    def _epoch(self) -> int:
        return int((min(time.monotonic(), self.ended) - self.started) / self.plan.epoch_s)

    def _epochs_closed(self) -> int:
        """How many epochs are over: no producer sends a new event of theirs any more."""
        alive = min(producer.epoch for producer in self.producers)
        return min(alive, self._epoch() + self.ending.is_set())


@contextmanager
def prepared(plan: Plan, log: Path) -> Iterator[Run]:
    """Yield a run on a stack of its own, with its workers started."""
    with started() as stack, faulty_wire(stack.aws_endpoint_url) as wire:
        ground = ground_of(stack, {**SETTINGS, **wire.environment})
        _hurry(ground)
        _wait_for_functions(ground)
        with fleet(ground.environment, log) as workers:
            for function, *options in WORKERS:
                workers.start(function, *options)
            yield Run(plan, ground, wire, workers)


def _wait_for_functions(ground: Ground) -> None:
    """Have the API's functions started, which the change of their environment has ended."""
    api = Api(ground.stack)
    for method, path in (("GET", "/health"), ("POST", "/ingest")):
        if not wait_until(lambda: api.call(method, path).status < HTTPStatus.INTERNAL_SERVER_ERROR, START_S):  # noqa: B023
            raise Problem(f"{method} {path} is not answered.", "")


def _hurry(ground: Ground) -> None:
    """Have SQS bring messages back soon, and give those of replays up soon."""
    sqs, stack = ground.admin.sqs, ground.stack
    for url in (stack.replay_queue_url, stack.replay_jobs_queue_url, stack.replay_failures_queue_url):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": HIDDEN_S})
    attributes = sqs.get_queue_attributes(QueueUrl=stack.replay_queue_url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(attributes["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": RECEIVES}
    sqs.set_queue_attributes(QueueUrl=stack.replay_queue_url, Attributes={"RedrivePolicy": json.dumps(policy)})
