"""A message as a queue delivered it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the queue delivered it: its body, and the id and receipt by which it is settled."""

    message_id: str
    receipt_handle: str
    body: str
