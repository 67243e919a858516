"""Digests: every object is listed, once at least, whatever ends or interferes between any two AWS calls."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chalicelib import runtime
from chalicelib.domain.digest import Digest, parse_digest
from chalicelib.domain.timestamps import Instant, instant_of
from retrace.checking.digest_chain import DigestChain
from retrace.checking.digest_key import PublicKey
from retrace.checking.digest_source import BucketOfDigests
from retrace.checking.digest_verification import DigestVerification
from retrace.checking.listed import Listed
from retrace.checking.object_versions import VersionsInBucket
from retrace.checking.progress import Progress
from retrace.shown import Output
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application, Queue
from tests.functional.conftest import Logs
from tests.functional.events import paid
from tests.functional.wire import Killed, Wire, answer_lost, broken, killed_after, killed_before, preceded_by, throttled

BUCKET = SETTINGS["RAW_BUCKET"]
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/retrace-test-digest"
FIRST = "digests/000000000/000000000001.ndjson"
CALLS = ["ReceiveMessage", "GetObject", "ListObjectsV2", "Sign", "PutObject", "DeleteMessageBatch"]
DIGEST_QUEUE = Queue(QUEUE)


@dataclass
class Digests:
    """The function, S3's notifications to it, and what it wrote."""

    application: Application
    key: PublicKey
    queue: Queue = DIGEST_QUEUE
    _told: set[str] = field(default_factory=set)

    def write(self, number: int) -> str:
        """Take in an event, of which S3 tells nobody yet; answers the key of its object."""
        key: str = self.application.accept(paid(number, source=f"source {number}+é"))["s3_key"]
        return key

    def tell(self, *, times: int = 1, shuffled: int | None = None) -> None:
        """Notify of all raw objects that nobody was told of, as S3 does: at least once, in any order."""
        found = clients.s3().list_object_versions(Bucket=BUCKET, Prefix="raw/").get("Versions", [])
        new = [each for each in found if each["VersionId"] not in self._told] * times
        self._told |= {each["VersionId"] for each in new}
        if shuffled is not None:
            random.Random(shuffled).shuffle(new)
        for each in new:
            written_at = instant_of(each["LastModified"])
            self.queue.send(notification(each["Key"], each["VersionId"], each["Size"], written_at))

    def run(self) -> None:
        """An hour has passed."""
        self.application.run_hourly("digest")

    def crashed(self) -> None:
        """Run, and die where the wire says so; then an hour passes, and its messages are visible again."""
        with suppress(Killed):
            self.run()
        self.queue.a_minute_later()

    def kept(self) -> list[Digest]:
        """Every digest, in order."""
        found = clients.s3().list_objects_v2(Bucket=BUCKET, Prefix="digests/").get("Contents", [])
        return [parse_digest(clients.s3().get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()) for each in found]

    def listed(self) -> list[str]:
        """The keys that digests list, as often as they do."""
        return sorted(each.s3_key for digest in self.kept() for each in digest.objects)

    def differences(self) -> list[tuple[str, str | int | None]]:
        """What `retrace verify --digests` finds."""
        s3, progress = clients.s3(), Progress(Output(as_json=True, out=io.StringIO(), err=io.StringIO()), "Verifying")
        with closing(Listed()) as listed:
            chain = DigestChain(BucketOfDigests(s3, BUCKET), self.key, BUCKET, listed, progress)
            found = DigestVerification(chain, VersionsInBucket(s3, BUCKET), progress)
            differences = found.differences("raw/", runtime.now())
            return [(each.kind.value, each.s3_key or each.sequence) for each in differences]


