"""What a cold function does before its first request, and until it has answered it, beside a peer; package by package.

python -m bench.cold [module ...]

Each is in an interpreter of its own, in turns with the others, and its processor time is that of the process without
that of an interpreter that imports nothing. A peer makes its clients while it is imported, Retrace with the first
request: so the time until an event is taken in is told too, and that of a peer's imports without its clients. What a
package takes is as `python -X importtime` says, which is itself slow: of those figures only the proportions mean
something.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.first_answer import HANDLERS
from bench.markdown import table
from bench.seams import ENVIRONMENT

ROUNDS = 15
SHOWN = 12
_ALONE = ", its imports alone"
MODULES = ("app", "bench.peers.powertools", f"bench.peers.powertools{_ALONE}")
_NOTHING = "import sys"
_OF_PEERS = {"BUCKET": "peer", "COUNTS_TABLE": "counts", "QUEUE_URL": ENVIRONMENT["REPLAY_QUEUE_URL"]}
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


@dataclass(frozen=True)
class Import:
    """An import: milliseconds of processor time, the modules that came with it, and shares of time by package.

    `answered_ms` is that of a function which goes on until it has taken an event in.
    """

    module: str
    ms: float
    answered_ms: float | None
    modules: int
    shares: Mapping[str, float]


def rows(modules: Sequence[str] = MODULES, rounds: int = ROUNDS) -> list[Import]:
    """Every import that there is, measured in turns."""
    there = [module for module in modules if _exists(module)]
    answering = [module for module in there if module in HANDLERS]
    found: dict[str, list[float]] = {
        code: [] for code in (_NOTHING, *map(_importing, there), *map(_answering, answering))
    }
    for _ in range(rounds):
        for code, times in found.items():
            times.append(_processor_ms(code))
    ms = {code: median(times) - median(found[_NOTHING]) for code, times in found.items()}
    return [Import(each, ms[_importing(each)], ms.get(_answering(each)), *_told(each)) for each in there]


def _exists(module: str) -> bool:
    path = _path(module.removesuffix(_ALONE))
    return path.exists() or path.with_suffix("").is_dir()


def _importing(module: str) -> str:
    """The import of a module, or where that is asked for, only what it imports itself."""
    if not module.endswith(_ALONE):
        return f"import {module}"
    source = ast.parse(_path(module.removesuffix(_ALONE)).read_text())
    return "\n".join(ast.unparse(each) for each in source.body if isinstance(each, ast.Import | ast.ImportFrom))


def _path(module: str) -> Path:
    return Path(*module.split(".")).with_suffix(".py")


def _answering(module: str) -> str:
    return f"import sys; sys.argv = ['', '{module}']; from bench.first_answer import main; main()"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | ENVIRONMENT | _OF_PEERS


def _processor_ms(code: str) -> float:
    child = subprocess.Popen([sys.executable, "-c", code], env=_environment(), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"This failed: {code}")
    return (usage.ru_utime + usage.ru_stime) * 1_000


def _told(module: str) -> tuple[int, Mapping[str, float]]:
    """How many modules an import brings, and which share of its time each package takes."""
    command = [sys.executable, "-X", "importtime", "-c", _importing(module)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment()).stderr
    lines = [match for match in map(_LINE.match, told.splitlines()) if match]
    spent: Counter[str] = Counter()
    for line in lines:
        spent[line[2].partition(".")[0]] += int(line[1])
    return len(lines), {package: time / spent.total() for package, time in spent.most_common(SHOWN)}


def tables(imports: Sequence[Import]) -> str:
    """As Markdown."""
    first = imports[0]
    rows_of_all = [
        (
            f"`{each.module}`",
            each.modules,
            each.ms,
            f"{first.ms / each.ms:.2f}",
            "" if each.answered_ms is None else each.answered_ms,
            f"{first.answered_ms / each.answered_ms:.2f}" if first.answered_ms and each.answered_ms else "",
        )
        for each in imports
    ]
    times = f"`{first.module}` takes so many times as long"
    both = [table(("of", "modules", "ms to import", times, "ms until an event is taken in", times), rows_of_all)]
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
