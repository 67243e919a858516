"""Bring a stack to a template and its parameters, or explain why it cannot be done."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from infra.changes import Change, Event, end, failures, removal, retained
from infra.command import Problem, Tell, silent
from infra.stack import ABSENT, COMPLETE, UPDATABLE, Kind, Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

Declared = Mapping[str, Mapping[str, Any]]
Agree = Callable[[Sequence[Change]], bool]
"""Asked with what would change, before anything does."""

SHARDS: Final = ("TypeDayShards", "TypeDayShardsRead")
"""Shards that are written, and shards that are read at least."""

_PAST: Final = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted", "IMPORT": "imported"}


def kind_of_change(stack: Stack, described: "StackTypeDef | None") -> Kind:
    """Return whether the stack is to be created or updated; raises Problem if CloudFormation would do neither."""
    status = described["StackStatus"] if described is not None else None
    if status in ABSENT:
        return "CREATE"
    if status in UPDATABLE:
        return "UPDATE"
    remedy = f"Remove the rest of it, then deploy again: make destroy STAGE={stack.name.removeprefix('retrace-')}"
    if status == "UPDATE_ROLLBACK_FAILED":
        go_on = f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
        remedy = f"Fix what its events report as failed. Then run: {go_on}"
    raise Problem(f"The stack {stack.name} is in {status}, so CloudFormation cannot change it.", remedy)


def roll_out(  # noqa: PLR0913  # the stack, its target state, and how to ask and report
    stack: Stack,
    kind: Kind,
    template_url: str,
    parameters: Mapping[str, str],
    *,
    kept: Collection[str] = (),
    agree: Agree = lambda _: True,
    tell: Tell = silent,
) -> bool:
    """Make a change set and execute it. Return False if there is nothing to change, or the operator declines."""
    change_set = stack.propose(kind, template_url, parameters, kept)
    if change_set is None:
        return False
    agreed = False
    try:
        agreed = agree(change_set.changes)
    finally:
        if not agreed:
            stack.discard(change_set.name)
    if not agreed:
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
    """Report each resource that is done, and pass all events on."""
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


def _require_complete(status: str | None, events: Sequence[Event]) -> None:
    if status in COMPLETE:
        return
    lines = [f"The deployment ended as {status}.", *failures(events)]
    if left := list(removal(retained(events))):
        lines += ["What it had made already stays, by its deletion policy:", *left]
    raise Problem("\n".join(lines), "Fix that and try again.")


def parsed(words: Iterable[str]) -> dict[str, str]:
    """Read words such as RawRetentionDays=365."""
    pairs = {word: word.partition("=") for word in words}
    wrong = [word for word, (name, equals, _) in pairs.items() if not (name and equals)]
    if wrong:
        raise Problem(
            f"{wrong[0]!r} is not a parameter.",
            "Write Name=value: make deploy STAGE=prod PARAMETERS='RawRetentionDays=365'",
        )
    return {name: value for name, _, value in pairs.values()}


def require_declared(declared: Declared, given: Mapping[str, str]) -> None:
    """Raise Problem if a parameter is given that the template does not have."""
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise Problem(f"The template has no parameter {', '.join(unknown)}.", f"It has: {', '.join(sorted(declared))}")


def require_stage(declared: Declared, stage: str, given: Mapping[str, str]) -> None:
    """Raise Problem if the stage cannot be called that."""
    pattern = declared["Stage"]["AllowedPattern"]
    if not re.fullmatch(pattern, stage):
        raise Problem(
            f"A stage cannot be called {stage!r}." if stage else "No stage is given.",
            f"Name one as STAGE=prod. Its name must match {pattern}",
        )
    if "Stage" in given:
        raise Problem("Stage is given twice.", "Leave Stage out of PARAMETERS: STAGE=… says it.")


def value_of(name: str, declared: Declared, given: Mapping[str, str], described: "StackTypeDef | None") -> str:
    """Return what a parameter will be: as it is given, else as it was deployed, else its default."""
    return str(given.get(name, deployed_values(described).get(name, declared[name]["Default"])))


def require_readers_first(declared: Declared, given: Mapping[str, str], described: "StackTypeDef | None") -> None:
    """Raise Problem if ingest would write to shards that are not read yet, or if shards would not be read any more.

    CloudFormation updates one function after the other. A function of before reads as many shards as before.
    """
    if described is None:
        return
    read = max(int(value_of(name, declared, {}, described)) for name in SHARDS)
    written, will_be_read = (int(value_of(name, declared, given, described)) for name in SHARDS)
    if written > read:
        raise Problem(
            f"TypeDayShards would be {written}, but the deployed functions read {read}: they would miss new events.",
            f"Deploy TypeDayShardsRead={written} first, and TypeDayShards={written} after that.",
        )
    if max(written, will_be_read) < read:
        raise Problem(
            f"Only {max(written, will_be_read)} shards would be read, but {read} may contain events.",
            f"Keep TypeDayShards or TypeDayShardsRead at {read}.",
        )


def kept(declared: Declared, given: Mapping[str, str], described: "StackTypeDef | None") -> list[str]:
    """Return the parameters that keep their deployed value: those that are not given again."""
    return sorted((deployed_values(described).keys() & declared.keys()) - given.keys())


def deployed_values(described: "StackTypeDef | None") -> dict[str, str]:
    """Return the parameters that a stack was deployed with."""
    deployed = described.get("Parameters", []) if described is not None else []
    return {each["ParameterKey"]: each["ParameterValue"] for each in deployed}
