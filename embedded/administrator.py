"""The administrator of an emulated account: a key that is made with the state and kept in a file beside it."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from embedded import private
from embedded.layout import HOME, Layout
from infra.command import Problem

CONTROL_HEADER: Final = "X-Emulator-Secret"
"""The header of requests that control the emulator itself. A form cannot send it."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Administrator:
    """The only root key that an emulator accepts, and the secret of its control paths."""

    access_key_id: str
    secret_access_key: str
    control_secret: str

    @property
    def control_headers(self) -> dict[str, str]:
        """The header that lets a request control the emulator."""
        return {CONTROL_HEADER: self.control_secret}


def new() -> Administrator:
    """Return one that cannot be guessed."""
    key_id = "AKIA" + "".join(secrets.choice(_LETTERS) for _ in range(16))
    return Administrator(key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(32))


def made(layout: Layout) -> Administrator:
    """Return the administrator of a state, a new one if there is no state yet."""
    if not layout.administrator_file.exists() and layout.kept_port() is None:
        save(layout.administrator_file, new())
    return of(layout)


def of(layout: Layout) -> Administrator:
    """Return the administrator of a state; raises Problem if the state does not name one."""
    try:
        return load(layout.administrator_file)
    except (OSError, ValueError, TypeError) as error:
        remedy = "make forget" if layout.directory == HOME else f"rm -r {layout.directory}"
        raise Problem(
            f"The state in {layout.directory} has no readable administrator's key ({layout.administrator_file.name}).",
            f"Delete the state, then start again: {remedy}",
        ) from error


def save(path: Path, administrator: Administrator) -> None:
    """Write the file."""
    private.write(path, json.dumps(asdict(administrator), indent=2) + "\n")


def load(path: Path) -> Administrator:
    """Read the file; raises OSError, ValueError or TypeError."""
    return Administrator(**json.loads(path.read_text(encoding="utf-8")))
