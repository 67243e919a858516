"""What must be true of a Retrace that took certain requests: a few dictionaries and sets, and no storage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.functional.events import DAY, NEXT_DAY, Json


@dataclass(frozen=True)
class Candidate:
    """Something that a producer may send: two of one identity and other content are a conflict."""

    identity: str
    content: str
    entity: str
    day: str
    event_type: str
    body: str
    """The members, as text, so that a candidate can be hashed."""


def _candidate(number: int, entity: str, day: str, event_type: str, key: str | None = None) -> Candidate:
    keyed = "" if key is None else f', "idempotency_key": "{key}"'
    body = (
        f'{{"source": "shop", "event_type": "{event_type}", "entity_id": "{entity}",'
        f' "event_time": "{day}T10:00:{number:02d}Z", "payload": {{"number": {number}, "amount": 1.10}}{keyed}}}'
    )
    return Candidate(key or f"event-{number}", f"content-{number}", entity, day, event_type, body)


CANDIDATES = (
    *(_candidate(number, "order-1", DAY, "paid") for number in range(1, 5)),
    *(_candidate(number, "order-1", NEXT_DAY, "void") for number in range(5, 7)),
    *(_candidate(number, "order-2", DAY, ("paid", "void")[number % 2]) for number in range(7, 10)),
    _candidate(10, "order-1", DAY, "paid", key="key-1"),
    _candidate(11, "order-1", DAY, "paid", key="key-1"),
    _candidate(12, "order-2", NEXT_DAY, "void", key="key-2"),
    _candidate(13, "order-1", NEXT_DAY, "paid", key="key-2"),
)

INVALID = '{"source": "shop"}'


@dataclass
class Model:
    """What producers know by the answers they got, whatever happened behind them."""

    known: dict[str, Candidate] = field(default_factory=dict)
    """By identity, the event that an answer has told to be stored."""
    sent: dict[str, set[Candidate]] = field(default_factory=lambda: defaultdict(set))
    """By identity, all that was ever sent of it, acknowledged or not."""
    accepted: Counter[str] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)
    """Submissions by what became of them."""

    def sends(self, batch: Sequence[Candidate | None]) -> dict[str, Candidate]:
        """A request is on its way; answers what was known before. None stands for something that is not valid."""
        self.tally["sent"] += len(batch)
        for candidate in batch:
            if candidate is not None:
                self.sent[candidate.identity].add(candidate)
        return dict(self.known)

    def is_not_answered(self, batch: Sequence[Candidate | None]) -> None:
        """The producer got no 2xx, and knows nothing."""
        self.tally["unacknowledged"] += len(batch)

    def is_answered(
        self, batch: Sequence[Candidate | None], results: Sequence[Json], known_before: dict[str, Candidate]
    ) -> None:
        """The producer got a result for each, which must be possible."""
        assert len(results) == len(batch)
        for candidate, result in zip(batch, results, strict=True):
            self.tally[result["status"].lower()] += 1
            if candidate is None:
                assert result["status"] == "REJECTED", result
            else:
                self._learn(candidate, result["status"], known_before)

    def _learn(self, candidate: Candidate, status: str, known_before: dict[str, Candidate]) -> None:
        identity, known = candidate.identity, self.known.get(candidate.identity)
        match status:
            case "ACCEPTED":
                assert identity not in known_before, f"{identity} was accepted although it was known"
                assert known in {None, candidate}
                self.accepted[identity] += 1
                assert self.accepted[identity] == 1, f"{identity} was accepted twice"
                self.known[identity] = candidate
            case "DUPLICATE":
                assert known in {None, candidate}, f"{candidate} was taken for a duplicate of {known}"
                self.known[identity] = candidate
            case "CONFLICT":
                others = self.sent[identity] - {candidate}
                assert known != candidate, f"{candidate} was taken for a conflict with itself"
                assert others, f"{candidate} was taken for a conflict with nothing"
                [self.known[identity]] = others
            case _:
                raise AssertionError(f"{candidate} was {status}")

    @property
    def accounted(self) -> bool:
        """Whether every submission has come to one end."""
        ends = ("accepted", "duplicate", "conflict", "rejected", "unacknowledged")
        return self.tally["sent"] == sum(self.tally[end] for end in ends)


@dataclass(frozen=True)
class Selection:
    """What a replay is asked for."""

    entity: str | None
    event_type: str | None

    @property
    def request(self) -> Json:
        """As POST /replay takes it."""
        if self.entity is not None:
            return {
                "entity_id": self.entity,
                "start_time": f"{DAY}T00:00:00Z",
                "end_time": f"{NEXT_DAY}T23:00:00Z",
            }
        return {"source": "shop", "event_type": self.event_type, "start_day": DAY, "end_day": NEXT_DAY}

    def takes(self, candidate: Candidate) -> bool:
        """Whether it is about an event."""
        return candidate.entity == self.entity or candidate.event_type == self.event_type


SELECTIONS = (
    Selection("order-1", None),
    Selection("order-2", None),
    Selection(None, "paid"),
    Selection(None, "void"),
)


@dataclass
class Replay:
    """A replay that was answered 202."""

    selection: Selection
    must: set[Candidate]
    """What was known to be stored when it was asked for; more may have come while it was planned."""
    cancelled: bool = False
