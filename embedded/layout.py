"""Defines what the embedded stack takes of this machine: files, closed to other users and locked, and TCP ports."""

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.command import Problem

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".retrace"
ON_THE_PATH = 'export PATH="$PWD/.venv/bin:$PATH"'
"""What makes a shell in the checkout find the command line."""

EMULATOR_PYTHON = HOME / "venv" / "bin" / "python"
"""The interpreter of the emulator's own virtual environment, made by `make`."""

CHECKOV = HOME / "checkov" / "bin" / "checkov"
"""The scanner of templates, in an environment of its own, made by `make test`."""


def emulator_program(module: str) -> list[str | Path]:
    """Return the command that runs a module of this checkout in the emulator's environment.

    The path is not in the environment: functions would inherit it, and import what is not in their package.
    """
    run = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module({module!r}, run_name='__main__')"
    return [EMULATOR_PYTHON, "-I", "-c", run]


PACKAGES = HOME / "packages"
"""Packaged applications by content, shared by all stacks of this checkout."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one stack, in one directory."""

    directory: Path

    @property
    def connection_file(self) -> Path:
        """How to reach the stack. It stays when the stack stops: the keys are good for the next time too."""
        return self.directory / "local.json"

    @property
    def administrator_file(self) -> Path:
        """The key of the emulated account's administrator. It belongs to the state."""
        return self.directory / "administrator.json"

    @property
    def server_file(self) -> Path:
        """The process id and port of the emulator."""
        return self.directory / "server.json"

    @property
    def port_file(self) -> Path:
        """The port that the kept state was made on."""
        return self.directory / "port"

    def kept_port(self) -> int | None:
        """Return that port, if there is kept state."""
        return int(self.port_file.read_text()) if self.port_file.exists() else None

    @property
    def alive_lock(self) -> Path:
        """Locked by the emulator for as long as it lives."""
        return self.directory / "alive.lock"

    @property
    def busy_lock(self) -> Path:
        """Locked while `up` or `down` is at work."""
        return self.directory / "busy.lock"

    @property
    def log_file(self) -> Path:
        """What the emulator prints."""
        return self.directory / "emulator.log"

    def last_words(self) -> str:
        """Return the end of that."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-8:])

    @property
    def state(self) -> Path:
        """What the emulator remembers between runs: everything but S3 objects."""
        return self.directory / "state"

    @property
    def objects(self) -> Path:
        """The S3 objects."""
        return self.directory / "objects"

    @property
    def scratch(self) -> Path:
        """Unpacked functions and other temporary files of the emulator."""
        return self.directory / "scratch"


def close_directory(path: Path) -> None:
    """Make a directory if there is none, and close it to other users."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def close_all_in(path: Path) -> None:
    """Do the same with a directory and all that is in it."""
    close_directory(path)
    for inner in path.rglob("*"):
        if not inner.is_symlink():
            inner.chmod(0o700 if inner.is_dir() else 0o600)


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner only, whole or not at all, whatever the umask and whatever was there before."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600, exist_ok=False)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def try_lock(path: Path) -> int | None:
    """Lock a file; return the descriptor that holds the lock, or None if another process holds it.

    The kernel drops the lock with its holder, so a crash leaves none behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Return whether some process holds the lock on a file."""
    if not path.exists():
        return False
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock for the block; yields False, holding nothing, if another process has it."""
    descriptor = try_lock(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 4610
HIGHEST_PORT = 65535


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def require_free(port: int, setting: str = "RETRACE_PORT") -> None:
    """Raise Problem if something listens on the port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise Problem(
                f"Port {port} may not be opened by this user.", f"Choose one above 1023, for example {setting}=4610."
            ) from error
        except OSError as error:
            raise Problem(
                f"Port {port} is in use by another program.",
                f"End that one, or choose a free port: {setting}={port + 1}",
            ) from error


def parse_port(text: str, setting: str = "RETRACE_PORT") -> int:
    """Read a port number as a user wrote it in a setting."""
    if re.fullmatch(r"\d{1,5}", text, re.ASCII) and 0 < int(text) <= HIGHEST_PORT:
        return int(text)
    raise Problem(f"{setting} is {text!r}, which is not a port number.", f"Give a number from 1024 to {HIGHEST_PORT}.")
