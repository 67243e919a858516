"""The command line on the deployed stack: replays that are watched and cancelled, what changed a number, exports."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no stubs
import pytest
import urllib3

from embedded.connection import Stack
from embedded.stack import started
from tests.e2e.deployed import Deployed, until
from tests.e2e.samples import ROOT

DAY = "2025-11-28"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """A stack of its own, as one of its raw objects is tampered with."""
    with started() as stack:
        yield Deployed(stack)


def environment(stack: Stack) -> Mapping[str, str]:
    """What a shell of somebody who uses the stack holds."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": "/nonexistent",
        "RETRACE_URL": stack.api_url,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "AWS_REGION": stack.region,
        "COLUMNS": "160",
        "TERM": "xterm-256color",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "retrace", *arguments]


def run(deployed: Deployed, directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, without a terminal."""
    return subprocess.run(  # noqa: S603  # the project's own command
        command(*arguments),
        env=environment(deployed.stack),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )


class Session:
    """A command on a terminal: what it shows is waited for, and what somebody types is handed to it."""

    def __init__(self, deployed: Deployed, directory: Path, *arguments: str) -> None:
        self._terminal, inside = pty.openpty()
        self._process = subprocess.Popen(  # noqa: S603  # the project's own command
            command(*arguments),
            env=environment(deployed.stack),
            cwd=directory,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self._shown = ""

    def shows(self, text: str) -> str:
        """Wait until a text is on the terminal; answers what was shown up to it, and forgets it."""
        end = monotonic() + PATIENCE_S
        while text not in self._shown:
            assert monotonic() < end, f"{text!r} did not appear in {self._shown!r}"
            self._read()
        before, _, self._shown = self._shown.partition(text)
        return before + text

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def ends(self) -> tuple[int, str]:
        """Wait for its end; answers its exit code and what it showed since."""
        while self._read():
            pass
        code = self._process.wait(PATIENCE_S)
        os.close(self._terminal)
        return code, self._shown

    def _read(self) -> bool:
        readable, _, _ = select.select([self._terminal], [], [], 1.0)
        if not readable:
            return self._process.poll() is None
        try:
            some = os.read(self._terminal, 65_536)
        except OSError:  # the other end is closed
            return False
        self._shown += some.decode(errors="replace")
        return bool(some)


def of_entity(entity_id: str, numbers: range) -> list[bytes]:
    """Events of an entity on the day, a minute apart."""
    return [
        f'{{"source":"cli","event_type":"step","entity_id":"{entity_id}",'
        f'"event_time":"{DAY}T{number // 60:02d}:{number % 60:02d}:00Z","payload":{{"n":{number}.10}}}}'.encode()
        for number in numbers
    ]


def ingested(deployed: Deployed, lines: list[bytes]) -> list[str]:
    """Send events that are all new; answers their ids."""
    results = deployed.ingest(lines)["results"]
    assert {result["status"] for result in results} == {"ACCEPTED"}
    return [result["event_id"] for result in results]


def answer(result: subprocess.CompletedProcess[bytes]) -> Any:
    return json.loads(result.stdout)


def test_a_replay_from_its_preview_to_its_end(deployed: Deployed, tmp_path: Path) -> None:
    ingested(deployed, of_entity("complete", range(60)))
    ask = ("replay", "create", "complete", "--day", DAY)

    previewed = run(deployed, tmp_path, "replay", "preview", *ask[2:])
    unasked = run(deployed, tmp_path, *ask)
    replayed = run(deployed, tmp_path, *ask, "--reason", "closing", "--yes", "--wait")

    assert (previewed.returncode, answer(previewed)["messages"]) == (0, 60)
    assert unasked.returncode == 2
    assert b"--yes" in unasked.stderr
    assert replayed.returncode == 0, replayed.stderr
    ended = answer(replayed)
    assert (ended["state"], ended["processed"], ended["request"]["reason"]) == ("COMPLETE", 60, "closing")
    assert answer(run(deployed, tmp_path, "replay", "list", "--limit", "1")) == ended
    (version,) = deployed.get("/aggregates", entity_id="complete", day=DAY)["versions"]
    assert (version["event_count"], version["replay_id"]) == (60, ended["replay_id"])


def test_a_replay_of_the_events_of_a_file(deployed: Deployed, tmp_path: Path) -> None:
    ids = ingested(deployed, of_entity("listed", range(40)))
    listed = [*ids[:25], *ids[:5], "0" * 64, "f" * 64]
    (tmp_path / "ids.txt").write_text("\n".join(reversed(listed)))
    (tmp_path / "wrong.txt").write_text(f"{ids[0]}\nnone\n{ids[1]}\n\nneither\n")
    ask = ("replay", "create", "--yes", "--wait", "--events")

    wrong = run(deployed, tmp_path, *ask, "wrong.txt")
    previewed = run(deployed, tmp_path, "replay", "preview", "--events", "ids.txt")
    replayed = run(deployed, tmp_path, *ask, "ids.txt")

    assert wrong.returncode == 2
    assert b"wrong.txt has 2 lines without an event id: 2, 5." in wrong.stderr
    assert answer(previewed)["events_file"] == {
        "bytes": 27 * 65,
        "events": 27,
        "not_found": 2,
        "not_found_ids": ["0" * 64, "f" * 64],
    }
    assert replayed.returncode == 0, replayed.stderr
    assert b"Uploaded" in previewed.stderr
    assert b"Uploaded" not in replayed.stderr  # it is there
    ended = answer(replayed)
    assert [ended[name] for name in ("state", "processed", "not_found", "scanned")] == ["COMPLETE", 25, 2, 27]
    (version,) = deployed.get("/aggregates", entity_id="listed", day=DAY)["versions"]
    assert (version["event_count"], version["replay_id"]) == (25, ended["replay_id"])
    assert version["partial_because"] == ["Its replay sent only the events of a file."]


def test_an_upload_is_of_one_key_and_one_content(deployed: Deployed) -> None:
    content = f"{'a' * 64}\n".encode()
    name = hashlib.sha256(content).hexdigest()
    offer = deployed.api.call("PUT", f"/events-files/{name}", query={"events": "1"}).json()["upload"]

    def put(headers: Mapping[str, str] = offer["headers"], body: bytes = content, url: str = offer["url"]) -> int:
        return urllib3.request("PUT", url, body=body, headers=headers, retries=False).status

    other = "b" * 64
    of_other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    signed = offer["headers"]
    tried = {
        "another key": put(url=offer["url"].replace(name, other)),
        "a raw object": put(url=offer["url"].replace("events-files/", "raw/")),
        "another content": put(body=content.replace(b"a", b"b")),
        "a checksum of it": put({**signed, "x-amz-checksum-sha256": of_other, "Content-Length": "5"}, b"other"),
        "over what is there": put({each: value for each, value in signed.items() if each != "If-None-Match"}),
    }
    assert tried == {
        "another key": 403,
        "a raw object": 403,
        "another content": 400,
        "a checksum of it": 403,
        "over what is there": 403,
    }
    assert put() == 200
    assert put() == 412


@pytest.fixture(scope="module")
def slow(deployed: Deployed) -> tuple[str, ...]:
    """A replay that would take minutes."""
    ingested(deployed, of_entity("slow", range(200)))
    return ("replay", "create", "slow", "--day", DAY, "--rate", "1")


def watched(deployed: Deployed, directory: Path, ask: tuple[str, ...]) -> tuple[Session, str]:
    """A replay that was agreed to on a terminal and is under way; answers its id, too."""
    session = Session(deployed, directory, *ask)
    preview = session.shows("Send 200 messages? [y/N]")
    assert "by day" in preview
    session.types("y\n")
    under_way = re.search(r"Replay (\S+) is under way", session.shows("is under way"))
    assert under_way is not None
    session.shows("SENDING")
    return session, under_way[1]


def test_ctrl_c_offers_to_cancel(deployed: Deployed, tmp_path: Path, slow: tuple[str, ...]) -> None:
    session, replay_id = watched(deployed, tmp_path, slow)

    session.interrupt()
    session.shows("Cancel the replay? [y/N]")
    session.types("y\n")
    code, shown = session.ends()

    assert code == 1
    assert "CANCELLED" in shown
    assert deployed.get(f"/replay/{replay_id}")["state"] == "CANCELLED"


def test_ctrl_c_again_leaves_it_running(deployed: Deployed, tmp_path: Path, slow: tuple[str, ...]) -> None:
    session, replay_id = watched(deployed, tmp_path, slow)

    session.interrupt()
    session.shows("Cancel the replay? [y/N]")
    session.interrupt()
    code, shown = session.ends()

    assert code == 130
    assert f"retrace replay cancel {replay_id}" in shown
    sent = deployed.get(f"/replay/{replay_id}")["sent"]
    until(lambda: deployed.get(f"/replay/{replay_id}")["sent"] > sent)
    assert answer(run(deployed, tmp_path, "replay", "cancel", replay_id))["state"] == "CANCELLED"


def newest(deployed: Deployed) -> list[str]:
    return [job["replay_id"] for job in deployed.get("/replay", limit="1")["items"]]


def test_no_is_an_answer(deployed: Deployed, tmp_path: Path, slow: tuple[str, ...]) -> None:
    before = newest(deployed)
    session = Session(deployed, tmp_path, *slow)
    session.shows("[y/N]")
    session.types("\n")

    code, shown = session.ends()

    assert code == 1
    assert "Nothing was sent." in shown
    assert newest(deployed) == before


def test_diff_names_exactly_the_events_that_changed_the_number(deployed: Deployed, tmp_path: Path) -> None:
    ask = ("replay", "create", "differs", "--day", DAY, "--yes", "--wait")
    ingested(deployed, of_entity("differs", range(7)))
    assert run(deployed, tmp_path, *ask).returncode == 0
    alone = run(deployed, tmp_path, "aggregates", "diff", "differs", DAY)
    late = ingested(deployed, of_entity("differs", range(30, 33)))
    ingested(deployed, of_entity("another", range(30, 33)))
    stands = run(deployed, tmp_path, "aggregates", "get", "differs", DAY)
    assert run(deployed, tmp_path, *ask).returncode == 0

    changed = run(deployed, tmp_path, "aggregates", "diff", "differs", DAY, "--raw")

    assert alone.returncode == 1
    assert b"one version" in alone.stderr
    assert answer(stands)["arrived_since"] == 3
    assert changed.returncode == 1
    found = answer(changed)
    assert [item["event_id"] for item in found["only_in_to"]] == late
    assert [item["raw"].encode() for item in found["only_in_to"]] == of_entity("differs", range(30, 33))
    assert (found["only_in_from"], found["changed"]) == ([], [])
    assert found["summary"].startswith("3 events more: 3 step from cli; the count went from 7 to 10")


def shop_day() -> list[bytes]:
    """The example day, token for token, as events of one entity."""
    lines = (ROOT / "examples/shop-day/day.ndjson").read_bytes().splitlines()
    return [re.sub(rb'"entity_id":"[^"]*"', b'"entity_id":"exported"', line, count=1) for line in lines]


def test_exports_equal_what_was_sent(deployed: Deployed, tmp_path: Path) -> None:
    lines = shop_day()
    by_id = dict(zip(ingested(deployed, lines), lines, strict=True))

    as_lines = run(deployed, tmp_path, "export", "exported", "--day", DAY)
    as_parquet = run(deployed, tmp_path, "export", "exported", "--day", DAY, "--out", "day.parquet")

    assert (as_lines.returncode, as_parquet.returncode) == (0, 0), as_parquet.stderr
    written = as_lines.stdout.splitlines()
    assert {json.loads(line)["event_id"]: line.partition(b',"event":')[2][:-1] for line in written} == by_id
    table = pq.read_table(tmp_path / "day.parquet")
    ids, events, payloads, times = (table.column(name) for name in ("event_id", "event", "payload", "event_time"))
    assert dict(zip(ids.to_pylist(), (text.encode() for text in events.to_pylist()), strict=True)) == by_id
    both = zip(events.to_pylist(), payloads.to_pylist(), strict=True)
    assert all(f'"payload":{payload}' in event for event, payload in both)
    nanoseconds = [time.value for time in times]
    assert nanoseconds == sorted(nanoseconds)


def test_a_raw_object_that_was_tampered_with_is_reported(deployed: Deployed, tmp_path: Path) -> None:
    _, spoilt, _ = ingested(deployed, of_entity("tampered", range(3)))
    at = deployed.get(f"/events/{spoilt}")
    place = {"Bucket": at["s3_bucket"], "Key": at["s3_key"]}
    before = deployed.admin.s3.get_object(**place)["Body"].read()
    deployed.admin.s3.put_object(**place, Body=before.replace(b'"n":1.10', b'"n":1.11'))

    exported = run(deployed, tmp_path, "export", "tampered", "--day", DAY, "--out", "out.ndjson")
    kept = run(deployed, tmp_path, "export", "tampered", "--day", DAY, "--keep-bad")

    assert (exported.returncode, kept.returncode) == (1, 1)
    assert spoilt.encode() in exported.stderr
    assert b"hashes to" in exported.stderr
    sound = [json.loads(line)["event_id"] for line in (tmp_path / "out.ndjson").read_text().splitlines()]
    assert len(sound) == 2
    assert spoilt not in sound
    assert [json.loads(line)["event_id"] for line in kept.stdout.splitlines() if b'"fault"' in line] == [spoilt]
