"""How verify and audit are called, and what they show."""

from __future__ import annotations

import io

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from chalicelib.aws.dynamodb import from_item
from chalicelib.core.timestamps import Instant
from chalicelib.events.dynamodb_rows import identity_row
from retrace.checking.deployment import RowSettings, row_settings
from retrace.checking.differences import Difference
from retrace.checking.judging import Group, Judge, Rules
from retrace.checking.kinds import Kind
from retrace.checking.raw_objects import Damages
from retrace.checking.report import aws_errors_as_problems, report_differences
from retrace.command_line import app
from retrace.context import CommandContext
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting
from retrace.target import Target
from tests.unit.examples import an_event, stored

_EVENT = stored(an_event())


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "verify"],
        ["check", "verify", "order-1"],
        ["check", "verify", "order-1", "today", "--replay", "r"],
        ["check", "verify", "--replay", "r", "--prefix", "raw/"],
        ["check", "verify", "--prefix", "rejected/"],
        ["check", "verify", "order-1", "2026-13-01"],
        ["check", "verify", "--digests", "order-1", "today"],
        ["check", "verify", "--digests", "--replay", "r"],
        ["check", "verify", "--digests", "--prefix", "digests/"],
        ["check", "verify", "order-1", "today", "--public-key", "k"],
        ["check", "verify", "--prefix", "raw/", "--directory", "."],
        ["check", "audit", "--prefix", "/raw"],
        ["check", "audit", "--shards", "0"],
        ["check", "rebuild", "--shards", "65"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(arguments: list[str]) -> None:
    ended = CliRunner().invoke(app, ["--url", "http://127.0.0.1:9/api", *arguments])

    assert ended.exit_code == 2, ended.output


def found() -> list[tuple[Difference, str]]:
    rules = Rules(4, 3_600_000, None, Instant("2026-12-01T00:00:00.000000000Z"))
    identity = from_item(identity_row(_EVENT, "a request", None))
    judged = Judge(rules, Damages()).differences(Group(_EVENT.event_id, (_EVENT,), identity=identity))
    return [(each, "with --repair") for each in judged]


def test_a_table_says_what_differs_where_and_what_to_do() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=False, out=out, err=err)

    kinds = report_differences(output, Counting(output.notes, "Auditing"), found(), "Nothing.")

    text = "".join(out.getvalue().split())
    assert kinds == {Kind.INDEX_MISSING: 1}
    for said in (_EVENT.event_id[:20], "with--repair", Kind.INDEX_MISSING.sentence, Kind.INDEX_MISSING.remedy):
        assert "".join(said.split()) in text
    assert err.getvalue() == ""


@pytest.mark.parametrize(
    ("code", "ends", "remedy"),
    [
        ("ResourceNotFoundException", Exit.NOT_FOUND, "name one that exists"),
        ("AccessDeniedException", Exit.REFUSED, "docs/cli.md has the policy"),
        ("ValidationException", Exit.REFUSED, "retrace doctor"),
    ],
)
def test_what_aws_does_not_have_is_told_from_what_it_refuses(code: str, ends: Exit, remedy: str) -> None:
    with pytest.raises(Problem) as raised, aws_errors_as_problems():
        raise ClientError({"Error": {"Code": code, "Message": "why"}}, "Query")

    assert (raised.value.exit_code, remedy in raised.value.remedy) == (ends, True)


def test_that_nothing_differs_is_a_remark() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=True, out=out, err=err)

    progress = Counting(output.notes, "Auditing")
    assert report_differences(output, progress, [], "Nothing differs.") == {}
    assert (out.getvalue(), err.getvalue()) == ("", ""), "nothing was looked at"
    progress.add(objects=1)
    assert report_differences(output, progress, [], "Nothing differs.") == {}
    assert (out.getvalue(), err.getvalue()) == ("", "Nothing differs.\n")


@pytest.mark.parametrize(
    ("given", "said", "expected"),
    [
        ((None, None, None), {}, RowSettings(4, 3_600, 0)),
        ((None, None, None), {"type_day_shards": "8", "late_after_seconds": "60"}, RowSettings(8, 60, 0)),
        ((16, None, 30), {"type_day_shards": "8", "dedupe_ttl_days": "7"}, RowSettings(16, 3_600, 30)),
    ],
)
def test_settings_of_rows_are_as_given_else_as_the_stack_says(
    given: tuple[int | None, int | None, int | None], said: dict[str, str], expected: RowSettings
) -> None:
    call = CommandContext()
    call.target = Target("https://a.example/api", "test", storage=said)

    assert row_settings(call, *given) == expected
