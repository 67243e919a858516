"""The hourly function on moto: what it lists and signs, whatever call it dies at, and who else runs."""

from __future__ import annotations

import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto.kms import utils as kms_of_moto
from moto.s3 import notifications as notifications_of_moto

from chalicelib.aws import keys
from chalicelib.digests import sqs as digests_sqs
from chalicelib.digests.digest import Digest, parse_digest
from chalicelib.runtime import system
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application, Queue
from tests.functional.conftest import ROOT, Logs
from tests.functional.wire import (
    Effect,
    Killed,
    Wire,
    answer_lost,
    fails_with,
    killed_after,
    killed_before,
    never_arrives,
    preceded_by,
)

BUCKET = SETTINGS["RAW_BUCKET"]
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/retrace-test-digest"


@dataclass(frozen=True)
class Digests:
    """The function, its queue and what it has written."""

    application: Application
    key_arn: str
    queue: Queue = field(default_factory=lambda: Queue(QUEUE_URL))

    def ingested(self, number: int) -> str:
        """Take in one event; answers the key of its object."""
        event = {"source": "depot é+/1", "event_type": "step", "entity_id": "one", "payload": number}
        key: str = self.application.accept(event | {"event_time": "2025-11-28T10:00:00Z"})["s3_key"]
        return key

    def hour(self) -> None:
        """What the schedule does."""
        self.application.run_hourly("digest")

    def later(self) -> None:
        """Whatever is hidden is there again."""
        self.queue.a_minute_later()

    def written(self) -> dict[int, Digest]:
        """Every digest, by its sequence."""
        listed = clients.s3().list_objects_v2(Bucket=BUCKET, Prefix="digests/").get("Contents", [])
        found = {keys.sequence_of_digest(each["Key"]): self.content(each["Key"]) for each in listed}
        return {sequence: parse_digest(content) for sequence, content in found.items() if sequence is not None}

    def content(self, key: str) -> bytes:
        """An object."""
        return clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def listed(self) -> list[str]:
        """The keys that digests list, in their order."""
        return [each.s3_key for digest in self.written().values() for each in digest.objects]

    def waiting(self) -> int:
        """How many notifications there are, hidden ones included."""
        return sum(int(count) for count in self.queue.counted().values())


@pytest.fixture
def digests(application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digests]:
    """A stage with digests. moto's S3 and KMS do what AWS's do where they do not by themselves."""
    _tell_versions(monkeypatch)
    _sign_hashes(monkeypatch)
    monkeypatch.setattr(digests_sqs, "_RECEIVES_AT_ONCE", 1)  # fewer calls to die at
    key_arn = boto3.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    clients.sqs().create_queue(QueueName="retrace-test-digest")
    told: Any = [
        {
            "QueueArn": "arn:aws:sqs:eu-west-1:123456789012:retrace-test-digest",
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
        }
        for prefix in keys.LISTED
    ]
    clients.s3().put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": told}
    )
    monkeypatch.setenv("DIGEST_QUEUE_URL", QUEUE_URL)
    monkeypatch.setenv("DIGEST_KEY_ARN", key_arn)
    system.settings.cache_clear()
    system.kms.cache_clear()
    wire.attach(system.kms())
    yield Digests(application, key_arn)
    system.kms.cache_clear()


def _tell_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification of a bucket with versions says which: moto's do not."""
    event_of_moto: Any = notifications_of_moto._get_s3_event  # noqa: SLF001  # there is no other place

    def event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        made = event_of_moto(event_name, bucket, key, notification_id)
        made["Records"][0]["s3"]["object"]["versionId"] = key.version_id
        return made

    monkeypatch.setattr(notifications_of_moto, "_get_s3_event", event)


def _sign_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """MessageType DIGEST is signed as the hash that it is: moto hashes it once more."""

    def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:
        assert (len(message), signing_algorithm) == (32, "ECDSA_SHA_256")
        signature: bytes = self.private_key.sign(message, ec.ECDSA(Prehashed(SHA256())))
        return signature

    monkeypatch.setattr(kms_of_moto.ECDSAPrivateKey, "sign", sign)


def public_key(digests: Digests) -> bytes:
    """The public key, in DER."""
    return boto3.client("kms").get_public_key(KeyId=digests.key_arn)["PublicKey"]


