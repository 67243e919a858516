"""Retrace: the command line for loading files and investigating, and `Producer` for programs that send events.

The names below are imported when they are first used, so the command line does not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrace.producer.errors import InvalidEvent as InvalidEvent
    from retrace.producer.errors import ProducerError as ProducerError
    from retrace.producer.errors import SpoolFull as SpoolFull
    from retrace.producer.errors import SpoolInUse as SpoolInUse
    from retrace.producer.outcomes import Rejection as Rejection
    from retrace.producer.producer import Producer as Producer

_PLACES = {
    "InvalidEvent": "errors",
    "Producer": "producer",
    "ProducerError": "errors",
    "Rejection": "outcomes",
    "SpoolFull": "errors",
    "SpoolInUse": "errors",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that has it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"retrace.producer.{_PLACES[name]}"), name)
