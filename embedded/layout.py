"""Where the embedded stack keeps its files."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".retrace"
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