def test_what_was_ingested_is_listed_with_its_hash_and_signed(digests: Digests) -> None:
    first, second = digests.ingested(1), digests.ingested(2)
    digests.hour()
    digests.hour()

    written = digests.written()
    assert [each.s3_key for each in written[1].objects] == sorted([first, second])
    assert [each.sha256 for each in written[1].objects] == [
        sha256(digests.content(key)).hexdigest() for key in sorted([first, second])
    ]
    assert (written[2].objects, written[2].head.drained) == ((), True)
    assert written[2].head.previous_sha256 == sha256(digests.content(keys.digest(1))).hexdigest()
    assert digests.waiting() == 0
    key = load_der_public_key(public_key(digests))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    for digest in written.values():
        key.verify(digest.signature, digest.signed_part, ec.ECDSA(SHA256()))


def test_what_was_refused_and_its_retry_are_listed_once_however_often_they_are_sent(digests: Digests) -> None:
    refused = [digests.application.ingest({"source": "depot"}).json_body["rejected_id"] for _ in range(2)]
    rejected_id = refused[0]
    digests.application.call("POST", f"/rejected/{rejected_id}/retry", {"Content-Type": "application/json"})
    digests.hour()

    event, retry = digests.written()[1].objects
    assert event.s3_key == keys.rejected_object(rejected_id)
    assert retry.s3_key.startswith(keys.retries(rejected_id))
    assert event.sha256 == sha256(digests.content(event.s3_key)).hexdigest()
    assert digests.waiting() == 0


def test_ingest_makes_no_call_for_digests(digests: Digests, wire: Wire) -> None:
    digests.ingested(0)
    wire.calls.clear()
    digests.ingested(1)

    assert wire.count() == {"BatchGetItem": 1, "PutObject": 1, "TransactWriteItems": 1}


def test_a_stage_without_digests_does_nothing_when_the_schedule_comes(application: Application, wire: Wire) -> None:
    Digests(application, "none").hour()

    assert wire.calls == []


@pytest.mark.parametrize("effect", [killed_before, killed_after])
def test_a_run_that_ends_between_any_two_calls_loses_nothing(digests: Digests, wire: Wire, effect: Effect) -> None:
    ingested, died_at = [], []
    digests.hour()
    for number in range(100):
        ingested.append(digests.ingested(number))
        wire.mend()
        wire.disturb(effect, skip=number)
        try:
            digests.hour()
        except Killed as killed:
            died_at.append(str(killed) if effect is killed_before else wire.calls[-1])
        else:
            break
        wire.mend()
        digests.later()
        digests.hour()
        assert set(digests.listed()) == set(ingested), died_at
        assert digests.waiting() == 0

    assert {"ReceiveMessage", "GetObject", "ListObjectsV2", "Sign", "PutObject", "DeleteMessageBatch"} <= set(died_at)
    assert len(clients.s3().list_object_versions(Bucket=BUCKET, Prefix="digests/")["Versions"]) == len(
        digests.written()
    )


@pytest.mark.parametrize("operation", ["ReceiveMessage", "GetObject", "Sign", "PutObject", "DeleteMessageBatch"])
@pytest.mark.parametrize("effect", [never_arrives, answer_lost])
def test_one_failed_call_is_made_again_and_the_digest_is_written_once(
    digests: Digests, wire: Wire, operation: str, effect: Effect
) -> None:
    key = digests.ingested(1)
    wire.disturb(effect, operation)
    digests.hour()
    digests.later()
    digests.hour()

    # Of a receive whose answer was lost the messages are hidden; they come with a later run.
    assert digests.listed() == [key]
    assert digests.waiting() == 0
    assert set(digests.written()) == {1, 2}


def test_of_two_runs_at_once_the_second_leaves_its_notifications_to_the_next(
    digests: Digests, wire: Wire, logs: Logs
) -> None:
    digests.hour()  # forgets the test message of S3
    first = digests.ingested(1)
    others: list[str] = []

    def another_runs() -> None:
        others.append(digests.ingested(2))
        digests.hour()

    wire.disturb(preceded_by(another_runs), "PutObject")
    digests.hour()

    assert digests.listed() == others
    assert not digests.written()[2].head.drained, "the other run had a notification in its hands"
    assert [line["write_conflict"] for line in logs.lines("digests written")] == [False, False, True]
    assert digests.waiting() == 1
    digests.later()
    digests.hour()
    assert digests.listed() == [*others, first]
    assert digests.waiting() == 0


