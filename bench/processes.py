"""What the processes of deployed functions, and the emulator that started them, have used, as Linux says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
USER, SYSTEM, PARENT = 11, 12, 1
"""Fields of /proc/PID/stat, counted from the one after the command: https://man7.org/linux/man-pages/man5/proc.5.html"""


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of a processor, used by a function's processes and by the emulator."""

    function_s: float
    emulator_s: float

    def since(self, before: Used) -> Used:
        """What was used in between."""
        return Used(self.function_s - before.function_s, self.emulator_s - before.emulator_s)

    def __add__(self, other: Used) -> Used:
        return Used(self.function_s + other.function_s, self.emulator_s + other.emulator_s)


NOTHING = Used(0.0, 0.0)


def used(function: str) -> Used:
    """What the processes of a function have used until now; part of its name is enough."""
    workers = [_fields(process) for process in _workers(function)]
    emulators = {fields[PARENT] for fields in workers}
    return Used(sum(map(_seconds, workers)), sum(_seconds(_fields(PROCESSES / each)) for each in emulators))


def most_mb(function: str) -> float:
    """The most memory that a process of a function has had, in MB of a million bytes."""
    return max((_peak_kb(process) for process in _workers(function)), default=0) * 1_024 / 1_000_000


def _workers(function: str) -> Iterator[Path]:
    """The directories of a function's processes, of emulators that this process started: others may run beside them."""
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it may have ended by now
            called = f"ministack-lambda-{function}".encode() in (process / "cmdline").read_bytes()
            if called and _parent(PROCESSES / _parent(process)) == str(os.getpid()):
                yield process


def _parent(process: Path) -> str:
    return _fields(process)[PARENT]


def _fields(process: Path) -> list[str]:
    return (process / "stat").read_text().rpartition(")")[2].split()


def _seconds(fields: list[str]) -> float:
    return (int(fields[USER]) + int(fields[SYSTEM])) / TICKS_A_SECOND


def _peak_kb(process: Path) -> int:
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])
