"""While a deployment raises the number of shards, old and new functions run: none misses an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chalicelib.runtime import system
from tests.functional.application import Application
from tests.functional.events import DAY, paid_several

BY_TYPE = {"source": "shop/checkout", "event_type": "order.paid", "day": DAY}
EVENTS = 40

Deployed = Callable[[int, int], None]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """Lets functions have so many shards to write to, and to read at least, from now on."""

    def deploy(written: int, read: int) -> None:
        monkeypatch.setenv("TYPE_DAY_SHARDS", str(written))
        monkeypatch.setenv("TYPE_DAY_SHARDS_READ", str(read))
        system.settings.cache_clear()

    yield deploy
    system.settings.cache_clear()


def found(application: Application) -> int:
    """How many events a search by type lists."""
    return len(application.get("/events", **BY_TYPE, limit="100").json_body["items"])


def test_what_ingest_writes_to_new_shards_is_found_by_functions_that_are_not_updated_yet(
    application: Application, deployed: Deployed
) -> None:
    deployed(8, 8)  # ingest is the first that the second deployment updates
    accepted = application.accept_all(paid_several(EVENTS))
    arrived = accepted[0]["ingest_time"][:10]

    deployed(4, 8)
    late = application.get("/late", **{**BY_TYPE, "day": arrived}, limit="100").json_body["items"]
    preview = application.preview(BY_TYPE).json_body
    _, messages = application.planned(**BY_TYPE)

    assert (found(application), len(late), preview["messages"], len(messages)) == (EVENTS,) * 4


def test_without_the_first_deployment_they_would_miss_some(application: Application, deployed: Deployed) -> None:
    deployed(8, 0)
    application.accept_all(paid_several(EVENTS))

    deployed(4, 0)

    assert 0 < found(application) < EVENTS


def test_a_replay_that_was_requested_before_has_all_that_was_acknowledged_before_it(
    application: Application, deployed: Deployed
) -> None:
    deployed(4, 0)
    before = {each["event_id"] for each in application.accept_all(paid_several(EVENTS))}
    application.requested(**BY_TYPE)

    deployed(8, 8)
    application.accept_all([each | {"payload": "later"} for each in paid_several(EVENTS)])
    application.plan()

    assert before <= {each.members["event_id"] for each in application.messages.taken()}
