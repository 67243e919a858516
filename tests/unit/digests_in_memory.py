"""A bucket of versions, its notifications and its digests, in memory; runs may be killed, or meet another."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from chalicelib.aws import keys
from chalicelib.core.errors import StorageRefused
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.digests.digest import KeptDigest, Notice, WrittenObject
from chalicelib.digests.writer import DigestReport, WriteDigests
from retrace.checking.differences import Difference
from retrace.checking.digest_chain import DigestChain, Listed
from retrace.checking.digest_keys import PublicKeys, Succession
from retrace.checking.digest_sources import PresentVersion
from retrace.checking.digest_verification import DigestVerification
from retrace.output import Output
from retrace.progress import Counting

BUCKET = "raw-bucket"
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/1"
BEGINNING = Instant("2026-11-21T00:00:00.000000000Z")
HOUR = 3_600_000_000_000
PLENTY_MS = 600_000


class Killed(BaseException):
    """The function's process ends. Nobody can catch it."""


@lru_cache(maxsize=1)
def signing_key() -> ec.EllipticCurvePrivateKey:
    """The key of these tests."""
    # Derived from a number, so that a failing example fails again.
    return ec.derive_private_key(0x5EED, ec.SECP256R1())


@lru_cache(maxsize=1)
def former_key() -> ec.EllipticCurvePrivateKey:
    """Another that is good, too: the one that was used before."""
    return ec.derive_private_key(0xF0123, ec.SECP256R1())


@dataclass
class Version:
    """A version of an object, or a delete marker."""

    version_id: str
    body: bytes
    modified: Instant
    is_marker: bool = False


@dataclass
class World:
    """All that digests are about: it is each of their ports, and what the verification reads."""

    now: Instant = BEGINNING
    objects: dict[str, list[Version]] = field(default_factory=dict)
    kept: dict[int, bytes] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    in_flight: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    receives_at_once: int = 3
    killed_at: int | None = None
    """At which step a run is killed: just before a call if it is even, else just after."""
    before_keeping: Callable[[], None] = lambda: None
    bucket: str = BUCKET
    key_arn: str = KEY_ARN
    keeps_versions: bool = True
    signs_with: ec.EllipticCurvePrivateKey = field(default_factory=signing_key)

    # What happens

    def put(self, key: str, body: bytes, *, told: bool = True) -> str:
        """Write an object, or a version over one; S3 tells of it."""
        version_id = f"v{sum(map(len, self.objects.values()))}"
        self.objects.setdefault(key, []).append(Version(version_id, body, self.now))
        if told:
            self.tell(key, version_id)
        return version_id

    def hide(self, key: str) -> None:
        """Put a delete marker over an object."""
        marker = Version(f"v{sum(map(len, self.objects.values()))}", b"", self.now, is_marker=True)
        self.objects[key].append(marker)

    def tell(self, key: str, version_id: str) -> None:
        """A notification, which may come more than once."""
        [version] = [each for each in self.objects[key] if each.version_id == version_id]
        told = {"key": quote_plus(key), "size": len(version.body), "versionId": version_id}
        record = {"eventTime": version.modified, "s3": {"bucket": {"name": BUCKET}, "object": told}}
        self.waiting[f"m{len(self.waiting)}-{len(self.in_flight)}-{key}-{version_id}"] = json.dumps(
            {"Records": [record]}
        )

    def pass_time(self, nanoseconds: int = HOUR) -> None:
        """The clock goes on; notifications of a run that died are there again after an hour."""
        self.now = shifted(self.now, nanoseconds)
        if nanoseconds >= HOUR:
            self.in_flight.clear()

    def run(self, time_left_ms: Callable[[], int] = lambda: PLENTY_MS) -> DigestReport:
        """A run of the function."""
        digests = WriteDigests(self, self, self, self, lambda: self.now, lambda f, items: [f(each) for each in items])
        return digests.write(time_left_ms)

    def hour(self) -> DigestReport:
        """An hour, and the run at its end."""
        self.pass_time()
        return self.run()

    # The ports of WriteDigests

    def _step(self) -> None:
        if self.killed_at is not None:
            self.killed_at -= 1
            if self.killed_at < 0:
                self.killed_at = None
                raise Killed

    def receive(self) -> list[Delivery]:
        self._step()
        visible = [each for each in self.waiting if each not in self.in_flight][: self.receives_at_once]
        self.in_flight |= set(visible)
        self._step()
        return [Delivery(message_id, f"receipt of {message_id}", self.waiting[message_id]) for message_id in visible]

    def hidden(self) -> int:
        self._step()
        return len(self.in_flight & self.waiting.keys())

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:  # ten at a time on AWS: a run may be killed between any two of them
            self._step()
            self.waiting.pop(delivery.message_id, None)
        self._step()

    def hashed(self, notice: Notice) -> WrittenObject:
        self._step()
        if notice.s3_key in self.unreadable:
            raise StorageRefused("AWS refused a call while hashing an object (AccessDenied).")
        digest = self.sha256(notice.s3_key, notice.version_id)
        return WrittenObject(notice.s3_key, notice.version_id, notice.size, digest, notice.written_at)

    def newest(self) -> KeptDigest | None:
        self._step()
        return KeptDigest(max(self.kept), self.kept[max(self.kept)]) if self.kept else None

    def keep(self, digest: KeptDigest) -> bool:
        self.before_keeping()
        self._step()
        if digest.sequence in self.kept:
            return self.kept[digest.sequence] == digest.content
        self.kept[digest.sequence] = digest.content
        self._step()
        return True

    def sign(self, sha256: bytes) -> bytes:
        self._step()
        return self.signs_with.sign(sha256, ec.ECDSA(Prehashed(SHA256())))

    # What the verification reads

    def digests(self) -> Iterator[KeptDigest]:
        return (KeptDigest(sequence, self.kept[sequence]) for sequence in sorted(self.kept))

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[PresentVersion]]]:
        for key in sorted(self.objects, key=str.encode):
            versions = self.objects[key]
            if key.startswith(prefix) and versions:
                yield (
                    key,
                    [
                        # S3 lists times in whole seconds.
                        PresentVersion(
                            key,
                            each.version_id,
                            Instant(f"{each.modified[:19]}.000000000Z"),
                            each is versions[-1],
                            each.is_marker,
                        )
                        for each in reversed(versions)
                    ],
                )

    def sha256(self, s3_key: str, version_id: str) -> str | None:
        bodies = [each.body for each in self.objects.get(s3_key, []) if each.version_id == version_id]
        return sha256(bodies[0]).hexdigest() if bodies else None


def differences(world: World, prefixes: Sequence[str] = keys.LISTED, now: Instant | None = None) -> list[Difference]:
    """What a verification finds."""
    return verified(world, prefixes, now)[0]


def verified(
    world: World, prefixes: Sequence[str] = keys.LISTED, now: Instant | None = None
) -> tuple[list[Difference], dict[str, int]]:
    """What a verification finds, and what it counts."""
    progress, listed = Counting(Output().notes, "Verifying"), Listed()
    signers = Succession(PublicKeys(former_key().public_key(), signing_key().public_key()))
    chain = DigestChain(world, signers, BUCKET, listed, progress)
    found = list(DigestVerification(chain, world, progress).differences(prefixes, now or world.now))
    listed.close()
    return found, dict(progress.counts)


def lines_of(content: bytes) -> list[dict[str, object]]:
    """A digest, line by line."""
    return [json.loads(line) for line in content.splitlines()]


def signature_of(content: bytes) -> bytes:
    """The signature of a digest, in DER."""
    return b64decode(str(lines_of(content)[-1]["signature"]))
