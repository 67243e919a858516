"""AWS as far away as it is: the emulator lets the calls of functions wait, as a network does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import urllib3

CALL_MS = 5
"""For every call, whatever it does: less than any of what `bench.assumptions` takes calls on AWS to need."""


@contextmanager
def far_away(endpoint_url: str) -> Iterator[None]:
    """Let all calls to DynamoDB, S3 and SQS take so much longer for a while, but those of the bench itself."""
    _put(endpoint_url, CALL_MS)
    try:
        yield
    finally:
        _put(endpoint_url, 0)


def _put(endpoint_url: str, ms: int) -> None:
    answer = urllib3.request("PUT", f"{endpoint_url}/_emulator/delay?ms={ms}", timeout=60)
    if answer.status != HTTPStatus.NO_CONTENT:
        raise RuntimeError(f"The emulator does not let calls wait: {answer.status} {answer.data!r}")
