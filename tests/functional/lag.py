"""Indexes that lag: what was just written shows in one read and not in the next, until its time is over."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.functional.wire import Attempt, Deliver, not_kept_back

SECONDS = 5
"""How long an index lags at most."""


@dataclass
class Lag:
    """Hides rows from reads that are not consistent, others at each read; `shown` are those whose time is over."""

    rng: random.Random
    shown: set[str] = field(default_factory=set)
    hidden: int = 0

    def passes_for(self, event_ids: Iterable[str]) -> None:
        """The index shows these events from now on."""
        self.shown.update(event_ids)

    def over(self, deliver: Deliver) -> Deliver:
        """The way to AWS, with an index that lags."""

        def delivered(event_name: str, request: AWSPreparedRequest) -> AWSResponse:
            attempt = Attempt(event_name, request, deliver)
            if attempt.operation == "SendMessage":
                return not_kept_back(attempt)  # whoever takes the message off the queue decides when it comes
            answer = deliver(event_name, request)
            if attempt.operation != "Query" or "IndexName" not in attempt.members or answer.status_code != 200:
                return answer
            return self._seen(attempt, json.loads(answer.content))

        return delivered

    def _seen(self, attempt: Attempt, answer: dict[str, list[dict[str, dict[str, str]]]]) -> AWSResponse:
        items = answer.get("Items", [])
        seen = [item for item in items if not self._hides(item.get("event_id", {}).get("S"))]
        self.hidden += len(items) - len(seen)
        count = {"Count": len(seen)} if "Items" in answer else {}
        return attempt.answered(200, json.dumps({**answer, **({"Items": seen} if items else {}), **count}).encode())

    def _hides(self, event_id: str | None) -> bool:
        return event_id is not None and event_id not in self.shown and self.rng.random() < 0.5
