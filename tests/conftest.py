"""The environment that the application is imported in: known names, no real AWS."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import pytest

from embedded.admin import Administrator
from tests import sizes
from tests.roomy_stack import NEEDED, on_one_piece

ACCOUNT = "123456789012"  # moto's
KEY = Administrator.new()
"""The administrator of every MiniStack that functional tests start: boto3 reads the environment once."""

SETTINGS = {
    "AWS_ACCESS_KEY_ID": KEY.access_key_id,
    "AWS_SECRET_ACCESS_KEY": KEY.secret_access_key,
    "AWS_DEFAULT_REGION": "eu-west-1",
    "RAW_BUCKET": "retrace-test-raw",
    "EVENTS_TABLE": "retrace-test-events",
    "DEDUPE_TABLE": "retrace-test-dedupe",
    "REPLAYS_TABLE": "retrace-test-replays",
    "AGGREGATES_TABLE": "retrace-test-aggregates",
    "REPLAY_QUEUE_URL": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/retrace-test-replay",
    "DESTINATIONS": json.dumps(
        {
            "aggregates": {"arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:retrace-test-replay"},
            "billing": {"arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:retrace-test-to-billing", "own": True},
            "ordered": {"arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:retrace-test-to-ordered.fifo", "own": True},
        }
    ),
    "REPLAY_JOBS_QUEUE_URL": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/retrace-test-replay-jobs",
    "REPLAY_JOBS_DEAD_LETTER_QUEUE_URL": (
        f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/retrace-test-replay-jobs-dead-letters"
    ),
    "REPLAY_FAILURES_QUEUE_URL": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/retrace-test-replay-failures",
    "DEAD_LETTER_QUEUE_URL": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/retrace-test-replay-dead-letters",
    "STAGE": "test",
    "POWERTOOLS_SERVICE_NAME": "retrace-test",
    # moto copies a table for each transaction and does not lock it, so calls come one at a time.
    "CONCURRENCY": "1",
    # Their indexes do not lag, and nobody waits for them; tests of the lag set it.
    "INDEX_LAG_SECONDS": "0",
}

LONGEST = {"test_breaks", "test_interleavings", "test_model"}
"""Begun last, each of them would keep one worker while the others wait."""

SWITCHES = (
    "RETRACE_AWS",
    "RETRACE_CHROMIUM",
    "RETRACE_CLOUDEVENTS",
    "RETRACE_EVENTS",
    "RETRACE_MUTANTS",
)
"""The variables by which tests are told to do more, or something else."""

for name in [name for name in os.environ if name.startswith(("AWS_", "RETRACE_")) and name not in SWITCHES]:
    del os.environ[name]
os.environ.update(SETTINGS)

sizes.register()

# What a shell runs in the background ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Called by pytest for each test that it finds."""
    # No hook runs a test, or the fixtures it asks for, in place of pytest.
    if NEEDED:
        item.setup = partial(on_one_piece, item.setup)  # type: ignore[method-assign]
        item.runtest = partial(on_one_piece, item.runtest)  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called by pytest with the tests that it found: those of a file that keeps a worker for minutes begin first."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What random choices begin with: that of Hypothesis, where one was given."""
    return int(pytestconfig.getoption("--hypothesis-seed") or 4)
