"""An API on a real port that answers as a test scripts it, and commands that are called with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from typer.testing import CliRunner, Result

from retrace.client import Client
from retrace.command_line import app
from retrace.problem import Problem
from retrace.target import Target
from tests.http_servers import Handler, served

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    call: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


Answer = tuple[int, Any]
BROKEN: Answer = (0, None)
"""In place of an answer the connection breaks."""

Script = Callable[[Asked], Answer]


@dataclass
class ScriptedApi:
    """What was asked, and where to ask."""

    script: Script
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    headers: dict[int, dict[str, str]] = field(default_factory=dict)
    """What answers of a status say besides."""

    def calls(self, call: str) -> list[Asked]:
        """The requests for one method and path."""
        return [asked for asked in self.asked if asked.call == call]

    def client(self) -> Client:
        """A client of it that does not pause between attempts."""
        target = Target(self.url, "test", "eu-central-1", access_key=("key", "secret"))
        return Client(target, sleep=lambda _: None)

    def run(self, *arguments: str, stdin: bytes | None = None) -> Result:
        """Run a command, without a terminal."""
        environment = {
            "RETRACE_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
            "XDG_CONFIG_HOME": "/nonexistent",
            "COLUMNS": "200",
        }
        return CliRunner().invoke(app, list(arguments), input=stdin, env=environment)


@contextmanager
def serving(script: Script) -> Iterator[ScriptedApi]:
    """An API on a free port."""
    api = ScriptedApi(script)
    with served(_handler(api)) as port:
        api.url = f"http://127.0.0.1:{port}/api"
        yield api


def routes(answers: Mapping[str, Answer | Sequence[Answer]]) -> Script:
    """A script of one answer for each call, or of one after the other, the last for good; 404 for all others."""
    left = {call: list(answer) if isinstance(answer, list) else [answer] for call, answer in answers.items()}

    def answered(asked: Asked) -> Answer:
        some = left.get(asked.call, [(404, problem("There is nothing here."))])
        found: Answer = some.pop(0) if len(some) > 1 else some[0]  # type: ignore[assignment]  # a list of answers
        return found

    return answered


def problem(detail: str, **members: Any) -> Json:
    """A problem as the API tells it."""
    return {"title": "Wrong", "detail": detail, "errors": [], **members}


def said(result: Result) -> str:
    """Everything that a command wrote, and the problem that it ended with."""
    ended = result.exception
    problem_told = f"{ended.what}\n{ended.remedy}" if isinstance(ended, Problem) else ""
    return f"{result.output}{problem_told}"


def exit_code(result: Result) -> int:
    """How a command ended: a Problem is told, and turned into its exit code, by `main`."""
    if result.exception is None or isinstance(result.exception, SystemExit):
        return result.exit_code
    if isinstance(result.exception, Problem):
        return int(result.exception.exit_code)
    raise result.exception


def _read(sent: bytes) -> Any:
    """A body, as JSON if it is."""
    try:
        return json.loads(sent) if sent else None
    except ValueError:
        return sent


def _handler(api: ScriptedApi) -> type[Handler]:
    class ScriptedHandler(Handler):
        def answer_as_scripted(self) -> None:
            address = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                f"{self.command} {unquote(address.path).removeprefix('/api')}",
                dict(parse_qsl(address.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                _read(sent),
            )
            api.asked.append(asked)
            status, body = api.script(asked)
            if (status, body) == BROKEN:
                self.close_connection = True
                self.connection.shutdown(SHUT_RDWR)
                return
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.answer(status, content, api.headers.get(status, {}))

        do_GET = answer_as_scripted  # noqa: N815  # the server calls it so
        do_POST = answer_as_scripted  # noqa: N815  # likewise
        do_PUT = answer_as_scripted  # noqa: N815  # likewise
        do_DELETE = answer_as_scripted  # noqa: N815  # likewise

    return ScriptedHandler
