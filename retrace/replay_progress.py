"""Shows replays, watches them until they end, and cancels them."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.core.calendars import UTC, day_in
from chalicelib.core.timestamps import Instant
from chalicelib.replays.destinations import TO_AGGREGATES
from retrace.client import Client
from retrace.output import Json, Output, bar, duration, on_one_line, printable, short_time
from retrace.problem import Exit, Problem
from retrace.progress import Progress
from retrace.replay_table import COUNTS, advice_of, command_for_missing, newest_event, remarks, what

_NAMES = 10
_MOST_DAYS = 40


def show_preview(console: Console, preview: Json) -> None:
    """What a replay would send: counts by day, source and type, and what it would take."""
    console.print(Text(f"The replay would send {amount(preview)}."))
    for heading, counts in (
        ("day", _days(preview["by_day"])),
        ("source", preview["by_source"]),
        ("type", preview["by_type"]),
    ):
        if counts:
            console.print(_bars(heading, counts))
    if preview["messages"] > 0:
        least = "" if preview["exact"] else "at least "
        time, reports = duration(preview["estimated_seconds"] * 1_000), preview.get("estimated_reports_usd")
        told = f"It takes about {least}{time} and costs at most ${preview['estimated_cost_usd']:,.4f}"
        console.print(Text(f"{told}{f', of which ${reports:,.4f} for reported outcomes' if reports else ''}."))
    for text, style in remarks(preview):
        console.print(Text(text, style=style), soft_wrap=True)
    if preview["messages"] == 0 and preview["exact"]:
        console.print(Text(_nothing(preview)), soft_wrap=True)


def _nothing(preview: Json) -> str:
    """Why there is nothing to send, and where to look, by the names of options and commands."""
    request = preview["request"]
    if "of" in request or (preview["scanned"] and not {"only", "events_file"}.isdisjoint(request)):
        return advice_of(preview)
    if preview["scanned"]:
        return f"The filters (--include-…, --exclude-…) leave none of the {preview['scanned']:,} events."
    return (
        f"No event of {on_one_line(what(request))}. Times are those of events, not of their arrival."
        " Choose others with --day, or --since and --until."
        f" {newest_event(request)}"
    )


def amount(preview: Json) -> str:
    """How many messages, and whether they are counted to the end."""
    messages = preview["messages"]
    return f"{'' if preview['exact'] else 'at least '}{messages:,} message{'' if messages == 1 else 's'}"


def _days(by_day: Mapping[str, int]) -> Mapping[str, int]:
    """Counts by day, or by month where the days are too many to be looked at."""
    if len(by_day) <= _MOST_DAYS:
        return by_day
    months: Counter[str] = Counter()
    for day, count in by_day.items():
        months[day[:7]] += count
    return dict(months)


def _bars(heading: str, counts: Mapping[str, int]) -> Table:
    """A bar for each count; of names, those with most."""
    by_time = heading == "day"
    shown = list(counts.items())[: _MOST_DAYS if by_time else _NAMES]
    most = max(counts.values())
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(justify="right")
    grid.add_column(style="cyan", no_wrap=True)
    for position, (name, count) in enumerate(shown):
        grid.add_row("" if position else f"by {heading}", Text(on_one_line(name)), f"{count:,}", bar(count, most))
    if len(counts) > len(shown):
        grid.add_row("", Text(f"and {len(counts) - len(shown)} more", style="dim"))
    return grid


def show_job(output: Output, job: Json) -> None:
    """A replay and how far it is."""
    if output.as_json:
        output.json(job)
        return
    facts: list[tuple[str, object]] = [
        ("replay", job["replay_id"]),
        ("state", job["state"]),
        ("of", what(job["request"])),
        ("asked for", f"{short_time(job['created_at'])} by {job['requested_by']}"),
        ("last moved on", short_time(job["updated_at"])),
        ("metrics", ", ".join(each["name"] for each in job.get("metrics", [])) or None),
        ("what-if", "yes: never the newest version" if job.get("what_if") else None),
        ("index read to", short_time(job["index_read_to"]) if job["index_read_to"] else None),
        *((name, f"{job[name]:,}") for name in COUNTS),
        ("not found", f"{job['not_found']:,} ids of the file" if job.get("not_found") else None),
        ("cancelled by", job["cancelled_by"]),
        ("may count until", job["may_change_until"] and short_time(job["may_change_until"])),
        ("dead letters until", job["dead_letters_until"] and short_time(job["dead_letters_until"])),
        ("failure", job["failure"]),
        ("reason", job["request"].get("reason")),
    ]
    output.facts([(name, value) for name, value in facts if value is not None])
    if job["advice"]:
        output.say(advice_of(job), "yellow")
    if (missing := command_for_missing(job)) is not None:
        output.note(f"Send only what was not reported done: {missing}")


def counts_of(job: Json) -> str:
    """How far a replay is, in one line; what did not happen is left out."""
    counts = [f"{job[name]:,} {name}" for name in COUNTS if job[name] or name in {"sent", "processed"}]
    return f"{job['state']}: {', '.join(counts)}"


def is_elsewhere(job: Json) -> bool:
    """Whether a replay went to a destination that the processor does not read."""
    return bool(job["destination"] != TO_AGGREGATES)


def next_command(job: Json, calendar: str | None = None) -> str | None:
    """The command that shows what a replay of one entity came to; None if it computed nothing.

    Its days are those of the calendar that it was requested by.
    """
    request = job["request"]
    if "entity_id" not in request or job["state"] != "COMPLETE" or not job["sent"] or is_elsewhere(job):
        return None
    day = day_in(calendar or UTC, Instant(request["start_time"]))
    of_calendar = "" if calendar in {None, UTC} else f" --calendar {calendar}"
    return f"retrace aggregates get {shlex.quote(request['entity_id'])} {day}{of_calendar}"


FINAL = frozenset({"COMPLETE", "CANCELLED", "FAILED"})
STILL_S = 60.0
_STANDS_STILL = (
    "There was no progress for a minute. Run `retrace doctor` to find out why, and press Ctrl-C to stop waiting."
)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 2.0


def over(job: Json) -> bool:
    """Whether waiting longer tells nothing more: what a consumer that does not report does with messages is unknown."""
    return job["state"] in FINAL or (job["state"] == "SENT" and not job["reports"])


def conclude(job: Json) -> None:
    """End the command as the replay ended: with 1 if it was given up or cancelled, or left dead letters."""
    if job["state"] in {"FAILED", "CANCELLED"} or job["failed"] > 0:
        raise typer.Exit(Exit.DIFFERENT)


def ask(output: Output, question: str) -> bool:
    """Ask on the terminal; anything but yes is no."""
    output.notes.print(printable(question), end=" ", style="bold")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@dataclass
class Watch:
    """Waits for one replay. `counted` is how many messages its preview counted, if there was one."""

    client: Client
    output: Output
    replay_id: str
    counted: int | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until_over(self) -> Json:
        """The replay once it is over. Ctrl-C offers to cancel it."""
        try:
            return self._followed()
        except KeyboardInterrupt:
            return self._interrupted()
        except Problem as problem:
            remedy = f"The replay continues. Watch it again: retrace replay get {self.replay_id} --wait"
            raise Problem(problem.what, remedy, problem.exit_code) from problem

    def _followed(self) -> Json:
        pause, moved, last, told = _FIRST_PAUSE_S, self.clock(), "", ""
        with Progress(self.output.notes, self.clock) as progress:
            while True:
                job = self.client.get(f"/replay/{self.replay_id}")
                if over(job):
                    return job
                counts = counts_of(job)
                done = sum(job[name] for name in COUNTS[1:])
                progress.show(f"{counts}{self._of}", done, max(self.counted or 0, job["matched"]))
                if counts != last:
                    moved, last = self.clock(), counts
                elif (advice := advice_of(job)) not in ("", told):
                    self.output.note(advice, "yellow")
                    told = advice
                elif self.clock() - moved >= STILL_S:
                    moved = float("inf")
                    self.output.note(_STANDS_STILL, "yellow")
                self.sleep(pause)
                pause = min(pause * 1.3, _LONGEST_PAUSE_S)

    @property
    def _of(self) -> str:
        return "" if self.counted is None else f" of {self.counted:,}"

    def _interrupted(self) -> Json:
        """Offer to cancel. No answer, or Ctrl-C once more, leaves the replay running."""
        try:
            wanted = sys.stdin.isatty() and ask(self.output, "\nCancel the replay? [y/N]")
        except KeyboardInterrupt:
            wanted = False
        if not wanted:
            self.output.note(f"\nReplay {self.replay_id} continues by itself.", "")
            self.output.note(f"Watch it: retrace replay get {self.replay_id} --wait", "")
            self.output.note(f"Cancel it: retrace replay cancel {self.replay_id}", "")
            raise typer.Exit(Exit.INTERRUPTED)
        return cancelled(self.client, self.output, self.replay_id)


def cancelled(client: Client, output: Output, replay_id: str) -> Json:
    """Cancel a replay; returns its new state, which is COMPLETE if it was faster."""
    path = f"/replay/{replay_id}/cancel"
    answer = client.call("POST", path)
    if answer.status == HTTPStatus.CONFLICT:
        output.note(answer.json["detail"], "yellow")
        return client.get(f"/replay/{replay_id}")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise client.problem_of(f"POST {path}", answer)
    return answer.json
