"""`make up`, `make down` and `make forget`: the stack that stays."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from embedded import server, stack
from embedded.bundle import packaged
from embedded.connection import Stack, shell_file
from embedded.layout import Layout
from embedded.locks import locked
from embedded.ports import DEFAULT_PORT, require_free
from embedded.server import Server
from embedded.stack import DEFAULTS, Parameters
from infra.command import Problem, Tell


def up(layout: Layout, port: int | None, tell: Tell, parameters: Parameters = DEFAULTS) -> Stack:
    """Start the stack, or bring a running one up to date with the checkout and these parameters."""
    with _alone(layout):
        emulator = server.find(layout)
        if emulator is not None:
            _require_usable(layout, emulator, port)
            return stack.bring_up(layout, emulator, packaged(tell), tell, parameters)
        chosen = _port_for(layout, port)
        require_free(chosen)  # said before the wait, not after
        package = packaged(tell)
        emulator = stack.launch(layout, chosen, tell)
        return stack.bring_up(layout, emulator, package, tell, parameters)


def down(layout: Layout, tell: Tell) -> bool:
    """Stop the stack and keep its state; return whether it was up."""
    with _alone(layout):
        emulator = server.find(layout)
        if emulator is not None:
            tell("Stopping the embedded AWS")
            server.stop(layout, emulator)
        return emulator is not None


def forget(layout: Layout, tell: Tell) -> None:
    """Stop the stack and delete all that it remembers."""
    down(layout, tell)
    for directory in (layout.state, layout.objects):
        shutil.rmtree(directory, ignore_errors=True)
    connection, key = layout.connection_file, layout.administrator_file
    for file in (connection, shell_file(connection), key, layout.port_file):
        file.unlink(missing_ok=True)


def _require_usable(layout: Layout, emulator: Server, port: int | None) -> None:
    if port not in {None, emulator.port}:
        raise Problem(f"The stack is up on port {emulator.port}.", "Stop it first: make down")
    if not server.answers(layout, emulator.port):
        raise Problem(
            f"The emulator runs (process {emulator.pid}) but does not answer on port {emulator.port}.",
            f"Start afresh: make down, then make up. Its log: {layout.log_file}",
        )


def _port_for(layout: Layout, wanted: int | None) -> int:
    """Return the port to start on: kept state is bound to the port it was made on, by the addresses of its queues."""
    kept = layout.kept_port()
    if wanted is not None and kept is not None and wanted != kept:
        raise Problem(
            f"The kept state belongs to port {kept}, which is part of the addresses of its queues.",
            f"Use RETRACE_PORT={kept}, or start without that state: make forget",
        )
    return wanted or kept or DEFAULT_PORT


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    with locked(layout.busy_lock) as held:
        if not held:
            raise Problem("Another `make up` or `make down` is at work.", "Let it finish, then try again.")
        yield
