"""What digests need of the outside, in domain terms; adapters provide it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chalicelib.core.ports import Delivery
from chalicelib.digests.digest import KeptDigest, WrittenObject
from chalicelib.digests.notifications import Notice


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
