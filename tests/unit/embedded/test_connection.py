"""local.json: how to reach a stack."""

import json
import stat
from dataclasses import fields
from pathlib import Path

import pytest

from embedded.connection import Stack, load, save

STACK = Stack(**{field.name: f"the {field.name}" for field in fields(Stack)})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "local.json", STACK)

    assert load(tmp_path / "local.json") == STACK


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    save(tmp_path / "local.json", STACK)

    assert stat.S_IMODE((tmp_path / "local.json").stat().st_mode) == 0o600


def test_saving_again_replaces_the_file_and_leaves_no_other(tmp_path: Path) -> None:
    (tmp_path / "local.json").write_text("old")
    (tmp_path / "local.json.new").write_text("left by a crash")

    save(tmp_path / "local.json", STACK)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["local.env", "local.json"]


def test_a_shell_that_sources_the_variables_can_call_the_api(tmp_path: Path) -> None:
    save(tmp_path / "local.json", STACK)

    assert stat.S_IMODE((tmp_path / "local.env").stat().st_mode) == 0o600
    assert f"export RETRACE_URL='{STACK.api_url}'\n" in (tmp_path / "local.env").read_text()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"api_url": "http://"}', "\xff not json"])
def test_a_file_of_another_kind_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "local.json").write_text(content)

    assert load(tmp_path / "local.json") is None


def test_no_file_counts_as_none(tmp_path: Path) -> None:
    assert load(tmp_path / "local.json") is None


def test_it_holds_what_a_client_and_a_debugging_developer_need(tmp_path: Path) -> None:
    save(tmp_path / "local.json", STACK)

    assert json.loads((tmp_path / "local.json").read_text()).keys() >= {
        "api_url",
        "access_key_id",
        "secret_access_key",
        "aws_endpoint_url",
        "region",
        "raw_bucket",
        "events_table",
        "dedupe_table",
        "replays_table",
        "aggregates_table",
        "replay_queue_url",
        "dead_letter_queue_url",
    }
