"""The key in KMS that digests are signed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.digests.digest import ALGORITHM

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@dataclass(frozen=True)
class KmsSigner:
    """A key of the kind ECC_NIST_P256. KMS never gives its private part away."""

    kms: KMSClient
    key_arn: str

    def sign(self, sha256: bytes) -> bytes:
        """The signature of a hash: ECDSA, in DER."""
        with translated("signing a digest"):
            answer = self.kms.sign(KeyId=self.key_arn, Message=sha256, MessageType="DIGEST", SigningAlgorithm=ALGORITHM)
        return answer["Signature"]
