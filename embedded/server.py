"""The emulator as a process: start it, find it again, stop it.

The process inherits a locked descriptor and so holds the lock for as long as it lives. Whether it runs is asked of the
lock, never of a process id, which may be stale or belong to another program by now.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from embedded.layout import EMULATOR_PYTHON, Layout
from embedded.locks import is_locked, try_lock
from embedded.polling import wait_until
from embedded.ports import LOOPBACK, require_free
from embedded.problem import Problem

REGION: Final = "eu-west-1"
ACCOUNT: Final = "000000000000"

ROOT_KEY_ID = "AKIARETRACELOCALROOT"
ROOT_SECRET = "not-a-secret-the-emulator-never-checks-root-signatures"  # noqa: S105  it guards nothing, as it says
"""The emulator takes any request under this key id for the account's root: for administration only."""

START_SECONDS = 90.0
STOP_SECONDS = 60.0

_PROGRAM = Path(__file__).with_name("emulator.py")

_children: dict[int, subprocess.Popen[bytes]] = {}
"""The emulators that this process started; one may outlive it, as it does after `make up`."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running emulator."""

    pid: int
    port: int

    @property
    def endpoint_url(self) -> str:
        """The AWS endpoint for every service."""
        return f"http://{LOOPBACK}:{self.port}"


def find(layout: Layout) -> Server | None:
    """Return the emulator that runs on this directory, if one does."""
    if not is_locked(layout.alive_lock):
        return None
    try:
        return Server(**json.loads(layout.server_file.read_text()))
    except (OSError, ValueError, TypeError) as exc:
        raise Problem(
            f"An emulator runs on {layout.directory}, but {layout.server_file.name} does not say which.",
            f"Find it with `ps ax | grep emulator.py`, end it with `kill PID`, and delete {layout.server_file}.",
        ) from exc


def start(layout: Layout, port: int, *, kept: bool = True) -> Server:
    """Start an emulator on this directory and return once it answers.

    If its state is not to be kept, stopping it takes no time, however much it holds.
    """
    if not EMULATOR_PYTHON.exists():
        raise Problem("The emulator is not installed.", "Install it with: make environments")
    require_free(port)
    lock = try_lock(layout.alive_lock)
    if lock is None:
        raise Problem(f"An emulator runs on {layout.directory} already.", "Stop it with: make down")
    try:
        process = _spawn(layout, lock, _environment(layout, port, kept=kept))
    finally:
        os.close(lock)  # the child has its own; it alone holds the lock from here on
    layout.port_file.write_text(str(port))
    server = Server(process.pid, port)
    layout.server_file.write_text(json.dumps(asdict(server)))
    try:
        _wait_for_answer(layout, port, process)
    except BaseException:  # an impatient Ctrl-C included: nothing half-started stays
        process.terminate()
        process.wait()
        raise
    _children[server.pid] = process
    return server


def stop(layout: Layout, server: Server) -> None:
    """End the emulator in the way that lets it save its state, and return once it is gone."""
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself just now
        os.kill(server.pid, signal.SIGTERM)
    if not wait_until(lambda: not is_locked(layout.alive_lock), STOP_SECONDS):
        raise Problem(
            f"The emulator (process {server.pid}) did not stop within {STOP_SECONDS:.0f} seconds.",
            f"`kill -9 {server.pid}` ends it; what changed since its start is then lost.",
        )
    if server.pid in _children:
        _children.pop(server.pid).wait()
    layout.server_file.unlink(missing_ok=True)
    shutil.rmtree(layout.scratch, ignore_errors=True)


def answers(port: int) -> bool:
    """Return whether an emulator on the port says that it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spawn(layout: Layout, lock: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    shutil.rmtree(layout.scratch, ignore_errors=True)  # a crash leaves it behind
    for directory in (layout.state, layout.objects, layout.scratch):
        directory.mkdir(parents=True, exist_ok=True)
    with layout.log_file.open("wb") as log:
        return subprocess.Popen(
            [EMULATOR_PYTHON, "-I", _PROGRAM],
            env=environment,
            cwd=layout.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
        )


def _environment(layout: Layout, port: int, *, kept: bool) -> dict[str, str]:
    """Return all that the emulator and the functions in it see: nothing of the user's own AWS settings."""
    scratch = str(layout.scratch)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ROOT_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "MINISTACK_REGION": REGION,
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1" if kept else "0",
        "STATE_DIR": str(layout.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(layout.objects),
        "IOT_MTLS_ENABLED": "0",  # or it opens port 8883 as well
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",  # or it tidies up containers on the user's Docker
        "LOG_LEVEL": "WARNING",
    }


def _wait_for_answer(layout: Layout, port: int, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: process.poll() is not None or answers(port), START_SECONDS)
    if process.poll() is None and answers(port):
        return
    raise Problem(f"The emulator did not start. It last said:\n{layout.last_words()}", f"More: {layout.log_file}")