def notification(key: str, version_id: str, size: int, written_at: Instant) -> str:
    """As S3 tells of a version, which moto leaves out.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    of_object = {"key": quote_plus(key), "size": size, "eTag": "", "versionId": version_id, "sequencer": "0"}
    s3 = {"s3SchemaVersion": "1.0", "bucket": {"name": BUCKET}, "object": of_object}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventTime": written_at, "s3": s3}]})


class KeyOfMoto(PublicKey):
    """moto hashes again what it is given as a hash (MessageType DIGEST); AWS and MiniStack sign it as it is.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
    """

    def signed(self, content: bytes, signature: bytes) -> bool:
        return super().signed(sha256(content).digest(), signature)


@pytest.fixture
def stage_with_digests(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A queue of notifications and a key; answers the key's ARN."""
    clients.sqs().create_queue(QueueName=QUEUE.rpartition("/")[2], Attributes={"VisibilityTimeout": "1200"})
    runtime.kms.cache_clear()
    wire.attach(runtime.kms())
    arn = clients.kms().create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    monkeypatch.setenv("DIGEST_QUEUE_URL", QUEUE)
    monkeypatch.setenv("DIGEST_KEY_ARN", arn)
    yield arn
    runtime.kms.cache_clear()


@pytest.fixture
def digests(stage_with_digests: str, application: Application) -> Digests:
    key = load_der_public_key(clients.kms().get_public_key(KeyId=stage_with_digests)["PublicKey"])
    assert isinstance(key, EllipticCurvePublicKey)
    return Digests(application, KeyOfMoto(key))


def test_what_was_written_is_listed_with_its_hash_and_signed(digests: Digests) -> None:
    keys = [digests.write(number) for number in range(3)]
    digests.tell()

    digests.run()

    [digest] = digests.kept()
    assert (digest.head.sequence, digest.head.previous_sha256, digest.head.drained) == (1, None, True)
    assert digests.listed() == sorted(keys)
    assert digests.queue.counted() == dict.fromkeys(digests.queue.counted(), "0")
    assert digests.differences() == []


def test_an_hour_in_which_nothing_was_written_has_a_digest_too(digests: Digests) -> None:
    digests.write(1)
    digests.tell()
    for _ in range(3):
        digests.run()

    assert [(each.head.sequence, each.head.objects) for each in digests.kept()] == [(1, 1), (2, 0), (3, 0)]
    assert [each.head.start_time for each in digests.kept()][1:] == [each.head.end_time for each in digests.kept()][:-1]
    assert digests.differences() == []


def test_the_test_message_of_s3_is_taken_off_the_queue_and_lists_nothing(digests: Digests) -> None:
    digests.queue.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}))

    digests.run()

    assert digests.listed() == []
    assert digests.queue.counted() == dict.fromkeys(digests.queue.counted(), "0")


def test_notifications_that_come_twice_and_in_any_order_list_each_object_once(digests: Digests) -> None:
    keys = [digests.write(number) for number in range(15)]
    digests.tell(times=3, shuffled=7)

    digests.run()

    assert digests.listed() == sorted(keys)
    assert digests.differences() == []


def test_a_notification_that_comes_again_after_its_digest_changes_nothing_of_what_is_found(digests: Digests) -> None:
    keys = [digests.write(number) for number in range(3)]
    digests.tell()
    digests.run()
    digests._told.clear()  # noqa: SLF001  # S3 tells of all of them once more
    digests.tell(shuffled=3)
    digests.run()

    assert digests.listed() == sorted(keys * 2)
    assert digests.differences() == []


@pytest.mark.parametrize("effect", [killed_before, killed_after])
@pytest.mark.parametrize("skip", range(10))
def test_a_run_that_ends_between_two_calls_leaves_nothing_unlisted(
    digests: Digests, wire: Wire, effect: Any, skip: int
) -> None:
    digests.run()
    keys = {digests.write(number) for number in range(2)}
    digests.tell()
    wire.mend()
    wire.disturb(effect, skip=skip)

    digests.crashed()
    struck = len(wire.calls) == skip + 1
    wire.mend()
    digests.run()

    assert struck, "the run has fewer calls than that"
    assert set(digests.listed()) == keys
    assert digests.differences() == []


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("effect", [throttled, broken, answer_lost])
def test_one_failed_call_is_retried_and_the_digest_is_one(
    digests: Digests, wire: Wire, operation: str, effect: Any
) -> None:
    key = digests.write(1)
    digests.tell()
    wire.disturb(effect, operation)

    digests.run()
    # Of a receive whose answer was lost, the message is hidden until later.
    digests.queue.a_minute_later()
    wire.mend()
    digests.run()

    assert set(digests.listed()) == {key}
    assert [each.head.sequence for each in digests.kept()] == [1, 2]
    assert digests.differences() == []