def test_what_is_gone_is_listed_without_a_hash_also_where_s3_only_says_no(digests: Digests, wire: Wire) -> None:
    key = digests.ingested(1)
    [version] = clients.s3().list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    clients.s3().delete_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])
    wire.disturb(fails_with(403, "AccessDenied"), "GetObject")
    digests.hour()

    [listed] = digests.written()[1].objects
    assert (listed.s3_key, listed.version_id, listed.sha256) == (key, version["VersionId"], None)


def test_what_may_not_be_read_waits_and_is_logged(digests: Digests, wire: Wire, logs: Logs) -> None:
    wire.mend()
    key = digests.ingested(1)
    wire.disturb(fails_with(403, "AccessDenied"), "GetObject")
    digests.hour()

    assert digests.listed() == []
    assert digests.waiting() == 1
    assert "AccessDenied" in logs.lines("message failed")[0]["reason"]
    digests.later()
    digests.hour()
    assert digests.listed() == [key]


def test_the_newest_is_found_beyond_a_thousand_and_among_what_is_none(digests: Digests) -> None:
    for sequence in (1, 999, 1000):
        clients.s3().put_object(Bucket=BUCKET, Key=keys.digest(sequence), Body=b"%d" % sequence)
    for stray in ("digests/notes/1.ndjson", "digests/zzz", "digests/000000001/notes", "digests/000000002/9.ndjson"):
        clients.s3().put_object(Bucket=BUCKET, Key=stray, Body=b"")
    digests.hour()

    head = parse_digest(digests.content("digests/000000001/000000001001.ndjson")).head
    assert (head.sequence, head.previous_sha256) == (1001, sha256(b"1000").hexdigest())


def test_how_many_digests_and_objects_there_are_is_told(digests: Digests, capsys: pytest.CaptureFixture[str]) -> None:
    digests.ingested(1)
    capsys.readouterr()
    digests.hour()

    told = capsys.readouterr().out
    assert re.search(r'"DigestCount":\[1(\.0)?\]', told)
    assert re.search(r'"DigestObjectCount":\[1(\.0)?\]', told)
    assert '"DigestLagMs":[' in told


_AWS = """#!/bin/sh
case "$1 $2" in
"kms get-public-key") cat {directory}/public.txt ;;
"s3 sync") cp -r {directory}/copy digests ;;
*) exit 1 ;;
esac
"""


def test_a_digest_is_checked_by_hand_as_the_page_says(digests: Digests, tmp_path: Path) -> None:
    for number in range(2):
        digests.ingested(number)
        digests.hour()
    for sequence in digests.written():
        path = tmp_path / keys.digest(sequence).replace("digests/", "copy/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(digests.content(keys.digest(sequence)))
    (tmp_path / "public.txt").write_text(b64encode(public_key(digests)).decode() + "\n")
    (tmp_path / "aws").write_text(_AWS.format(directory=tmp_path))
    (tmp_path / "aws").chmod(0o700)
    [commands] = re.findall(
        r"```sh\n(aws kms get-public-key.*?)```", (ROOT / "docs/security.md").read_text(), re.DOTALL
    )

    def by_hand(directory: Path) -> subprocess.CompletedProcess[str]:
        directory.mkdir()
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "digest_key_arn": "a", "raw_bucket": "b"}
        return subprocess.run(  # noqa: S603  # our own page
            ["/bin/sh", "-ec", commands], cwd=directory, env=environment, capture_output=True, text=True, check=False
        )

    good = by_hand(tmp_path / "good")
    assert good.returncode == 0, good.stderr
    assert "Verified OK" in good.stdout
    [named] = re.findall(r'"previous_sha256":"(\w+)"', good.stdout)
    assert f"{named}  " in good.stdout

    edited = tmp_path / "copy/000000000/000000000002.ndjson"
    edited.write_bytes(edited.read_bytes().replace(b'"objects":1', b'"objects":2'))
    bad = by_hand(tmp_path / "bad")
    assert bad.returncode != 0
    assert "Verified OK" not in bad.stdout
