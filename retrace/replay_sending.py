"""From a replay that is wanted to one that is under way: counted, agreed to, and sent once."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from uuid import uuid4

import typer

from retrace.client import Client, refusal
from retrace.problem import Exit, Problem
from retrace.replay_shown import amount, show_preview
from retrace.replay_watch import ask
from retrace.shown import Json, Output

_RECOUNTS = 3
_JSON = {"Content-Type": "application/json"}


def counted(client: Client, request: Json) -> Json:
    """What a replay would send; nothing is sent."""
    return client.expect("POST", "/replay", body=_body({**request, "dry_run": True}), headers=_JSON).json


def sent(client: Client, output: Output, request: Json, preview: Json, *, yes: bool) -> Json:
    """Send what was agreed to; where the API has counted something else meanwhile, that is shown and asked for."""
    for _ in range(_RECOUNTS):
        if not yes:
            _agree(output, preview)
        # A key for each body: sending it again after a lost answer starts no second replay.
        headers = {**_JSON, "Idempotency-Key": f"retrace-cli-{uuid4()}"}
        body = _body({**request, "confirm": preview["messages"]})
        try:
            answer = client.call("POST", "/replay", body=body, headers=headers)
        except KeyboardInterrupt:
            output.note("It may have been asked for already; `retrace replays` lists it then.", "yellow")
            raise
        if answer.status == HTTPStatus.CONFLICT and "preview" in answer.json:
            preview = answer.json["preview"]
            output.note("There are other events by now:", "yellow")
            show_preview(output.notes, preview)
        elif answer.status >= HTTPStatus.BAD_REQUEST:
            raise refusal("POST /replay", answer)
        else:
            return answer.json
    raise Problem("The number of events kept changing.", "Let the window end before now, or try again.")


def _agree(output: Output, preview: Json) -> None:
    if not sys.stdin.isatty():
        raise Problem(
            "There is no terminal to ask on, so nothing was sent.",
            "Add --yes to send it, or --dry-run to look only.",
            Exit.USAGE,
        )
    if not ask(output, f"Send {amount(preview)}? [y/N]"):
        output.note("Nothing was sent.")
        raise typer.Exit(Exit.DIFFERENT)


def _body(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