def test_of_two_runs_at_once_one_writes_and_nothing_is_unlisted(digests: Digests, wire: Wire) -> None:
    digests.run()
    ours = digests.write(1)
    digests.tell()
    theirs: list[str] = []

    def another_run() -> None:
        theirs.append(digests.write(2))
        digests.tell()
        digests.run()

    wire.disturb(preceded_by(another_run), "Sign")
    digests.run()

    assert digests.listed() == theirs
    digests.queue.a_minute_later()
    digests.run()
    assert digests.listed() == sorted([ours, *theirs])
    assert [each.head.sequence for each in digests.kept()] == [1, 2, 3]
    assert digests.differences() == []


def test_an_object_that_was_gone_before_its_digest_is_listed_as_gone(digests: Digests) -> None:
    key = digests.write(1)
    digests.tell()
    [version] = clients.s3().list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    clients.s3().delete_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])

    digests.run()

    assert digests.differences() == [("listed-missing", key)]


def test_an_object_that_cannot_be_read_holds_up_no_other_and_is_listed_later(
    digests: Digests, wire: Wire, logs: Logs
) -> None:
    keys = [digests.write(number) for number in range(3)]
    digests.tell()
    wire.disturb(broken, "GetObject", times=3)

    digests.run()
    assert len(digests.listed()) == 2
    assert len(logs.lines("message failed")) == 1
    digests.queue.a_minute_later()
    digests.run()

    assert digests.listed() == sorted(keys)
    assert digests.differences() == []


def test_what_is_no_notification_stays_on_the_queue_and_holds_up_nothing(digests: Digests) -> None:
    key = digests.write(1)
    digests.tell()
    for body in ("no JSON", "[]", '{"Records":[{}]}', json.dumps("s3:TestEvent")):
        digests.queue.send(body)

    digests.run()

    assert digests.listed() == [key]
    assert digests.queue.counted()["ApproximateNumberOfMessagesNotVisible"] == "4"


def test_a_second_digest_of_the_same_number_is_never_written_over_the_first(digests: Digests, wire: Wire) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key="raw/one", Body=b"1")
    digests.tell()
    wire.disturb(preceded_by(lambda: clients.s3().put_object(Bucket=BUCKET, Key=FIRST, Body=b"another's")), "PutObject")

    digests.run()

    assert clients.s3().get_object(Bucket=BUCKET, Key=FIRST)["Body"].read() == b"another's"
    assert digests.queue.counted()["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_without_digests_the_function_calls_nothing(application: Application, wire: Wire) -> None:
    application.run_hourly("digest")

    assert wire.calls == []


def test_a_key_that_may_not_be_used_writes_no_digest_and_forgets_no_notification(digests: Digests, wire: Wire) -> None:
    digests.write(1)
    digests.tell()
    wire.disturb(broken, "Sign", times=100)

    with pytest.raises(Exception, match="signing a digest"):
        digests.run()

    assert digests.kept() == []
    assert digests.queue.counted()["ApproximateNumberOfMessagesNotVisible"] == "1"


@pytest.mark.parametrize("seed", range(5))
def test_any_changed_byte_of_an_object_or_a_digest_is_found(digests: Digests, seed: int) -> None:
    chance = random.Random(seed)
    keys = [digests.write(number) for number in range(2)]
    digests.tell()
    digests.run()
    digests.run()
    key = chance.choice([*keys, FIRST, FIRST.replace("1.nd", "2.nd")])
    content = bytearray(clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read())
    content[chance.randrange(len(content))] ^= chance.randrange(1, 256)

    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=bytes(content))

    found = digests.differences()
    if key in keys:
        assert found == [("object-overwritten", key)]
    else:
        assert ("digest-changed", int(key[-8:-7])) in found
