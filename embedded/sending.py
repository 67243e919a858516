"""Several clients at once sending batches of events."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from embedded.client import Client, Json

CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over a file: each line with its result, and how long it took."""

    results: Sequence[tuple[bytes, Json]]
    requests: int
    seconds: float

    @property
    def counts(self) -> Counter[str]:
        """How many lines ended in each status."""
        return Counter(result["status"] for _, result in self.results)


def send(client: Client, batches: Sequence[Sequence[bytes]], told: Callable[[int], None]) -> Pass:
    """Send every batch, several at once; `told` is called with the number of lines answered so far."""
    started = time.monotonic()
    done = 0
    with ThreadPoolExecutor(CLIENTS) as clients:
        futures = [clients.submit(client.ingest, batch) for batch in batches]
        try:
            for future in as_completed(futures):
                done += len(future.result().results)
                told(done)
        except BaseException:
            clients.shutdown(wait=False, cancel_futures=True)  # batches not begun yet stay unsent
            raise
    seconds = time.monotonic() - started
    results = [
        pair
        for batch, future in zip(batches, futures, strict=True)
        for pair in zip(batch, future.result().results, strict=True)
    ]
    return Pass(results, len(batches), seconds)
