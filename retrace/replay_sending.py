"""From a replay that is wanted to one that is under way: counted, agreed to, and sent once."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from uuid import uuid4

import typer

from retrace.client import Answer, Client, refusal
from retrace.output import Json, Output
from retrace.problem import Exit, Problem
from retrace.replay_shown import amount, show_preview
from retrace.replay_watch import ask

_RECOUNTS = 3
_JSON = {"Content-Type": "application/json"}


def counted(client: Client, request: Json) -> Json:
    """What a replay would send; nothing is sent."""
    return client.expect("POST", "/replay", body=_body({**request, "dry_run": True}), headers=_JSON).json


def sent(client: Client, output: Output, request: Json, preview: Json, *, yes: bool) -> Json:
    """Send what was agreed to; where the API has counted something else meanwhile, that is shown and asked for."""
    limit = request.get("limit")
    for _ in range(_RECOUNTS):
        # Where counting stopped early, what it found is not the size of the replay; a limit bounds that.
        agreed = preview["messages"] if preview["exact"] or limit is None else limit
        if not yes:
            _agree(output, preview, limit)
        # A key for each body: sending it again after a lost answer starts no second replay.
        headers = {**_JSON, "Idempotency-Key": f"retrace-cli-{uuid4()}"}
        body = _body({**request, "confirm": agreed})
        try:
            answer = client.call("POST", "/replay", body=body, headers=headers)
        except KeyboardInterrupt:
            output.note("It may have been asked for already; `retrace replays` lists it then.", "yellow")
            raise
        if _recounted(answer, agreed):
            preview = answer.json["preview"]
            output.note("There are other events by now:", "yellow")
            show_preview(output.notes, preview)
        elif answer.status >= HTTPStatus.BAD_REQUEST:
            raise refusal("POST /replay", answer)
        else:
            return answer.json
    raise Problem("The number of events kept changing.", "Let the window end before now, or try again.")


def _recounted(answer: Answer, agreed: int) -> bool:
    """Whether something else was counted now. The same again means that this number confirms nothing."""
    return answer.status == HTTPStatus.CONFLICT and answer.json.get("preview", {}).get("messages", agreed) != agreed


def _agree(output: Output, preview: Json, limit: int | None) -> None:
    if not sys.stdin.isatty():
        raise Problem(
            "There is no terminal to ask on, so nothing was sent.",
            "Add --yes to send it, or --dry-run to look only.",
            Exit.USAGE,
        )
    at_most = "" if preview["exact"] or limit is None else f", at most {limit:,}"
    if not ask(output, f"Send {amount(preview)}{at_most}? [y/N]"):
        output.note("Nothing was sent.")
        raise typer.Exit(Exit.DIFFERENT)


def _body(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
