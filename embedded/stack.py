"""Starts a whole stack: the emulator, the application on it, and its API.

It lasts for a block, or stays: `make up`, `make down` and `make forget`.
"""

import http
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

import urllib3

from embedded import connection, server
from embedded.adaptation import close_gaps
from embedded.admin import REGION, AccessKey, Admin, Administrator, local_user
from embedded.bundle import packaged
from embedded.client import Api
from embedded.connection import Stack
from embedded.deployment import declarations_of, deploy
from embedded.layout import DEFAULT_PORT, Layout, free_port, locked, require_free
from embedded.server import Server
from infra.command import Problem, Tell, silent, wait_until
from infra.destination_file import DEFAULT, Declarations
from infra.record_outputs import environment_name

API_STAGE = "api"
ANSWER_SECONDS = 90.0

Parameters = Mapping[str, str]
DEFAULTS: Parameters = {}


@contextmanager
def started(
    directory: Path | None = None,
    *,
    port: int = 0,
    tell: Tell = silent,
    parameters: Parameters = DEFAULTS,
    destinations: Path | None = None,
) -> Iterator[Stack]:
    """Yield a stack of its own, and stop it afterwards.

    Port 0 means any free one. Without a directory nothing is left behind; with one, state is kept there.
    Parameters are those of the template, such as MaxInFlight. Destinations are those of a file, or `aggregates` alone.
    """
    with tempfile.TemporaryDirectory(prefix="retrace-", ignore_cleanup_errors=True) as temporary:
        layout = Layout(directory or Path(temporary))
        package = packaged(tell)  # before anything runs, so that a failure leaves nothing running
        emulator = launch(layout, port or layout.kept_port() or free_port(), tell, kept=directory is not None)
        try:
            yield bring_up(layout, emulator, package, tell, parameters, destinations=declarations_of(destinations))
        finally:
            server.stop(layout, emulator)


def launch(layout: Layout, port: int, tell: Tell, *, kept: bool = True) -> Server:
    """Start the emulator."""
    tell("Starting the embedded AWS")
    return server.start(layout, port, kept=kept)


def bring_up(  # noqa: PLR0913  # what runs, what is deployed onto it, and how to report
    layout: Layout,
    emulator: Server,
    package: Path,
    tell: Tell,
    parameters: Parameters = DEFAULTS,
    *,
    destinations: Declarations = DEFAULT,
) -> Stack:
    """Deploy the package onto a running emulator, wait for its API, and write down how to reach it."""
    tell("Deploying with CloudFormation")
    admin = Admin(emulator.endpoint_url, Administrator.of(layout))
    outputs = deploy(admin, package, parameters, destinations)
    close_gaps(admin, outputs)
    key = local_user(admin, outputs, _known_key(layout))
    stack = _described(emulator, outputs, key, layout)
    tell("Waiting for the API")
    _wait_for_api(stack, layout)
    connection.save(layout.connection_file, stack)
    return stack


def _known_key(layout: Layout) -> AccessKey | None:
    known = connection.load(layout.connection_file)
    return AccessKey(known.access_key_id, known.secret_access_key) if known is not None else None


def _described(emulator: Server, outputs: dict[str, str], key: AccessKey, layout: Layout) -> Stack:
    """Return how to reach a stack: its members that are outputs are called as those, RawBucket as raw_bucket."""
    members = {field.name for field in fields(Stack)}
    named = {environment_name(output).lower(): value for output, value in outputs.items()}
    reached = asdict(key) | {
        # The path-style address: the usual one, <api>.execute-api.<host>, needs DNS that not every machine has.
        "api_url": f"{emulator.endpoint_url}/_aws/execute-api/{outputs['RestAPIId']}/{API_STAGE}",
        "aws_endpoint_url": emulator.endpoint_url,
        "region": REGION,
        "administrator_file": str(layout.administrator_file),
    }
    return Stack(**{name: value for name, value in named.items() if name in members} | reached)


def _wait_for_api(stack: Stack, layout: Layout) -> None:
    last = "no answer"

    def healthy() -> bool:
        nonlocal last
        try:
            answer = Api(stack).call("GET", "/health")
        except urllib3.exceptions.HTTPError as error:
            last = str(error)
            return False
        last = f"{answer.status} {answer.data.decode(errors='replace')}"
        return answer.status == http.HTTPStatus.OK

    if not wait_until(healthy, ANSWER_SECONDS, every=0.2):
        raise Problem(
            f"GET /health did not succeed; it last answered: {last}\nThe emulator last said:\n{layout.last_words()}",
            f"More: {layout.log_file}",
        )


def up(
    layout: Layout,
    port: int | None,
    tell: Tell,
    parameters: Parameters = DEFAULTS,
    *,
    destinations: Path | None = None,
) -> Stack:
    """Start the stack, or bring a running one up to date with the checkout, these parameters and destinations."""
    declared = declarations_of(destinations)
    with _alone(layout):
        running = server.find(layout)
        if running is not None:
            _require_usable(layout, running, port)
        chosen = running.port if running is not None else _port_for(layout, port)
        package = packaged(tell)
        return bring_up(
            layout, running or launch(layout, chosen, tell), package, tell, parameters, destinations=declared
        )


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
    shell_file = connection.shell_file(layout.connection_file)
    for file in (layout.connection_file, shell_file, layout.administrator_file, layout.port_file):
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
            f"Leave RETRACE_PORT out: make up. To start on port {wanted} without that state: make forget, then make up",
        )
    chosen = wanted or kept or DEFAULT_PORT
    try:
        require_free(chosen)  # before the wait for the package, not after
    except Problem as problem:
        if kept is None:
            raise
        raise Problem(
            f"{problem.what} The kept state belongs to this port.",
            f"End that program. To give up the state: make forget, then make up RETRACE_PORT={chosen + 1}",
        ) from problem
    return chosen


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    with locked(layout.busy_lock) as held:
        if not held:
            raise Problem("Another `make up` or `make down` is at work.", "Let it finish, then try again.")
        yield
