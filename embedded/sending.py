"""Reads files of native events, one a line, plain or gzipped, and sends them in batches with several clients."""

import gzip
import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from embedded.client import Client, Json
from infra.command import Problem

CLIENTS = 8
GZIP_MAGIC = b"\x1f\x8b"
LOOKED_AT = 20
"""How many lines are read to decide whether a file is NDJSON at all. The stack judges each line by itself."""


def read(path: Path) -> list[bytes]:
    """Return the lines of a file that are not blank; raises Problem if it cannot hold events."""
    lines = [line for line in _content(path).split(b"\n") if line.strip()]
    if not lines:
        raise Problem(f"{path} is empty.", "Give a file with one event a line.")
    if not any(map(_is_object, lines[:LOOKED_AT])):
        raise Problem(
            f"{path} is not NDJSON: none of its first lines is a JSON object.",
            "Give one event a line, as in examples/shop-day/day.ndjson.",
        )
    return lines


def batches(lines: Sequence[bytes], events: int, size: int) -> Iterator[list[bytes]]:
    """Yield the lines in batches of at most this many events and bytes. One that is too long is a batch by itself."""
    batch: list[bytes] = []
    room = size
    for line in lines:
        if batch and (len(batch) == events or len(line) + 1 > room):
            yield batch
            batch, room = [], size
        batch.append(line)
        room -= len(line) + 1
    if batch:
        yield batch


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Problem(f"{path} is not a whole gzip file: {error}", "Pack or download it again.") from error
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.", "Check the path: make demo DATA=FILE") from error


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line, parse_int=str, parse_float=str), dict)
    except (ValueError, RecursionError):
        return False


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
