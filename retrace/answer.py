"""Answers of the API, told apart from those of other servers, and the problems that its refusals are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from retrace.problem import Exit, Problem

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the API: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body; raises Problem if it is no JSON object, as of something that is not Retrace."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.foreign()
        return found

    @property
    def is_an_object(self) -> bool:
        """Whether the body is a JSON object."""
        try:
            _ = self.json
        except Problem:
            return False
        return True

    def items_and_cursor(self) -> tuple[list[Json], str | None]:
        """A page of a list, and the cursor to the next."""
        body = self.json
        if not isinstance(body.get("items"), list):
            raise self.foreign()
        return body["items"], body.get("cursor")

    def whole(self) -> tuple[list[Json], str | None]:
        """A page as its only item, if there is more on it than a list, and the cursor to the next."""
        return [self.json], self.json["cursor"]

    def has(self, member: str) -> bool:
        """Whether the body is a JSON object with this member."""
        return self.is_an_object and member in self.json

    @property
    def retry_after_s(self) -> float:
        """How long it asks to wait; 0 unless it says that in seconds."""
        said = self.headers.get("retry-after", "")
        return float(said) if said.isascii() and said.isdigit() else 0.0

    def foreign(self) -> Problem:
        """What to say of an answer that Retrace would not give."""
        shown = self.body[:200].decode(errors="replace")
        remedy = "Check that the URL is that of the API, with its stage."
        return Problem(f"The answer ({self.status}) is not Retrace's: {shown}", remedy, Exit.UNREACHABLE)


def succeeded(answer: Answer) -> bool:
    """Whether the status says success."""
    return answer.status < HTTPStatus.BAD_REQUEST


_LOG_IN = "Log in again (aws sso login), or name other credentials (AWS_PROFILE)."
_THE_URL = "Check the URL: it is that of the API and ends with the stage, as in https://…/api."
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"Credential should be scoped to a valid region",
        "The region that requests are signed for is not that of the API",
        "Give the region of the API: --region, or `region` in the profile.",
    ),
    (
        r"request signature we calculated does not match",
        "The secret access key is wrong: it does not belong to the access key",
        "Correct AWS_SECRET_ACCESS_KEY, or name other credentials (AWS_PROFILE).",
    ),
    (r"security token included in the request is expired", "The AWS credentials have expired", _LOG_IN),
    (
        r"security token included in the request is invalid",
        "AWS does not know the access key, or its session token is wrong",
        _LOG_IN,
    ),
    (r"Signature (expired|not yet current)", "The clock of this machine is wrong", "Set the clock (NTP)."),
    (r"Missing Authentication Token", "The path of the URL is wrong: no API has this route there", _THE_URL),
    (
        r"not authorized to perform: (?!execute-api:)",
        "The path of the URL is wrong: what answers there is not the API",
        _THE_URL,
    ),
    (r'"message": ?"Forbidden"', "The URL has a wrong stage, or a firewall (WAF) denies the request", _THE_URL),
    (
        r"not authorized to perform: execute-api:Invoke",
        "The credentials lack the right to call this route, or the URL or region is not that of this API",
        "Run `retrace doctor` to see whose credentials these are, and attach the policy for this route to them.",
    ),
)
"""What API Gateway and IAM say, what it means here, where every request is signed, and what to do."""

_OPTIONS = {
    "entity_id": "ENTITY",
    "event_type": "--type",
    "event_types": "--type",
    "start_time": "--since",
    "end_time": "--until",
    "start_day": "--from-day",
    "end_day": "--to-day",
    "idempotency_key": "KEY",
    "replay_id": "REPLAY",
    "max_age_s": "--max-age-s",
    "min_lag_ms": "--min-lag-ms",
    "max_messages": "--max-messages",
    "include_duplicates": "--include-duplicates",
    "whole_days": "--whole-days",
    "look_back_days": "--look-back-days",
    "events_file": "--events",
    "dry_run": "--dry-run",
    "include.min_lag_ms": "--include-min-lag-ms",
    "exclude.min_lag_ms": "--exclude-min-lag-ms",
    **{
        f"{kind}.{field}": f"--{kind}-{name}"
        for kind in ("include", "exclude")
        for field, name in {"sources": "source", "event_types": "type", "event_ids": "event"}.items()
    },
}
"""The option that a field of a request comes from, where it is called otherwise. Texts of problems name them, too."""

_NAMED_LIKE_WORDS = {"metrics": "--metric", "order": "--newest", "resolved": "--unresolved", "from": "FROM", "to": "TO"}
"""Other such fields, whose names in a text mean something else."""

_LISTS = {
    "/rejected": "retrace rejected list",
    "/replay": "retrace replay list",
    "/metrics": "retrace metrics list",
}
"""The command that lists what a path has."""

_COMMANDS = (
    (re.compile(r"POST /replay/([\w-]+)/(redrive|cancel)"), r"`retrace replay \2 \1`"),
    (re.compile(r"GET /(replay|rejected)/([\w.-]*\w)"), r"`retrace \1 get \2`"),
    (re.compile(r"GET /(replay|rejected|metrics)(?![\w/?])"), r"`retrace \1 list`"),
    (re.compile(r"GET /(sources|stale|destinations|events)(?![\w/?-])"), r"`retrace \1`"),
)
"""Routes in texts of the API, and the commands that call them."""

_AS_CALLED = re.compile("source|day|rate|destination|reason|limit|unit|status|calendar|only|of|by|group|metric")
_FIELD = re.compile("|".join(rf"(?<!/)\b{re.escape(name)}\b" for name in sorted(_OPTIONS, key=len, reverse=True)))


def problem_of(call: str, answer: Answer) -> Problem:
    """What an answer refuses, with each option that is at fault."""
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return _denied(call, answer)
    problem = answer.json
    what = next((problem[name] for name in ("detail", "title", "message") if problem.get(name)), answer.status)
    faults = [(_option(fault.get("field") or ""), fault.get("message", "")) for fault in problem.get("errors", [])]
    lines = [
        f"{call}: {with_commands(str(what))}",
        *(f"  {option or 'request'} {_in_options(why)}" for option, why in faults),
    ]
    told = "\n".join(lines)
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(told, "See the logs of the API function. Run `retrace check verify` to find damaged data.")
    if answer.status > HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(told, "Try again. If it persists, see the logs of the API function.", Exit.UNREACHABLE)
    if answer.status == HTTPStatus.NOT_FOUND:
        listing = next((f" Run `{run}` to list all." for path, run in _LISTS.items() if f" {path}/" in call), "")
        return Problem(told, f"Check the id, and that it is of this deployment.{listing}", Exit.NOT_FOUND)
    named = list(dict.fromkeys(option for option, _ in faults if option))
    return Problem(told, f"Correct {', '.join(named)}." if named else "")


def _denied(call: str, answer: Answer) -> Problem:
    said = answer.body[:300].decode(errors="replace")
    for pattern, cause, remedy in _CAUSES:
        if re.search(pattern, said):
            return Problem(f"{cause}. {call} was answered {answer.status}: {said}", remedy)
    if not answer.is_an_object:
        return answer.foreign()
    remedy = "Run `retrace doctor` to see whose credentials these are, and attach the policy for this route."
    return Problem(f"{call} is not allowed: {said}", remedy)


def _option(field: str) -> str:
    name = re.sub(r"\.\d+$", "", field)
    return _OPTIONS.get(name) or _NAMED_LIKE_WORDS.get(name) or (f"--{name}" if _AS_CALLED.fullmatch(name) else name)


def _in_options(text: str) -> str:
    """A message about fields and routes as one about options and commands."""
    return _FIELD.sub(lambda found: _OPTIONS[found[0]], with_commands(text))


def with_commands(text: str) -> str:
    """A text of the API with commands in place of routes."""
    for route, command in _COMMANDS:
        text = route.sub(command, text)
    return text
