"""Errors of the producer.

ProducerError
├── InvalidEvent   the event is not one JSON object, or too large: `send` did not take it
├── SpoolFull      there is no room on disk: `send` did not take the event
└── SpoolInUse     another producer has the spool open
"""

from __future__ import annotations


class ProducerError(Exception):
    """What the producer cannot do, and what to do about it."""


class InvalidEvent(ProducerError, ValueError):
    """The event cannot be sent as it is."""


class SpoolFull(ProducerError):
    """The spool has no room for another event."""


class SpoolInUse(ProducerError):
    """Another producer has the spool open."""
