"""Remove a stage's stack, unless it holds data.

python -m infra.destroy STAGE [--yes]
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from infra.account import Account, session
from infra.deploy import stack_name
from infra.problem import Problem
from infra.retained_resources import passed_over, told
from infra.rollout import Tell, failures, wait
from infra.stack import Stack
from infra.stored_data import Holding, stored_data
from infra.terminal import say, told_in_words

EPILOG: Final = """\
A stack is not removed while its bucket, a table or a queue holds anything: it says which, and how much. What has a
deletion policy of its own, as the bucket and the tables have, stays even if it is empty, and the commands that
remove those are shown.
"""

Ask = Callable[[str], str]


def main(arguments: Sequence[str], say: Tell = say, ask: Ask = input) -> int:
    """Remove one stage and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.destroy",
        description="Remove the stack of a stage, unless it holds data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", help="the stage; its stack is retrace-STAGE")
    parser.add_argument("--yes", action="store_true", help="do not ask for the stage's name to be typed")
    chosen = parser.parse_args(arguments)
    return told_in_words(lambda: _destroy(chosen.stage, say, None if chosen.yes else ask))


def _destroy(stage: str, say: Tell, ask: Ask | None) -> None:
    if not stage:
        raise Problem("Which stage?", "Name it: make destroy STAGE=dev")
    account = Account.of(session())
    say(f"Account {account.number}, region {account.region}, as {account.caller}")
    stack = Stack(account.cloudformation, stack_name(stage))
    wait(stack, say)
    if stack.described() is None:
        raise Problem(
            f"There is no stack {stack.name} in this account and region.",
            "AWS_PROFILE and AWS_REGION choose others.",
        )
    _require_empty(stack, list(stored_data(account, stack.resources())))
    if ask is not None:
        _confirm(stage, stack, ask)
    _remove(stack, say)


def _require_empty(stack: Stack, held: Sequence[Holding]) -> None:
    if held:
        raise Problem(
            "\n".join([f"{stack.name} holds data; it is not removed.", *_listed(held)]),
            "If that is to go as well, the commands above remove it; the bucket: docs/deploying.md. Then try again.",
        )


def _listed(held: Sequence[Holding]) -> Iterator[str]:
    for holding in held:
        yield f"  {holding.resource.logical_id} ({holding.resource.physical_id}): {holding.amount}"
        yield from (f"      {command}" for command in holding.commands)


def _confirm(stage: str, stack: Stack, ask: Ask) -> None:
    try:
        typed = ask(f"{stack.name} holds no data. Type {stage} to remove it: ")
    except EOFError:
        typed = ""
    if typed.strip() != stage:
        raise Problem(
            "Nothing was removed.",
            f"Type the name of the stage, or from a script: python -m infra.destroy {stage} --yes",
        )


def _remove(stack: Stack, say: Tell) -> None:
    events = []
    for event in stack.delete():
        events.append(event)
        if event.status == "DELETE_COMPLETE" and event.resource.logical_id != stack.name:
            say(f"  {event.resource.logical_id} deleted")
    failed = list(dict.fromkeys(failures(events)))
    if failed:
        raise Problem("\n".join([f"{stack.name} could not be removed.", *failed]), "Put that right and try again.")
    say(f"\n{stack.name} is removed.")
    left = passed_over(events)
    if left:
        say("\nThis stays, by its deletion policy; where a command follows, that removes it:\n")
        for line in told(left):
            say(line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
