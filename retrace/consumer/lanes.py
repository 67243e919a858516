"""Lets workers take messages: those of one group one after the other, of different groups at the same time."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from threading import Condition

from retrace.consumer.queue import Held

LOOK_S = 0.5
"""How often a thread that waits looks for a signal, where waiting hides it (Windows)."""


class Lanes:
    """A lane for each group. Threads share it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: dict[str, deque[Held]] = defaultdict(deque)
        self._ready: deque[str] = deque()
        self._busy: set[str] = set()
        self._closed = False

    def add(self, deliveries: Iterable[Held]) -> None:
        """Let messages wait, each behind those of its group."""
        with self._changed:
            for each in deliveries:
                lane = self._waiting[each.group]
                lane.append(each)
                if len(lane) == 1 and each.group not in self._busy:
                    self._ready.append(each.group)
            self._changed.notify_all()

    def take(self) -> Held | None:
        """Wait for a message whose group has none in work; None once this is closed."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._ready or self._closed, LOOK_S):
                pass
            if self._closed:
                return None
            group = self._ready.popleft()
            self._busy.add(group)
            held = self._waiting[group].popleft()
            self._changed.notify_all()
            return held

    def finish(self, held: Held) -> None:
        """The message is out of work, and the next of its group can be taken."""
        with self._changed:
            self._busy.discard(held.group)
            if self._waiting[held.group]:
                self._ready.append(held.group)
            else:
                del self._waiting[held.group]
            self._changed.notify_all()

    def take_behind(self, held: Held) -> list[Held]:
        """Take all that waits behind a message in work, so that nothing overtakes it."""
        with self._changed:
            return list(self._waiting.pop(held.group, ()))

    def wait_for_room(self, most: int) -> bool:
        """Wait until fewer messages than that can be taken; False once this is closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < most or self._closed)
            return not self._closed

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        with self._changed:
            return not self._busy and not any(self._waiting.values())

    def close(self) -> list[Held]:
        """Hand out no more; returns what was not taken, in order."""
        with self._changed:
            self._closed = True
            left = [each for lane in self._waiting.values() for each in lane]
            self._waiting.clear()
            self._ready.clear()
            self._changed.notify_all()
            return left
