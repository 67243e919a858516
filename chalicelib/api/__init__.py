"""The HTTP edge and the handlers of queues: reads requests, calls use cases, writes answers and problems (RFC 9457).

A module of this package is imported when a function first needs it, as `api.search`: what a cold function does not run
it does not import either. Everything below such a module imports plainly.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.api import aggregates as aggregates
    from chalicelib.api import consumers as consumers
    from chalicelib.api import ingest as ingest
    from chalicelib.api import metrics as metrics
    from chalicelib.api import openapi as openapi
    from chalicelib.api import quarantine as quarantine
    from chalicelib.api import replays as replays
    from chalicelib.api import requests as requests
    from chalicelib.api import search as search
else:
    from importlib import import_module
    from types import ModuleType

    def __getattr__(name: str) -> ModuleType:  # https://peps.python.org/pep-0562/
        if name.startswith("_"):
            raise AttributeError(name)
        return import_module(f"{__name__}.{name}")
