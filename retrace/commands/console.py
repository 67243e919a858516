"""`retrace console`: the web console of the deployment that is meant, on this machine."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console as Terminal

from retrace.client import Client
from retrace.console.opening import opened
from retrace.console.page import require_libraries
from retrace.context import calling
from retrace.problem import extra

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
        str, typer.Argument(help="The view to begin with, such as /entity?id=depot-lyon", callback=_address)
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port on 127.0.0.1; 0 takes any free port.")] = PORT,
    browser: Annotated[bool | None, typer.Option("--open/--no-open", help="Whether to open a browser.")] = None,
) -> None:
    """Serve a web console on this machine: see events, lateness, replays, aggregates and what was refused.

    retrace console
    retrace --profile production console --port 4631 --no-open

    The page asks the API through this command, which signs with your AWS credentials; no key is in the browser. Only
    who has the address that is printed is let in. Ctrl-C ends it.
    """
    # It brings a web server along, which no other command needs to wait for.
    with extra("console"):
        from retrace.console.serving import CONNECTIONS, Console  # noqa: PLC0415

    require_libraries()
    call = calling(context)
    client = Client(call.target, connections=CONNECTIONS)
    serving = Console(client, port, call.clock)
    out = Terminal(highlight=False, markup=False, emoji=False, soft_wrap=True)
    out.print(f"The console of {call.target.url}")
    out.print(serving.link(view))
    out.print("Ctrl-C ends it.")
    opens = browser if browser is not None else sys.stdout.isatty()
    # Ctrl-C is how it is meant to end.
    with suppress(KeyboardInterrupt), opened(serving.link(view)) if opens else nullcontext():
        serving.serve()
