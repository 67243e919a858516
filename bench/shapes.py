"""The shapes of replays that are counted: how the messages of a batch belong together."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.aggregation import SAMPLE_SIZE


@dataclass(frozen=True, slots=True)
class Shape:
    """How the messages of a batch belong together.

    `together` of them are of one entity-day and come in one raw object, as far as the batch goes. Each entity-day has
    had `before` messages in earlier batches.
    """

    name: str
    says: str
    together: float
    before: int = 0

    def entity_of(self, number: int) -> int:
        """Which entity the n-th message of a batch belongs to."""
        return int(number / self.together)


TOGETHER = Shape(
    "together", "all messages of a batch are of one entity-day and one raw object", 1_000, before=SAMPLE_SIZE
)
THREES = Shape("threes", "3⅓ messages of each entity-day, of one raw object, come together", 10 / 3)
ALONE = Shape("alone", "every message is the only one of its entity-day, and of its raw object", 1)
SCATTERED = Shape(
    "scattered",
    "every message of a batch is of another entity-day, and of another raw object; each entity-day has many",
    1,
    before=SAMPLE_SIZE,
)
SHAPES = (TOGETHER, THREES, ALONE, SCATTERED)
BATCHES = (100, 10)
