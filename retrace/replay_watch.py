"""Waiting for a replay: how far it is, and what Ctrl-C does meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import typer

from retrace.client import Client, refusal
from retrace.output import Json, Output, printable
from retrace.problem import Exit, Problem
from retrace.progress import Progress
from retrace.replay_shown import COUNTS, counts_of

FINAL = frozenset({"COMPLETE", "CANCELLED", "FAILED"})
STILL_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 2.0


def over(job: Json) -> bool:
    """Whether waiting longer tells nothing more: what went to the ordered queue is for consumers of one's own."""
    return job["state"] in FINAL or (job["state"] == "SENT" and job["request"].get("order") is not None)


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
            remedy = f"The replay goes on by itself. Watch it again: retrace replay-status {self.replay_id} --wait"
            raise Problem(problem.what, remedy, problem.exit_code) from problem

    def _followed(self) -> Json:
        pause, moved, last = _FIRST_PAUSE_S, self.clock(), ""
        with Progress(self.output.notes, self.clock) as progress:
            while True:
                job = self.client.get(f"/replay/{self.replay_id}")
                if over(job):
                    return job
                told = counts_of(job)
                done = sum(job[name] for name in COUNTS[1:])
                progress.show(f"{told}{self._of}", done, max(self.counted or 0, job["matched"]))
                if told != last:
                    moved, last = self.clock(), told
                elif self.clock() - moved >= STILL_S:
                    moved = float("inf")
                    self._say_it_stands(job)
                self.sleep(pause)
                pause = min(pause * 1.3, _LONGEST_PAUSE_S)

    @property
    def _of(self) -> str:
        return "" if self.counted is None else f" of {self.counted:,}"

    def _say_it_stands(self, job: Json) -> None:
        why = "where no processor is deployed, a replay stays SENT." if job["state"] == "SENT" else "see its queues."
        self.output.note(f"Nothing has moved for a minute; {why} Ctrl-C ends the waiting.", "yellow")

    def _interrupted(self) -> Json:
        """Offer to cancel. No answer, or Ctrl-C once more, leaves the replay running."""
        try:
            wanted = sys.stdin.isatty() and ask(self.output, "\nCancel the replay? [y/N]")
        except KeyboardInterrupt:
            wanted = False
        if not wanted:
            self.output.note(f"\nReplay {self.replay_id} goes on by itself.", "")
            self.output.note(f"Watch it: retrace replay-status {self.replay_id} --wait", "")
            self.output.note(f"Cancel it: retrace replay-cancel {self.replay_id}", "")
            raise typer.Exit(Exit.INTERRUPTED)
        return cancelled(self.client, self.output, self.replay_id)


def cancelled(client: Client, output: Output, replay_id: str) -> Json:
    """Cancel a replay; answers how it then stands, which is COMPLETE if it was faster."""
    path = f"/replay/{replay_id}/cancel"
    answer = client.call("POST", path)
    if answer.status == HTTPStatus.CONFLICT:
        output.note(answer.json["detail"], "yellow")
        return client.get(f"/replay/{replay_id}")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise refusal(f"POST {path}", answer)
    return answer.json
