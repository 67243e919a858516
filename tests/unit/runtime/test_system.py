"""What a process has of the world outside is made once, and forgotten by one call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.runtime import event_wiring, system

ROOT = Path(__file__).parents[3]
MADE_ONCE = (system.settings, system.s3, system.dynamodb, system.sqs, system.kms, system.secretsmanager)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    system.forget()
    yield
    system.forget()


def test_one_call_forgets_settings_clients_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [each() for each in MADE_ONCE]
    secrets = event_wiring.webhook_secrets()
    assert [each() for each in MADE_ONCE] == before

    monkeypatch.setenv("RAW_BUCKET", "another")
    system.forget()

    assert system.settings().raw_bucket == "another"
    assert not [each for each, old in zip(MADE_ONCE, before, strict=True) if each() is old]
    assert event_wiring.webhook_secrets() is not secrets


def test_nothing_is_remembered_that_this_call_does_not_forget() -> None:
    remembering = {
        path.stem
        for path in ROOT.glob("chalicelib/**/*.py")
        if re.search(r"lru_cache|functools import .*\bcache\b|functools\.cache", path.read_text())
    }

    assert remembering == {"calendars", "system", "timestamps"}  # all but system of pure functions
