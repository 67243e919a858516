"""Write digests: what was written since the last one, hashed, listed, and signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from chalicelib.core.errors import InvalidRequest, RetraceError
from chalicelib.core.ports import Clock, Concurrently, Delivery
from chalicelib.core.timestamps import Instant, lag_ms
from chalicelib.digests.digest import (
    MAX_OBJECTS,
    Head,
    KeptDigest,
    Notice,
    Origin,
    WrittenObject,
    next_head,
    parse_notification,
    signed_part,
    with_signature,
)


class Notifications(Protocol):
    """What S3 has told of objects that were written, and no digest lists yet."""

    def receive(self) -> list[Delivery]:
        """Some notifications, hidden from others for longer than a run may last; none only if there are none."""

    def hidden(self) -> int:
        """How many notifications are hidden: those that this run received, and those of others or of runs that died."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget notifications for good."""


class WrittenObjects(Protocol):
    """The raw and refused objects that digests list."""

    @property
    def bucket(self) -> str:
        """Where they are."""

    def hashed(self, notice: Notice) -> WrittenObject:
        """A version with the hash of its bytes, or without one if it is gone."""


class DigestStore(Protocol):
    """The digests there are."""

    def newest(self) -> KeptDigest | None:
        """The last one; None if there is none yet."""

    def keep(self, digest: KeptDigest) -> bool:
        """Whether this wrote it; False if another has its sequence."""


class Signer(Protocol):
    """The key that digests are signed with. It leaves its keeper never."""

    @property
    def key_arn(self) -> str:
        """Its name."""

    def sign(self, sha256: bytes) -> bytes:
        """The signature of a hash."""


_RESERVE_MS = 120_000
"""Left over of a run's time, to sign and keep a digest and forget what it lists."""


@dataclass(frozen=True, slots=True)
class DigestReport:
    """What a run wrote: the digests' heads, how long the oldest object waited, and what could not be listed and why."""

    heads: tuple[Head, ...]
    longest_lag_ms: int | None
    failures: dict[str, RetraceError]
    write_conflict: bool


@dataclass
class _Gathered:
    """The objects to list, by key and version, and their notifications."""

    objects: dict[tuple[str, str], WrittenObject] = field(default_factory=dict)
    listed: list[Delivery] = field(default_factory=list)
    failures: dict[str, RetraceError] = field(default_factory=dict)
    complete: bool = False
    """Whether nothing was left to receive of what was written before the run began."""
    drained: bool = False
    """Whether no other run had any notification either."""

    @property
    def received(self) -> int:
        """How many notifications that is."""
        return len(self.listed) + len(self.failures)


@dataclass(frozen=True)
class WriteDigests:
    """The use case that runs every hour."""

    notifications: Notifications
    objects: WrittenObjects
    digests: DigestStore
    signer: Signer
    now: Clock
    concurrently: Concurrently

    def write(self, time_left_ms: Callable[[], int]) -> DigestReport:
        """Write digests until nothing is left to list or the time is used up; one even if there is nothing at all.

        What is written while the run goes on may wait for the next: where something always is, it would never end.
        Notifications are forgotten only after the digest that lists them is there, so whatever ends in between leaves
        some that are listed once more. Of two runs at once the second finds its sequence taken; its notifications
        come again.
        """
        began, received = self.now(), 0
        heads: list[Head] = []
        failures: dict[str, RetraceError] = {}
        lags: list[int] = []
        while True:
            gathered = self._gather(time_left_ms, began, received)
            received += gathered.received
            failures |= gathered.failures
            head = self._write(gathered)
            if head is not None:
                heads.append(head)
                lags += [lag_ms(each.written_at, head.end_time) for each in gathered.objects.values()]
            if head is None or gathered.complete or time_left_ms() <= _RESERVE_MS:
                return DigestReport(tuple(heads), max(lags, default=None), failures, write_conflict=head is None)

    def _gather(self, time_left_ms: Callable[[], int], began: Instant, received: int) -> _Gathered:
        """Receive notifications and hash the objects that they name. The run has received some before."""
        gathered = _Gathered()
        while len(gathered.objects) < MAX_OBJECTS and time_left_ms() > _RESERVE_MS:
            told = self._take_in(self.notifications.receive(), gathered)
            if all(notices and min(each.written_at for each in notices) >= began for notices in told):
                gathered.complete = True
                # SQS may count for a minute yet what this run has received and forgotten:
                # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
                gathered.drained = self.notifications.hidden() <= received + gathered.received
                break
        return gathered

    def _take_in(self, deliveries: Sequence[Delivery], gathered: _Gathered) -> list[list[Notice]]:
        """The objects that each names. An unreadable one names none, keeps its notification, and delays no other."""
        told: dict[str, list[Notice]] = {each.message_id: [] for each in deliveries}
        for delivery in deliveries:
            try:
                told[delivery.message_id] = parse_notification(delivery.body, self.objects.bucket)
            except InvalidRequest as error:
                gathered.failures[delivery.message_id] = error
        self._hash([(e, told[e.message_id]) for e in deliveries if e.message_id not in gathered.failures], gathered)
        return list(told.values())

    def _hash(self, told: Sequence[tuple[Delivery, list[Notice]]], gathered: _Gathered) -> None:
        """Hash the objects of notifications. A notification with an unreadable object is kept, and delays no other."""
        new = {(each.s3_key, each.version_id): each for _, notices in told for each in notices}
        todo = [notice for name, notice in new.items() if name not in gathered.objects]
        unread: dict[tuple[str, str], RetraceError] = {}
        for notice, found in zip(todo, self.concurrently(self._hashed, todo), strict=True):
            if isinstance(found, WrittenObject):
                gathered.objects[notice.s3_key, notice.version_id] = found
            else:
                unread[notice.s3_key, notice.version_id] = found
        for delivery, notices in told:
            errors = [unread[name] for each in notices if (name := (each.s3_key, each.version_id)) in unread]
            if errors:
                gathered.failures[delivery.message_id] = errors[0]
            else:
                gathered.listed.append(delivery)

    def _hashed(self, notice: Notice) -> WrittenObject | RetraceError:
        try:
            return self.objects.hashed(notice)
        except RetraceError as error:
            return error

    def _write(self, gathered: _Gathered) -> Head | None:
        """Sign and keep a digest, then forget what it lists; None if another run was first."""
        objects = list(gathered.objects.values())
        head = next_head(
            self.digests.newest(),
            self.now(),
            Origin(self.objects.bucket, self.signer.key_arn),
            drained=gathered.drained,
            objects=len(objects),
        )
        part = signed_part(head, objects)
        signature = self.signer.sign(sha256(part).digest())
        if not self.digests.keep(KeptDigest(head.sequence, with_signature(part, signature, head.key_arn))):
            return None
        self.notifications.acknowledge(gathered.listed)
        return head
