"""The poller of `make local` reads responses as Lambda does, and treats messages accordingly."""

from __future__ import annotations

import pytest

from embedded.poller import failed


@pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}])
def test_a_response_that_names_nothing_is_success(response: object) -> None:
    assert failed(response, ["a", "b"]) == set()


def test_named_messages_failed_and_no_other() -> None:
    assert failed({"batchItemFailures": [{"itemIdentifier": "b"}]}, ["a", "b", "c"]) == {"b"}


@pytest.mark.parametrize(
    "response",
    [
        "done",
        ["b"],
        {"batchItemFailures": "b"},
        {"batchItemFailures": ["b"]},
        {"batchItemFailures": [{"itemIdentifier": "elsewhere"}]},
        {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"id": "a"}]},
    ],
)
def test_a_response_that_makes_no_sense_fails_the_whole_batch(response: object) -> None:
    assert failed(response, ["a", "b"]) == {"a", "b"}
