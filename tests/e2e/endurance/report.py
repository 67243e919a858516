"""What a long run counted: told while it runs, as tables, as JSON, and its sums in tests/README.md."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.markdown import filled, table
from embedded.layout import ROOT
from tests.e2e.endurance.account import SHOWN, Account
from tests.e2e.endurance.crashes import Crashes
from tests.e2e.endurance.ledger import Ledger
from tests.e2e.endurance.replay_desk import Errand
from tests.e2e.faults import Call

PAGE = ROOT / "tests" / "README.md"


@dataclass(frozen=True)
class Counts:
    """All that is told of a run."""

    seconds: float
    calls: Counter[Call]
    ledger: Ledger
    crashes: Crashes
    errands: Sequence[Errand]
    account: Account

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return self.account.good and not self.ledger.violations and not self.unexplained

    @property
    def unexplained(self) -> int:
        """How many requests were left without an answer although no function that might give it was killed."""
        ingest = self.ledger.unanswered("POST /ingest")
        others = self.ledger.unanswered() - ingest
        killed = self.crashes.killed
        return max(0, ingest - killed["ingest"]) + max(0, others - killed["api"])

    @property
    def faults(self) -> int:
        """How many calls were struck."""
        return sum(count for call, count in self.calls.items() if call.fault)


def progress(seconds: float, ledger: Ledger, crashes: Crashes, errands: Sequence[Errand]) -> None:
    """One line of how far it is."""
    done = sum(errand.done for errand in errands)
    print(
        f"{seconds / 60:5.1f} min: {sum(ledger.statuses.values()):,} requests, {len(ledger.known):,} events,"
        f" {sum(crashes.killed.values())} crashes, {done} of {len(errands)} replays done,"
        f" {len(ledger.violations)} violations {ledger.violations[-1:]}",
        flush=True,
    )


def as_table(counts: Counts) -> str:
    """The tables that are printed."""
    parts = [_sums(counts), table(("answer", "count"), sorted(counts.ledger.statuses.items()))]
    parts += [_faults(counts.calls), table(("function", "killed"), sorted(counts.crashes.killed.items()))]
    return "\n\n".join(parts) + "".join(f"\n\n{name}: {what}" for name, what in _offences(counts))


def _sums(counts: Counts) -> str:
    return table(("", "count"), _summary(counts))


def _summary(counts: Counts) -> Iterator[tuple[str, object]]:
    account, ledger = counts.account, counts.ledger
    states = Counter(errand.job.get("state", "never begun") for errand in counts.errands)
    yield "minutes under faults", round(counts.seconds / 60, 1)
    yield "requests to the API", sum(ledger.statuses.values())
    yield "events sent, with repeats and invalid ones", ledger.submissions
    yield "different events sent", account.sent
    yield "AWS calls", sum(counts.calls.values())
    yield "faults injected", counts.faults
    yield "crashes", sum(counts.crashes.killed.values())
    yield "replays complete, cancelled", f"{states['COMPLETE']}, {states['CANCELLED']}"
    yield "redrives", sum(errand.redrives for errand in counts.errands)
    yield "aggregate versions checked", account.versions
    yield "events counted in them", account.inputs
    yield "later arrivals recorded", account.arrivals
    yield "rejected events in quarantine", account.quarantined
    yield "raw lines without a row", account.unindexed_lines
    yield "requests without an answer, because their function was killed", ledger.unanswered()
    yield "requests without an answer for another reason", counts.unexplained
    yield "answers that were not 2xx, 4xx or 503 with Retry-After", len(ledger.violations)
    yield "events lost", len(account.lost)
    yield "events accepted or counted twice", len(account.counted_twice)
    yield "other contradictions", len(account.wrong)


def _faults(calls: Counter[Call]) -> str:
    kinds = sorted({call.fault for call in calls if call.fault})
    operations = sorted({(call.service, call.operation) for call in calls})
    by_kind: Counter[tuple[str, str, str]] = Counter()
    for call, count in calls.items():
        by_kind[call.service, call.operation, call.fault] += count
    rows = []
    for service, operation in operations:
        struck = [by_kind[service, operation, kind] for kind in kinds]
        rows.append((f"{service} {operation}", sum(struck) + by_kind[service, operation, ""], *struck))
    return table(("operation", "calls", *kinds), rows)


def _offences(counts: Counts) -> Iterable[tuple[str, str]]:
    account = counts.account
    for name, found in (
        ("lost", account.lost),
        ("counted twice", account.counted_twice),
        ("wrong", account.wrong),
        ("violation", counts.ledger.violations),
    ):
        yield from ((name, what) for what in found[:SHOWN])


def as_json(counts: Counts) -> str:
    """All of it for programs."""
    told: dict[str, Any] = {
        "summary": dict(_summary(counts)),
        "answers": dict(sorted(counts.ledger.statuses.items())),
        "calls": [{**asdict(call), "count": count} for call, count in counts.calls.items()],
        "killed": dict(counts.crashes.killed),
        "longest_batch_s": counts.crashes.longest_s,
        "batches": dict(counts.crashes.batches),
        "account": asdict(counts.account),
        "violations": counts.ledger.violations,
    }
    return json.dumps(told, indent=1) + "\n"


def write(counts: Counts) -> None:
    """Put the sums into tests/README.md."""
    PAGE.write_text(filled(PAGE.read_text(), {"counts": _sums(counts)}, "make endurance"))
