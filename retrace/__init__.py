"""Retrace: the command line, `Producer` for programs that send events, `Consumer` for programs that take replays.

The names below are imported when they are first used, so the command line does not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrace.consumer.consumer import Consumer as Consumer
    from retrace.consumer.message import ConsumerError as ConsumerError
    from retrace.consumer.message import Message as Message
    from retrace.producer.encoding import InvalidEvent as InvalidEvent
    from retrace.producer.encoding import ProducerError as ProducerError
    from retrace.producer.encoding import SpoolFull as SpoolFull
    from retrace.producer.encoding import SpoolInUse as SpoolInUse
    from retrace.producer.outcomes import Rejection as Rejection
    from retrace.producer.producer import Producer as Producer

_PLACES = {
    "Consumer": "consumer.consumer",
    "ConsumerError": "consumer.message",
    "InvalidEvent": "producer.encoding",
    "Message": "consumer.message",
    "Producer": "producer.producer",
    "ProducerError": "producer.encoding",
    "Rejection": "producer.outcomes",
    "SpoolFull": "producer.encoding",
    "SpoolInUse": "producer.encoding",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that has it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"retrace.{_PLACES[name]}"), name)
