"""What importing the application costs a cold function, package by package, beside other modules.

python -m bench.cold [module ...]

Each import is in an interpreter of its own, in turns with the others, and its processor time is that of the process
without that of an interpreter that imports nothing. What a package takes is as `python -X importtime` says, which is
itself slow: of those figures only the proportions mean something.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.markdown import table

ROUNDS = 15
SHOWN = 12
MODULES = ("app", "bench.peers.powertools")
_NOTHING = "sys"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


@dataclass(frozen=True)
class Import:
    """An import: milliseconds of processor time, the modules that came with it, and shares of time by package."""

    module: str
    ms: float
    modules: int
    shares: Mapping[str, float]


def rows(modules: Sequence[str] = MODULES, rounds: int = ROUNDS) -> list[Import]:
    """Every import that there is, measured in turns."""
    there = [module for module in modules if _exists(module)]
    found: dict[str, list[float]] = {module: [] for module in (_NOTHING, *there)}
    for _ in range(rounds):
        for module, times in found.items():
            times.append(_processor_ms(module))
    nothing = median(found[_NOTHING])
    return [Import(module, median(found[module]) - nothing, *_told(module)) for module in there]


def _exists(module: str) -> bool:
    path = Path(*module.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def _command(module: str, *options: str) -> list[str]:
    return [sys.executable, *options, "-c", f"import {module}"]


def _processor_ms(module: str) -> float:
    child = subprocess.Popen(_command(module))
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{module} cannot be imported.")
    return (usage.ru_utime + usage.ru_stime) * 1_000


def _told(module: str) -> tuple[int, Mapping[str, float]]:
    """How many modules an import brings, and which share of its time each package takes."""
    told = subprocess.run(_command(module, "-X", "importtime"), capture_output=True, text=True, check=True).stderr
    lines = [match for match in map(_LINE.match, told.splitlines()) if match]
    spent: Counter[str] = Counter()
    for line in lines:
        spent[line[2].partition(".")[0]] += int(line[1])
    return len(lines), {package: time / spent.total() for package, time in spent.most_common(SHOWN)}


def tables(imports: Sequence[Import]) -> str:
    """As Markdown."""
    first = imports[0].ms
    rows_of_all = [(f"`{each.module}`", each.modules, each.ms, f"{first / each.ms:.2f}") for each in imports]
    both = [
        table(
            ("import of", "modules", "ms of processor time", f"`{imports[0].module}` takes so many times as long"),
            rows_of_all,
        )
    ]
    both += [
        table((f"of `{each.module}`", "%"), ((f"`{name}`", round(100 * share)) for name, share in each.shares.items()))
        for each in imports
    ]
    return "\n\n".join(both)


def main() -> None:
    """Print tables."""
    print(tables(rows(sys.argv[1:] or MODULES)))


if __name__ == "__main__":
    main()
