"""AWS as far away as it is: the emulator lets the calls of functions wait, as a network does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import urllib3

from embedded import administrator
from embedded.connection import Stack

CALL_MS = 5
"""For every call, whatever it does: less than any of what `bench.assumptions` takes calls on AWS to need."""


@contextmanager
def far_away(stack: Stack) -> Iterator[None]:
    """Let all calls to DynamoDB, S3 and SQS take so much longer for a while, but those of the bench itself."""
    _put(stack, CALL_MS)
    try:
        yield
    finally:
        _put(stack, 0)


def _put(stack: Stack, ms: int) -> None:
    headers = administrator.load(Path(stack.administrator_file)).control_headers
    url = f"{stack.aws_endpoint_url}/_emulator/delay?ms={ms}"
    answer = urllib3.request("PUT", url, headers=headers, timeout=60)
    if answer.status != HTTPStatus.NO_CONTENT:
        raise RuntimeError(f"The emulator does not let calls wait: {answer.status} {answer.data!r}")
