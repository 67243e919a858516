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

from embedded.admin import ACCOUNT, REGION, Administrator
from embedded.layout import (
    EMULATOR_PYTHON,
    HOME,
    LOOPBACK,
    Layout,
    close_all_in,
    close_directory,
    emulator_program,
    is_locked,
    require_free,
    try_lock,
    write_private,
)
from infra.command import Problem, wait_until

START_SECONDS = 90.0
STOP_SECONDS = 60.0

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
    except (OSError, ValueError, TypeError) as error:
        raise Problem(
            f"An emulator runs on {layout.directory}, but {layout.server_file.name} does not say which.",
            f"Find it with `ps ax | grep embedded.emulator`, end it with `kill PID`, and delete {layout.server_file}.",
        ) from error


def start(layout: Layout, port: int, *, kept: bool = True, account: str = ACCOUNT) -> Server:
    """Start an emulator on this directory and return once it answers.

    If its state is not to be kept, stopping it takes no time, however much it holds.
    """
    if not EMULATOR_PYTHON.exists():
        raise Problem("The emulator is not installed.", "Install it with: make environments")
    require_free(port)
    _close(layout)
    key = Administrator.ensured(layout)
    lock = try_lock(layout.alive_lock)
    if lock is None:
        raise Problem(f"An emulator runs on {layout.directory} already.", "Stop it with: make down")
    try:
        settings = {"PERSIST_STATE": "1" if kept else "0", "MINISTACK_ACCOUNT_ID": account}
        process = _spawn(layout, lock, _environment(layout, port, key) | settings)
    finally:
        os.close(lock)  # the child has its own; it alone holds the lock from here on
    write_private(layout.port_file, str(port))
    server = Server(process.pid, port)
    write_private(layout.server_file, json.dumps(asdict(server)))
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


def answers(layout: Layout, port: int) -> bool:
    """Return whether the emulator of this directory says on the port that it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready", headers=Administrator.of(layout).control_headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spawn(layout: Layout, lock: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    shutil.rmtree(layout.scratch, ignore_errors=True)  # a crash leaves it behind
    layout.scratch.mkdir(mode=0o700)
    write_private(layout.log_file, "")
    with layout.log_file.open("wb") as log:
        return subprocess.Popen(
            emulator_program("embedded.emulator"),
            env=environment,
            cwd=layout.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
        )


def _close(layout: Layout) -> None:
    """Close what contains secrets to other users: keys, messages and rows are in the state, bodies in the objects."""
    for directory in {HOME, layout.directory} if HOME in layout.directory.parents else {layout.directory}:
        close_directory(directory)
    close_directory(layout.objects)
    close_all_in(layout.state)
    for file in layout.directory.iterdir():
        if file.is_file() and not file.is_symlink():
            file.chmod(0o600)


def _environment(layout: Layout, port: int, key: Administrator) -> dict[str, str]:
    """Return all that the emulator and the functions in it see: nothing of the user's own AWS settings."""
    scratch = str(layout.scratch)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "EMULATOR_CONTROL_SECRET": key.control_secret,
        "AWS_DEFAULT_REGION": REGION,
        "MINISTACK_REGION": REGION,
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(layout.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(layout.objects),
        "IOT_MTLS_ENABLED": "0",  # or it opens port 8883 as well
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",  # or it tidies up containers on the user's Docker
        "LOG_LEVEL": "WARNING",
    }


def _wait_for_answer(layout: Layout, port: int, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: process.poll() is not None or answers(layout, port), START_SECONDS)
    if process.poll() is None and answers(layout, port):
        return
    raise Problem(f"The emulator did not start. It last said:\n{layout.last_words()}", f"More: {layout.log_file}")
