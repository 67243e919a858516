"""Waiting for a replay: how it ends the command, and what Ctrl-C does; and the commands that control a replay."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import typer

from retrace.commands import dead_letters
from retrace.output import Output
from retrace.problem import Problem
from retrace.replay_progress import STILL_S, Watch
from retrace.replay_table import advice_of
from tests.unit.cli.replay_answers import REPLAY_ID, job, preview
from tests.unit.cli.scripted_api import ScriptedApi, exit_code, problem, routes, said, serving

STATUS, CANCEL, REDRIVE = (
    f"{call.format(REPLAY_ID)}" for call in ("GET /replay/{}", "POST /replay/{}/cancel", "POST /replay/{}/redrive")
)
ORDERED = job("SENT")["request"] | {"destination": "ordered"}


class Terminal(io.StringIO):
    """A terminal on which an answer has been typed, or Ctrl-C."""

    def __init__(self, *answers: str | None) -> None:
        super().__init__()
        self._answers = list(answers)

    def isatty(self) -> bool:
        return True

    def readline(self, *_: Any) -> str:  # type: ignore[override]  # as of any text
        answer = self._answers.pop(0)
        if answer is None:
            raise KeyboardInterrupt
        return answer


def ctrl_c(_: float) -> None:
    raise KeyboardInterrupt


def watch(api: ScriptedApi, **given: Any) -> tuple[Watch, io.StringIO]:
    """A watch of the replay, and what it says."""
    err = io.StringIO()
    return Watch(api.client(), Output(out=io.StringIO(), err=err), REPLAY_ID, 3, **given), err


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (job("COMPLETE"), 0),
        (job("COMPLETE", processed=2, failed=1), 1),
        (job("FAILED", failure="gone"), 1),
        (job("CANCELLED"), 1),
        (job("SENT", request=ORDERED, reports=False), 0),
    ],
    ids=lambda value: value["state"] if isinstance(value, dict) else str(value),
)
def test_the_command_ends_as_the_replay_does(ended: dict[str, Any], code: int) -> None:
    with serving(routes({STATUS: [(200, job("PLANNING")), (200, job("SENDING")), (200, ended)]})) as api:
        result = api.run("replay", "get", REPLAY_ID, "--wait", "--json")

    assert json.loads(result.stdout)["state"] == ended["state"]
    assert exit_code(result) == code


def test_a_replay_is_waited_for_from_its_request_on() -> None:
    script = routes(
        {
            "POST /replay": [(200, preview()), (202, job("PLANNING"))],
            STATUS: [(200, job("SENDING")), (200, job())],
        }
    )
    with serving(script) as api:
        result = api.run("replay", "create", "depot-lyon", "--day", "2025-11-28", "--yes", "--wait")

    assert json.loads(result.stdout) == job()
    assert exit_code(result) == 0
    assert "retrace aggregates get depot-lyon 2025-11-28" in result.stderr


def test_a_replay_to_another_destination_leads_to_no_aggregate() -> None:
    ended = job(destination="billing")
    with serving(routes({"POST /replay": [(200, preview()), (202, ended)], STATUS: (200, ended)})) as api:
        result = api.run(
            "replay", "create", "depot-lyon", "--day", "2025-11-28", "--destination", "billing", "--yes", "--wait"
        )

    assert (exit_code(result), "retrace aggregates get" in result.stderr) == (0, False)


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal() -> None:
    moments = iter(range(0, 10_000, 3))
    states = [(200, job("SENT", processed=done)) for done in range(3)]
    with serving(routes({STATUS: [*states, (200, job())]})) as api:
        watched, err = watch(api, sleep=lambda _: None, clock=lambda: float(next(moments)))
        assert watched.until_over() == job()

    assert "SENT: 3 sent, 2 processed of 3\n" in err.getvalue()


def test_a_replay_that_stands_still_is_said_to_once() -> None:
    moments = iter(range(0, 10_000, int(STILL_S)))
    with serving(routes({STATUS: [*[(200, job("SENT"))] * 5, (200, job())]})) as api:
        watched, err = watch(api, sleep=lambda _: None, clock=lambda: float(next(moments)))
        watched.until_over()

    assert err.getvalue().count("no progress for a minute. Run `retrace doctor`") == 1


def test_a_consumer_that_is_silent_is_told_once_with_the_command() -> None:
    silent = job("SENT", advice=f"None reported for 2 hours: POST /replay/{REPLAY_ID}/redrive sends those back.")
    with serving(routes({STATUS: [*[(200, silent)] * 5, (200, job())]})) as api:
        watched, err = watch(api, sleep=lambda _: None)
        watched.until_over()

    assert err.getvalue().count("None reported for 2 hours") == 1
    assert f"`retrace replay redrive {REPLAY_ID}` sends those back" in err.getvalue().replace("\n", " ")


def test_ctrl_c_offers_to_cancel_and_yes_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    with serving(routes({STATUS: (200, job("SENDING")), CANCEL: (200, job("CANCELLED"))})) as api:
        watched, err = watch(api, sleep=ctrl_c)
        assert watched.until_over()["state"] == "CANCELLED"

    assert "Cancel the replay? [y/N]" in err.getvalue()


@pytest.mark.parametrize("answer", ["n\n", "\n", "", None], ids=["no", "enter", "end of input", "ctrl-c again"])
def test_any_other_answer_leaves_it_running(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with serving(routes({STATUS: (200, job("SENDING"))})) as api:
        watched, err = watch(api, sleep=ctrl_c)
        with pytest.raises(typer.Exit) as ended:
            watched.until_over()

    assert ended.value.exit_code == 130
    assert api.calls(CANCEL) == []
    assert f"retrace replay get {REPLAY_ID} --wait" in err.getvalue()
    assert f"retrace replay cancel {REPLAY_ID}" in err.getvalue()


def test_without_a_terminal_ctrl_c_leaves_it_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with serving(routes({STATUS: (200, job("SENDING"))})) as api:
        watched, _ = watch(api, sleep=ctrl_c)
        with pytest.raises(typer.Exit):
            watched.until_over()

    assert api.calls(CANCEL) == []


def test_an_api_that_is_gone_does_not_end_the_replay() -> None:
    with serving(routes({STATUS: (500, problem("Broken."))})) as api:
        watched, _ = watch(api)
        with pytest.raises(Problem, match=r"Broken\.") as ended:
            watched.until_over()

    assert f"retrace replay get {REPLAY_ID} --wait" in ended.value.remedy


def test_cancel() -> None:
    with serving(routes({CANCEL: (200, job("CANCELLED", dropped=3))})) as api:
        result = api.run("replay", "cancel", REPLAY_ID)

    assert exit_code(result) == 0
    assert json.loads(result.stdout)["dropped"] == 3


def test_cancelling_a_complete_replay_says_so_and_shows_it() -> None:
    with serving(routes({CANCEL: (409, problem("It is complete.")), STATUS: (200, job())})) as api:
        result = api.run("replay", "cancel", REPLAY_ID)

    assert exit_code(result) == 1
    assert "It is complete." in result.stderr
    assert json.loads(result.stdout)["state"] == "COMPLETE"


def test_redrive_says_where_there_is_nothing_to_send_back() -> None:
    with serving(routes({REDRIVE: [(202, job(failed=1)), (202, job())]})) as api:
        first, second = api.run("replay", "redrive", REPLAY_ID), api.run("replay", "redrive", REPLAY_ID)

    assert "on their way back" in first.stderr
    assert "nothing was sent back" in second.stderr
    assert [asked.body for asked in api.asked] == [None, None]


def test_a_redrive_to_another_destination_continues_and_sends_nothing_back() -> None:
    with serving(routes({REDRIVE: (202, job("SENDING", destination="billing"))})) as api:
        result = api.run("replay", "redrive", REPLAY_ID)

    assert "It continues." in result.stderr
    assert "on their way back" not in result.stderr


def test_a_redrive_of_a_destination_redrives_each_replay_of_its_dead_letters_and_says_which_was_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = "0199b0f4-5a1c-7c3e-9f00-3d2b6a1e4f58"
    letters = [{"replay_id": each} for each in (other, REPLAY_ID, "", other)]
    monkeypatch.setattr(dead_letters, "letters_of", lambda target, name: iter(letters if name == "billing" else ()))
    refused = (409, problem("It was cancelled."))
    with serving(routes({REDRIVE: (202, job(failed=1)), f"POST /replay/{other}/redrive": refused})) as api:
        result = api.run("replay", "redrive", "--destination", "billing")
        nothing = api.run("replay", "redrive", "--destination", "ledger")
        neither, both = api.run("replay", "redrive"), api.run("replay", "redrive", REPLAY_ID, "--destination", "a")

    assert [json.loads(line)["replay_id"] for line in result.stdout.splitlines()] == [REPLAY_ID]
    assert f"Replay {other}: " in result.stderr
    assert "It was cancelled." in result.stderr
    assert "There are no dead letters of ledger." in nothing.stderr
    assert [exit_code(each) for each in (result, nothing, neither, both)] == [1, 0, 2, 2]


@pytest.mark.parametrize(
    ("request_", "advice", "told"),
    [
        (
            {"source": "my shop", "event_types": ["a b", "c"], "day": "2025-11-28"},
            "Nothing; GET /freshness?source=my%20shop&event_type=a%20b finds the newest event of a type.",
            "Nothing. The newest event: retrace freshness --source 'my shop' --type 'a b' --look-back-days 366",
        ),
        (
            {"entity_id": "o 1", "day": "2025-11-28"},
            "Nothing; GET /events?entity_id=o%201 lists all events of the entity.",
            "Nothing. The newest event: retrace events --newest --limit 1 -- 'o 1'",
        ),
        (
            {"events_file": "ab"},
            "GET /events lists events with their ids.",
            "`retrace events` lists events with their ids.",
        ),
    ],
    ids=["type", "entity", "file"],
)
def test_advice_on_where_events_are_names_commands(request_: dict[str, Any], advice: str, told: str) -> None:
    assert advice_of(job(request=request_, advice=advice)) == told


def test_advice_names_the_command_and_not_the_route() -> None:
    failed = job(failed=1, advice=f"1 message is dead. POST /replay/{REPLAY_ID}/redrive sends it back.")
    with serving(routes({STATUS: (200, failed)})) as api:
        result = api.run("replay", "get", REPLAY_ID, "--table")

    assert f"`retrace replay redrive {REPLAY_ID}` sends it back" in result.stdout
    assert exit_code(result) == 1


@pytest.mark.parametrize(("read_to", "shown"), [("2025-11-29T08:00:00.000000000Z", True), (None, False)])
def test_a_replay_by_type_shows_what_it_has_read(read_to: str | None, shown: bool) -> None:  # noqa: FBT001  # parametrized
    with serving(routes({STATUS: (200, job(index_read_to=read_to))})) as api:
        result = api.run("replay", "get", REPLAY_ID, "--table")

    assert ("index read to" in result.stdout) == shown


def test_the_list_of_replays() -> None:
    by_type = {"source": "shop", "event_type": "order.paid", "start_day": "2025-11-01", "end_day": "2025-11-28"}
    window = {"start_time": "2025-11-28T10:00:00.000000000Z", "end_time": "2025-11-28T12:00:00.000000000Z"}
    listed = [
        job(),
        job("FAILED", request=by_type | {"max_messages": 5, "whole_days": True, "reason": "why"}),
        job(request={"source": "shop", "event_types": ["order.sent", "order.paid"]} | window),
    ]
    with serving(routes({"GET /replay": (200, {"items": listed, "cursor": None})})) as api:
        result = api.run("replay", "list", "--table")

    assert "depot-lyon, 2025-11-28" in result.stdout
    assert "shop order.paid, 2025-11-01 to 2025-11-28 (whole days, max_messages 5)" in result.stdout
    assert "shop order.sent, order.paid, 2025-11-28 10:00:00 to 2025-11-28 12:00:00" in result.stdout
    assert "ana" in result.stdout


def test_no_replays_yet() -> None:
    with serving(routes({"GET /replay": (200, {"items": [], "cursor": None})})) as api:
        result = api.run("replay", "list")

    assert "No replay was requested yet" in result.stderr


@pytest.mark.parametrize("command", ["get", "cancel", "redrive"])
@pytest.mark.parametrize("name", ["", "a/cancel", "a b"])
def test_what_is_no_replay_id_is_not_asked_for(command: str, name: str) -> None:
    with serving(routes({})) as api:
        result = api.run("replay", command, name)

    assert exit_code(result) == 2
    assert "is not a replay id" in said(result)
    assert api.asked == []
