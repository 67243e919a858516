"""What the demo prints into a file: the text as it is, and nothing else."""

from __future__ import annotations

import io

from embedded.narration import Narrator


def test_data_is_never_taken_for_mark_up() -> None:
    out = io.StringIO()
    narrator = Narrator(out)

    narrator.say("[bold]order[/bold] :smile:")
    narrator.table(("entity", "count"), [("[red]depot-łódź", 1234)])

    assert "[bold]order[/bold] :smile:" in out.getvalue()
    assert ["[red]depot-łódź", "1,234"] in [line.split() for line in out.getvalue().splitlines()]


def test_a_long_step_is_one_line_in_a_file() -> None:
    out = io.StringIO()

    with Narrator(out).counting("Sending", 10) as told:
        told(5)
        told(10)

    assert out.getvalue() == "  Sending …\n"


def test_what_may_be_copied_is_not_wrapped() -> None:
    out = io.StringIO()

    Narrator(out).verbatim("word " * 100)

    assert "word " * 99 in out.getvalue()
