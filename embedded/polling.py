"""Waiting for a condition: look often, give up at a deadline, never just sleep and hope."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True
