"""Reports the progress of a command of infra/, embedded/ or release/, waits, and ends it with an error and its remedy.

It needs only the standard library: the emulator has an environment of its own.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")
Tell = Callable[[str], None]
"""Takes a line, or a few words about the next step."""

_REQUESTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Problem(Exception):
    """Something the user can put right: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n{remedy}")
        self.what = what
        self.remedy = remedy


def parser(module: str, description: str | None, epilog: str = "") -> argparse.ArgumentParser:
    """Return the parser of a module's command line, with examples laid out as written."""
    written = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(f"python -m {module}", None, description, epilog, formatter_class=written)


def silent(_: str) -> None:
    """Report nothing."""


def say(line: str) -> None:
    """Say something at once, also where the output is a pipe."""
    print(line, flush=True)


def say_doing(what: str) -> None:
    """Say what is about to happen."""
    say(f"{what} …")


def complain(problem: Problem) -> int:
    """Say on standard error what is wrong and what to do, and return the exit status."""
    print(f"\n{problem.what}\n→ {problem.remedy}", file=sys.stderr)
    return 1


def exit_status(command: Callable[[], None], interrupted: str, status: int = 1) -> int:
    """Run a command, report what stops it, and return its exit status.

    If it is interrupted, that is `status`, and it says the text: as an error, unless interrupting is how it ends.
    """
    try:
        command()
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr if status else sys.stdout, flush=True)
        return status
    except Problem as problem:
        return complain(problem)
    return 0


def interrupt_once() -> None:
    """Turn the first request to end into KeyboardInterrupt, and ignore later ones, so that cleaning up completes.

    A request is Ctrl-C, `kill`, or that the terminal was closed.
    """

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        for request in _REQUESTS:
            signal.signal(request, signal.SIG_IGN)
        raise KeyboardInterrupt

    for request in _REQUESTS:
        signal.signal(request, interrupted)


def observe(look: Callable[[], T], every: float) -> Iterator[T]:
    """Yield an observation now, and again after each interval."""
    while True:
        yield look()
        time.sleep(every)


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    for holds in observe(condition, every):
        if holds or time.monotonic() >= deadline:
            return holds
    raise AssertionError("observing does not end")  # pragma: no cover
