"""A command that shows something on a stack of its own: its option, its exit status, how it ends if interrupted."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from embedded.narration import Narrator, complain
from infra.command import Problem, interrupt_once


def performed(name: str, says: str | None, show: Callable[[Narrator, Path | None], None]) -> int:
    """Show it, as the command line asks for; answers the exit status: 1 if something was not as it should be."""
    parser = argparse.ArgumentParser(prog=f"python -m embedded.{name}", description=says)
    parser.add_argument("--data", type=Path, metavar="FILE", help="native events, one a line; may be gzipped")
    chosen = parser.parse_args()
    interrupt_once()
    try:
        show(Narrator(sys.stdout), chosen.data)
    except Problem as problem:
        complain(problem.what, problem.remedy)
        return 1
    except KeyboardInterrupt:
        complain(f"Interrupted. The stack of the {name} is stopped and gone.", f"Start again with: make {name}")
        return 1
    return 0
