"""Reports differences, and turns errors of AWS into problems that the user can solve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.errors import code_of
from chalicelib.core.errors import RetraceError, TryAgain
from chalicelib.core.pagination import chunks
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind
from retrace.output import ROWS_A_TABLE, Column, Json, Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting

_COLUMNS = (
    Column("difference", lambda item: item["difference"], style=lambda _: "red"),
    Column("where", lambda item: item["where"], several_lines=True),
    Column("in", lambda item: ": ".join(filter(None, (", ".join(item["fields"]), item["detail"])))),
    Column("repair", lambda item: item["repair"]),
)


def report_differences(
    output: Output, progress: Counting, differences: Iterable[tuple[Difference, str]], nothing: str
) -> dict[Kind, int]:
    """Show differences, each with what becomes of it, as they are found; answers how many there are of each kind."""
    kinds: dict[Kind, int] = {}

    def items(some: Iterable[tuple[Difference, str]]) -> Iterator[Json]:
        for difference, repair in some:
            kinds[difference.kind] = kinds.get(difference.kind, 0) + 1
            item = difference.as_json() | {"repair": repair}
            yield item if output.as_json else item | {"where": difference.where}

    for some in chunks(differences, 1 if output.as_json else ROWS_A_TABLE):
        progress.pause()
        output.rows(items(some), _COLUMNS, "")
        progress.go_on()
    progress.pause()
    if not kinds and progress.counts.total():
        output.note(nothing)
    for kind, count in kinds.items():
        output.say(f"{count:,} {kind}: {kind.sentence}")
        output.say(f"→ {kind.remedy}", "dim")
    return kinds


@contextmanager
def aws_errors_as_problems() -> Iterator[None]:
    """Raise Problem in place of what AWS refuses."""
    try:
        yield
    except ClientError as error:
        raise _problem(f"AWS refused a call: {error}", code_of(error)) from error
    except RetraceError as error:
        cause = error.__cause__
        code = code_of(cause) if isinstance(cause, ClientError) else ""
        raise _problem(str(error), code, again=isinstance(error, TryAgain)) from error
    except BotoCoreError as error:
        raise _problem(f"AWS cannot be reached: {error}", "", again=True) from error


def _problem(what: str, code: str, *, again: bool = False) -> Problem:
    if again:
        return Problem(what, "Try again. Completed work is kept.", Exit.UNREACHABLE)
    if code.startswith("AccessDenied"):
        return Problem(what, "This command uses your own AWS permissions. docs/cli.md has the policy that it needs.")
    if code in ("ResourceNotFoundException", "NoSuchBucket"):
        return Problem(what, "Create the table or bucket, or name one that exists.", Exit.NOT_FOUND)
    return Problem(what, "Run `retrace doctor` to see whose credentials these are. Completed work is kept.")
