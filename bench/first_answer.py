"""The first event that a cold function takes in, in this process: as on Lambda, but for a network that is canned.

python -m bench.first_answer MODULE
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from typing import Any, cast

from botocore.httpsession import URLLib3Session

from bench import invocations
from bench.canned import Canned

HANDLERS = {"app": "app", "bench.peers.plain": "api", "bench.peers.powertools": "api"}


def main() -> None:
    """Import a module and let its function take an event in."""
    aws, sessions = Canned(), cast("Any", URLLib3Session)  # every client has its own
    sessions.send = lambda _, request: aws.answer(request)
    module = sys.argv[1]
    with contextlib.redirect_stdout(io.StringIO()):
        handle: Any = getattr(importlib.import_module(module), HANDLERS[module])
        answer = handle(invocations.one(1), invocations.Context())
    if answer["statusCode"] not in (200, 201):
        raise RuntimeError(f"{module} answered {answer}.")


if __name__ == "__main__":
    main()
