"""Bring a stack to what a template says, or say in words why that cannot be."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from infra.changes import Change
from infra.history import Event, end
from infra.problem import Problem
from infra.retained_resources import passed_over, told
from infra.stack import ABSENT, COMPLETE, UPDATABLE, Kind, Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

Tell = Callable[[str], None]
Agree = Callable[[Sequence[Change]], bool]
"""Asked with what would change, before anything does."""


def wait(stack: Stack, tell: Tell) -> None:
    """Wait until nothing is under way, and say so if there is something to wait for."""
    if stack.busy():
        tell(f"Waiting for what is under way in {stack.name} …")
        stack.settled()


def kind_of_change(stack: Stack, described: "StackTypeDef | None") -> Kind:
    """Return whether the stack is to be created or updated; raises Problem if CloudFormation would do neither."""
    status = described["StackStatus"] if described is not None else None
    if status in ABSENT:
        return "CREATE"
    if status in UPDATABLE:
        return "UPDATE"
    if status == "UPDATE_ROLLBACK_FAILED":
        remedy = (
            f"Its events say what failed; then: aws cloudformation continue-update-rollback --stack-name {stack.name}"
        )
    else:
        remedy = (
            f"Remove what is left of it, then deploy again: make destroy STAGE={stack.name.removeprefix('retrace-')}"
        )
    raise Problem(f"The stack {stack.name} is in {status}; CloudFormation cannot change it any more.", remedy)


def roll_out(  # noqa: PLR0913  # the stack, what it is to be, and whom to ask and to tell
    stack: Stack,
    kind: Kind,
    template_url: str,
    parameters: Mapping[str, str],
    *,
    kept: Collection[str] = (),
    agree: Agree = lambda _: True,
    tell: Tell = lambda _: None,
) -> bool:
    """Make a change set and carry it out; return False if there is nothing to change, or nobody agrees."""
    change_set = stack.propose(kind, template_url, parameters, kept)
    if change_set is None:
        return False
    try:
        agreed = agree(change_set.changes)
    except Problem:
        stack.discard(change_set.name)
        raise
    if not agreed:
        stack.discard(change_set.name)
        return False
    if kind == "UPDATE":
        stack.protect()
    names = {change.logical_id for change in change_set.changes}
    events = list(_telling(stack.execute(change_set), names, tell))
    _require_complete(end(change_set.stack_id, events), events)
    stack.settled()
    stack.protect()
    return True


def _telling(events: Iterable[Event], names: Collection[str], tell: Tell) -> Iterator[Event]:
    """Tell of each resource that is done, and pass all events on."""
    done: set[str] = set()
    for event in events:
        name = event.resource.logical_id
        action, _, outcome = event.status.rpartition("_")
        if outcome == "FAILED":
            tell(f"  {name} failed: {event.reason}")
        elif outcome == "COMPLETE" and name in set(names) - done:
            done.add(name)
            tell(f"  {len(done):3} of {len(names)}  {name} {_PAST.get(action, action.lower())}")
        yield event


_PAST = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted", "IMPORT": "imported"}


def _require_complete(status: str | None, events: Sequence[Event]) -> None:
    if status in COMPLETE:
        return
    lines = [f"The deployment ended as {status}.", *dict.fromkeys(failures(events))]
    left = list(told(passed_over(events)))
    if left:
        lines += ["What it had made already stays, by its deletion policy:", *left]
    raise Problem("\n".join(lines), "Put that right and try again.")


def failures(events: Iterable[Event]) -> Iterator[str]:
    """Yield each resource that failed by itself, with its reason; the others were only cancelled."""
    for event in events:
        if event.status.endswith("_FAILED") and "cancelled" not in event.reason.lower():
            yield f"  {event.resource.logical_id} ({event.resource.type}): {event.reason or 'no reason was given'}"
