"""Runs of the doomed program, killed and started again until all is sent, and what they told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.copied_project import ROOT
from tests.unit.producer.doomed import has_rival, is_invalid


@contextmanager
def started(*arguments: object, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python process of the project, which does not outlive its test."""
    own = {**os.environ, "AWS_REGION": "eu-west-1", **(environment or {})}
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.Popen(  # noqa: S603  # ours
        command, cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@dataclass
class Story:
    """A program that sends `events` numbered events, and what its processes told before they died."""

    url: str
    spool: Path
    source: str
    events: int
    batch_bytes: int = 5_000
    environment: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0
    """How many events `send` has returned from."""
    refused: set[int] = field(default_factory=set)
    peaks: list[int] = field(default_factory=list)

    def run(self, until: Sequence[int]) -> None:
        """Let a process die at each of these numbers of sent events, and a last one send the rest."""
        for number in until:
            self._run(number)
        self._run(None)

    def _run(self, until: int | None) -> None:
        arguments = (self.url, self.spool, self.source, self.sent, self.events - self.sent, self.batch_bytes)
        with started("-m", "tests.unit.producer.doomed", *arguments, environment=self.environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                self._heard(line)
                if until is not None and self.sent >= until:
                    process.kill()
                    until = None

    def _heard(self, line: str) -> None:
        if line.endswith("\n"):  # or it died while it wrote
            what, number = line.split()
            self.sent = int(number) + 1 if what == "sent" else self.sent
            if what == "refused":
                self.refused.add(int(number))
            if what == "peak":
                self.peaks.append(int(number))

    def assert_each_once(self, stored: Sequence[int]) -> None:
        """Each event must be stored once or have been refused with reason."""
        assert self.sent == self.events
        assert len(stored) == len(set(stored))
        assert set(stored) | self.refused == set(range(self.events))
        assert set(stored) & self.refused == set()
        unjust = {number for number in self.refused if not is_invalid(number) and not has_rival(number)}
        assert unjust == set()
        assert all(is_invalid(number) or self._has_winner(number, set(stored)) for number in self.refused)

    @staticmethod
    def _has_winner(number: int, stored: set[int]) -> bool:
        """Of two events with one key, the other one is stored."""
        return bool({number - 1, number + 1} & stored)
