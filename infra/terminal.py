"""What a command says on a terminal: how far it is, and what stops it."""

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from infra.aws_errors import problem_of
from infra.problem import Problem


def say(line: str) -> None:
    """Say something at once, also where the output is a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def told_in_words(command: Callable[[], None]) -> int:
    """Run a command, tell what stops it, and return the exit status."""
    try:
        command()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. What CloudFormation has begun goes on without you.\n")
        return 130
    except Problem as problem:
        return _told(problem)
    except (BotoCoreError, ClientError) as error:
        return _told(problem_of(error))
    return 0


def _told(problem: Problem) -> int:
    sys.stderr.write(f"\n{problem.what}\n→ {problem.remedy}\n")
    return 1
