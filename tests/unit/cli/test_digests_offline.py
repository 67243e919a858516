"""`retrace check verify --digests` on a copy, with neither AWS nor network."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.aws import keys
from chalicelib.core.timestamps import instant_of, nanoseconds, shifted
from retrace.command_line import run
from retrace.problem import Exit
from tests.unit.digests_in_memory import HOUR, World, former_key, signing_key


@dataclass
class Copy:
    """A directory with digests that end now, perhaps with raw objects, and how the command ends on it."""

    world: World
    directory: Path
    captured: pytest.CaptureFixture[str]

    def path(self, key: str) -> Path:
        """The file of an object."""
        path = self.directory / "copy" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def take(self, *, raw: bool) -> None:
        """What `aws s3 sync` makes of the bucket."""
        for sequence, content in self.world.kept.items():
            self.path(keys.digest(sequence)).write_bytes(content)
        for key, versions in self.world.objects.items() if raw else ():
            self.path(key).write_bytes(versions[-1].body)
            written = nanoseconds(versions[-1].modified)
            os.utime(self.path(key), ns=(written, written))

    def verify(self, *options: str, directory: str = "copy") -> tuple[int, list[tuple[str, str | int]], str]:
        """How the command ends, what it finds, and its remarks."""
        of_verify = ["--digests", "--public-key", "key.pem", "--directory", directory]
        before = [each for each in options if each.startswith("--url")]
        code = run([*before, "check", "verify", *of_verify, *(each for each in options if each not in before)])
        out, err = self.captured.readouterr()
        found = [json.loads(line) for line in out.splitlines()]
        return code, [(each["difference"], each.get("s3_key") or each["sequence"]) for each in found], err


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Copy:
    """Six hours of a stage, on a machine that knows nothing of any and reaches nothing."""

    def no_network(*_: object) -> NoReturn:
        raise AssertionError("somebody is called")

    for name in [name for name in os.environ if name.startswith(("AWS_", "RETRACE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.pem").write_bytes(_public(signing_key()))
    (tmp_path / "former.pem").write_bytes(_public(former_key()))
    world = World(now=shifted(instant_of(datetime.now(UTC)), -6 * HOUR))
    for hour in range(6):
        world.put(f"raw/source=a%2Fb/{hour}", b"object %d\n" % hour)
        world.hour()
    return Copy(world, tmp_path, capsys)


def _public(key: object) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return public


def test_a_copy_of_digests_is_verified_and_that_no_object_is_looked_at_is_said(copy: Copy) -> None:
    copy.take(raw=False)

    code, found, said = copy.verify()

    assert (code, found) == (Exit.DONE, []), said
    assert "Objects are not checked: No deployment is chosen." in said
    assert "Verified: 6 digests." in said


def test_what_is_wrong_with_a_copied_chain_is_found(copy: Copy) -> None:
    copy.take(raw=False)
    copy.path(keys.digest(2)).unlink()
    edited = copy.path(keys.digest(4))
    edited.write_bytes(edited.read_bytes().replace(b'"size":9', b'"size":8'))

    code, found, said = copy.verify()

    assert (code, found) == (Exit.DIFFERENT, [("digest-missing", 2), ("digest-changed", 4)]), said


def test_a_digest_of_another_bucket_has_no_place_in_a_copy(copy: Copy) -> None:
    copy.world.bucket = "another"
    copy.world.hour()
    copy.take(raw=False)

    assert copy.verify()[1] == [("digest-changed", 7)]


def test_copied_objects_are_held_against_copied_digests(copy: Copy) -> None:
    copy.take(raw=True)

    code, found, said = copy.verify()

    assert (code, found) == (Exit.DONE, []), said
    assert "Verified: 6 digests, 6 object versions." in said


def test_what_is_wrong_with_copied_objects_is_found(copy: Copy) -> None:
    copy.world.put("raw/source=a%2Fb/5", b"over the first\n")
    copy.world.objects["raw/unseen"] = copy.world.objects["raw/source=a%2Fb/1"]
    copy.world.put("raw/young", b"x", told=False)
    copy.world.hour()
    copy.take(raw=True)
    copy.path("raw/source=a%2Fb/1").write_bytes(b"object 9\n")
    copy.path("raw/source=a%2Fb/2").unlink()

    code, found, said = copy.verify()

    assert (code, found) == (
        Exit.DIFFERENT,
        [
            ("listed-changed", "raw/source=a%2Fb/1"),
            ("listed-missing", "raw/source=a%2Fb/2"),
            ("object-overwritten", "raw/source=a%2Fb/5"),
            ("object-unlisted", "raw/unseen"),
        ],
    ), said
    assert "1 waiting for the next digest" in said

    assert copy.verify("--prefix", "raw/u")[1] == [("object-unlisted", "raw/unseen")]


def test_the_quarantine_of_a_copy_is_held_against_copied_digests(copy: Copy) -> None:
    refused = [f"rejected/ingest_date=2026-11-21/{name}.json" for name in ("0a", "0b", "0c")]
    for key in refused:
        copy.world.put(key, b"{}")
    copy.world.objects["rejected/unseen"] = copy.world.objects["raw/source=a%2Fb/1"]
    copy.world.hour()
    copy.take(raw=True)
    copy.path(refused[0]).write_bytes(b"[]")
    copy.path(refused[1]).unlink()

    in_quarantine = [
        ("listed-changed", refused[0]),
        ("listed-missing", refused[1]),
        ("object-unlisted", "rejected/unseen"),
    ]
    assert copy.verify()[1] == in_quarantine
    assert copy.verify("--prefix", "rejected/")[1] == in_quarantine
    assert copy.verify("--prefix", "raw/")[1] == []


def test_a_prefix_below_which_digests_list_nothing_is_refused(copy: Copy) -> None:
    code, found, said = copy.verify("--prefix", "digests/")

    assert (code, found) == (Exit.USAGE, [])
    assert "digests list only objects below raw/ and rejected/" in " ".join(said.split())


def test_who_names_a_target_has_it_asked(copy: Copy) -> None:
    copy.take(raw=False)

    code, _, said = copy.verify("--url=https://a.example/api")

    assert code == Exit.UNREACHABLE
    assert "no AWS credentials" in said


def test_a_directory_that_is_not_there_is_told(copy: Copy) -> None:
    code, found, said = copy.verify(directory="absent")

    assert (code, found) == (Exit.USAGE, [])
    assert "absent is not a directory." in said


def test_a_directory_without_digests_is_told(copy: Copy) -> None:
    code, found, said = copy.verify(directory=".")

    assert (code, found) == (Exit.NOT_FOUND, [])
    assert "There are no digests" in said
    assert "digests/ of the bucket" in said
    assert "removed" not in said


def test_a_key_that_signed_nothing_is_told(copy: Copy) -> None:
    copy.take(raw=False)

    code, _, said = copy.verify("--public-key", "former.pem")

    assert code == Exit.DONE
    assert "No digest is signed with the key in former.pem." in said
