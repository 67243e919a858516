"""docs/producer-python.md shows code that runs, and every option with its default."""

from __future__ import annotations

import inspect
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from retrace import Producer
from tests.copied_project import ROOT
from tests.unit.producer.model_api import ModelApi, producer, serving

PAGE = (ROOT / "docs/producer-python.md").read_text()
FIRST, OUTBOX = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
URL = "https://abc123.execute-api.eu-west-1.amazonaws.com/api"


def test_the_page_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
    options = {name: one.default for name, one in inspect.signature(Producer).parameters.items() if name != "url"}

    assert [name for name, _ in rows] == list(options)
    for name, shown in rows:
        default = options[name]
        assert shown.strip() == (
            "" if default is inspect.Parameter.empty else f"{default:,}" if type(default) is int else str(default)
        )


def test_the_first_example_sends_an_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.chdir(tmp_path)
    with serving(ModelApi()) as api:
        exec(FIRST.replace(URL, api.url), {"__name__": "example"})  # noqa: S102  # the page's own code

    assert [json.loads(text)["payload"] for text in api.taken] == [{"amount": "12.50"}]


class Killed(BaseException):
    """A crash."""


def test_an_event_of_the_outbox_is_sent_once_however_often_the_relay_crashes(tmp_path: Path) -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE orders (order_id, paid); CREATE TABLE outbox (id INTEGER PRIMARY KEY, event);"
        "INSERT INTO orders VALUES ('1', 0), ('2', 0)"
    )
    code: dict[str, Any] = {"sqlite3": sqlite3, "json": json, "Any": Any, "Producer": Producer}
    exec(OUTBOX, code)  # noqa: S102  # the page's own code

    class Crashing(Producer):
        def send(self, event: Any) -> None:
            super().send(event)
            raise Killed

    for order in ("1", "2"):
        code["pay"](database, order, {"entity_id": order})
    with serving(ModelApi()) as api:
        for _ in range(3):
            with Crashing(api.url, spool=tmp_path, region="eu-west-1") as crashing, pytest.raises(Killed):
                code["relay"](database, crashing)
        with producer(api, tmp_path) as sending:
            code["relay"](database, sending)

    assert list(api.taken.values()) == [1, 1]
    assert database.execute("SELECT COUNT(*) FROM outbox").fetchone() == (0,)
    database.close()
