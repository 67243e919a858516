"""The inputs that contributed most to a metric, of all that one request can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ports import InputsPage
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.pagination import every_page
from chalicelib.core.read_budget import PaidReads, ReadsSpent
from chalicelib.metrics.contribution import Contribution
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import ZERO, Exact

WEIGH_US = 50
"""Computing for one row that is put in order."""


def biggest_inputs(
    page_after: Callable[[str | None], InputsPage], reads: PaidReads, definition: Definition, limit: int
) -> tuple[tuple[Input, ...], bool]:
    """At most `limit` inputs, the largest magnitude first, then by time and id, and whether all inputs were read."""
    biggest: list[Input] = []
    try:
        for page in every_page(lambda after: reads(page_after, [after])[0]):
            reads.pay(len(page.inputs) * WEIGH_US)
            biggest = _by_magnitude(chain(biggest, page.inputs), definition)[:limit]
    except ReadsSpent:
        return tuple(biggest), False
    return tuple(biggest), True


def require_numbers(definition: Definition | None) -> Definition:
    """The metric whose contributions are to be put in order; raises InvalidRequest if they have none."""
    if definition is None:
        raise InvalidRequest("There are no contributions to order by.", (Fault("by", "needs a metric"),))
    if definition.aggregate == "distinct":
        fault = Fault("by", f"cannot be contribution: {definition.name} takes texts. Ask by time")
        raise InvalidRequest("The contributions have no order.", (fault,))
    return definition


def _by_magnitude(inputs: Iterable[Input], definition: Definition) -> list[Input]:
    weighed = [(each, each.contributed_to(definition)) for each in inputs]
    contributing = [(_magnitude(found), each) for each, found in weighed if isinstance(found, Contribution)]
    in_time = sorted(contributing, key=lambda pair: pair[1].key)
    return [each for _, each in sorted(in_time, key=lambda pair: pair[0], reverse=True)]


def _magnitude(found: Contribution) -> Exact:
    amount = found.amount if isinstance(found.amount, Exact) else ZERO
    return Exact(abs(amount.coefficient), amount.scale)
