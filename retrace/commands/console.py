"""`retrace console`: serves the web console of a deployment on this machine."""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console as Terminal

from retrace.client import Client
from retrace.context import command_context
from retrace.problem import Exit, extra

PORT = 4630
"""The same for everybody, so that a link of a colleague leads to one's own console."""


def _address(view: str) -> str:
    try:
        urlsplit(view)
    except ValueError as error:
        raise typer.BadParameter("is not an address of the console") from error
    return view


def console(
    context: typer.Context,
    view: Annotated[
        str, typer.Argument(help="The view to open first, such as /entity?id=depot-lyon", callback=_address)
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port on 127.0.0.1; 0 takes any free port.")] = PORT,
    browser: Annotated[bool | None, typer.Option("--open/--no-open", help="Whether to open a browser.")] = None,
) -> None:
    """Serve a web console on this machine: see events, lateness, replays, aggregates and rejected events.

    retrace console
    retrace --profile production console --port 4631 --no-open

    The page calls the API through this command, which signs with your AWS credentials. The browser has no key. Keep
    the printed address secret: it lets a browser in. Ctrl-C ends the console.
    """
    # It brings a web server along, which no other command needs to wait for.
    with extra("console"):
        from retrace.console.application import CONNECTIONS, Console, require_libraries  # noqa: PLC0415

    require_libraries()
    call = command_context(context)
    client = Client(call.target, connections=CONNECTIONS)
    serving = Console(client, port, call.clock)
    opens = browser if browser is not None else sys.stdout.isatty()
    # A shell lets its background commands ignore SIGINT, and `kill -INT` is how a script ends the console.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end
        out = Terminal(highlight=False, markup=False, emoji=False, soft_wrap=True)
        out.print(f"The console of {call.target.url}")
        out.print(serving.link(view))
        out.print("Ctrl-C ends it.")
        with opened(serving.link(view)) if opens else nullcontext():
            serving.serve()
    # The interpreter would wait minutes for the threads of calls that the API does not answer.
    os._exit(Exit.DONE)


_PAGE = '<!doctype html><meta http-equiv="refresh" content="0;url={link}"><a href="{link}">The console</a>'


@contextmanager
def opened(link: str, browse: Callable[[str], object] = webbrowser.open) -> Iterator[None]:
    """Open a link by way of a file that only its owner may read; it is there until the end."""
    with TemporaryDirectory(prefix="retrace-console-", ignore_cleanup_errors=True) as directory:  # its owner's alone
        page = Path(directory) / "console.html"
        page.touch(0o600)
        page.write_text(_PAGE.format(link=escape(link)), encoding="utf-8")
        # Some browsers come back when they are closed only, and wait for the console meanwhile.
        Thread(target=browse, args=(page.as_uri(),), daemon=True).start()
        yield
