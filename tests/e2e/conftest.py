"""One deployed stack for the tests of a worker, and what they ask of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from embedded.connection import Stack
from embedded.stack import started
from tests.e2e.chromium import chromium
from tests.e2e.deployed import DESTINATIONS, Deployed
from tests.e2e.samples import Sample, chosen_sample


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called by pytest with the tests that it found: `-m sample` runs those that send the sample."""
    for item in items:
        if "sample" in getattr(item, "fixturenames", ()):
            item.add_marker("sample")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The application, deployed with CloudFormation onto an embedded AWS that enforces IAM."""
    with started(destinations=DESTINATIONS) as stack:
        yield stack


@pytest.fixture(scope="session")
def deployed(stack: Stack) -> Deployed:
    """The deployed application."""
    return Deployed(stack)


@pytest.fixture(scope="session")
def sample() -> Sample:
    """The project's own sample, or the events of RETRACE_EVENTS."""
    return chosen_sample()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium, gone after the tests of a module: what drives it keeps the thread's event loop."""
    with chromium() as browser:
        yield browser
