"""Ending in good order when asked to: by Ctrl-C, by `kill`, or because the terminal was closed."""

import signal
from types import FrameType
from typing import Final

_REQUESTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_once() -> None:
    """Turn the first request to end into KeyboardInterrupt; those after it shall not disturb the clearing up."""

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        for request in _REQUESTS:
            signal.signal(request, signal.SIG_IGN)
        raise KeyboardInterrupt

    for request in _REQUESTS:
        signal.signal(request, interrupted)
