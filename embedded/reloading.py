"""Programs that run from the checkout and are started anew whenever its code changes.

Chalice's own reloading looks at every file beneath the project, virtual environments and the emulator's state
included, and so would restart at each write to S3. This looks at what is deployed, and nothing else.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.command import Tell, wait_until
from infra.merge import source_files

LOOK_SECONDS = 0.3
END_SECONDS = 15.0

Command = Sequence[str | Path]
Snapshot = dict[Path, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs by what people call them, and where and with which environment they run."""

    commands: Mapping[str, Command]
    directory: Path
    environment: Mapping[str, str]

    @contextmanager
    def running(self) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """Run them for as long as the block lasts."""
        children: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name, command in self.commands.items():
                # In a group of its own, so that Ctrl-C reaches this process alone, which then ends them in order.
                children[name] = subprocess.Popen(
                    command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, process_group=0
                )
            yield children
        finally:
            _end(list(children.values()))


def run_reloading(programs: Programs, begun: Callable[[], None], tell: Tell) -> None:
    """Run programs from here on; only an exception, such as KeyboardInterrupt, ends this. `begun` is called once."""
    seen = snapshot(programs.directory)
    first = True
    while True:
        with programs.running() as children:
            if first:
                begun()
            first = False
            now = _changed(programs.directory, seen, children, tell)
        names = sorted(path.name for path in now.keys() | seen.keys() if now.get(path) != seen.get(path))
        tell(f"Changed: {', '.join(names)}. Starting anew")
        seen = now


def snapshot(directory: Path) -> Snapshot:
    """Return the time and size of every source file."""
    states = {path: path.stat() for path in source_files(directory)}
    return {path: (state.st_mtime_ns, state.st_size) for path, state in states.items()}


def _changed(directory: Path, seen: Snapshot, children: Mapping[str, subprocess.Popen[bytes]], tell: Tell) -> Snapshot:
    """Return the next snapshot that differs; say so if a program ends in the meantime."""
    ended: set[str] = set()
    now = seen

    def changed() -> bool:
        nonlocal now
        for name, child in children.items():
            if name not in ended and child.poll() is not None:
                ended.add(name)
                tell(f"{name} has ended. It is started anew when the code changes")
        now = snapshot(directory)
        return now != seen

    while not wait_until(changed, 3600, every=LOOK_SECONDS):
        pass
    return now


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
