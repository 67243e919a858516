"""Keeps in a small file how far a command got, so that the same command with --resume continues there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from retrace.ingesting.sending import Tally
from retrace.problem import Exit, Problem
from retrace.target_resolution import own_directory

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Reached:
    """Everything up to here is acknowledged: all files before `file`, and the first `events` of it."""

    file: int = 0
    events: int = 0
    tally: Tally = Tally()  # noqa: RUF009  # it cannot be changed


def checkpoint_file(target: str, names: Sequence[str], environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the checkpoint is kept: one for each target and list of files; None if there is no home directory."""
    key = "\n".join([target, *(str(Path(name).resolve()) for name in names)])
    kept = own_directory("XDG_STATE_HOME", ".local/state", environment)
    return None if kept is None else kept / f"ingest-{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}.json"


class Checkpoint:
    """The file. `of` identifies what is sent, how it is read, and the target: another command does not go on here."""

    def __init__(self, path: Path, of: Sequence[str]) -> None:
        self._path = path
        self._of = hashlib.sha256(json.dumps(list(of)).encode()).hexdigest()

    def load(self) -> Reached | None:
        """How far this command got; None if it did not begin, or with other files or options, or a file has changed.

        Raises Problem if this is no checkpoint: it would be lost.
        """
        try:
            kept = json.loads(self._content())
            reached = Reached(kept["file"], kept["events"], Tally(**kept["tally"]))
            return reached if kept["of"] == self._of and kept["version"] == _VERSION else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "Delete it, or give --checkpoint another file. No event is taken twice."
            raise Problem(f"{self._path} is not a readable checkpoint: {error}", remedy, Exit.USAGE) from error

    def _content(self) -> bytes:
        if self._path.exists() and not self._path.is_file():
            raise ValueError("it is not a regular file")  # a device may have no end
        return self._path.read_bytes()

    def check(self) -> None:
        """Find out before anything is sent whether it can be kept; what an earlier run left stays."""
        with self._written("") as temporary:
            temporary.unlink()

    def save(self, reached: Reached) -> None:
        """Keep it, whole or not at all."""
        kept = {"version": _VERSION, "of": self._of, **asdict(reached)}
        with self._written(json.dumps(kept) + "\n") as temporary:
            temporary.replace(self._path)

    @contextmanager
    def _written(self, text: str) -> Iterator[Path]:
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}")  # another may send the same
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            yield temporary
        except OSError as error:
            temporary.unlink(missing_ok=True)
            remedy = "Make room, or give --checkpoint a file that can be written."
            raise Problem(f"{self._path} cannot be written: {error.strerror}.", remedy, Exit.USAGE) from error

    def remove(self) -> None:
        """Delete it, because nothing is left to continue."""
        self._path.unlink(missing_ok=True)
