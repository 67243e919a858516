"""The public keys that digests are checked with, from files or KMS, and the order in which they replace each other."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from chalicelib.digests.digest import Digest
from retrace.context import CommandContext
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.target import DIGEST_KEY

_PEM = b"-----BEGIN"
_MOST_BYTES = 65_536


class PublicKeys:
    """Public keys; they say with the private part of which of them bytes were signed."""

    def __init__(self, *keys: ec.EllipticCurvePublicKey) -> None:
        self._keys = keys

    def __len__(self) -> int:
        """How many there are."""
        return len(self._keys)

    def signer_of(self, content: bytes, signature: bytes) -> int | None:
        """Which of them a signature of these bytes is of; None if it is of none."""
        return next((at for at, key in enumerate(self._keys) if _signed(key, content, signature)), None)


def _signed(key: ec.EllipticCurvePublicKey, content: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, content, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def public_keys(call: CommandContext, output: Output, files: Sequence[Path]) -> PublicKeys:
    """The keys in files, or else that of KMS, with a remark: an attacker who controls KMS can replace it."""
    if files:
        return PublicKeys(*(_read(_content(file), str(file)) for file in files))
    arn = call.target.known(DIGEST_KEY)
    if arn is None:
        remedy = (
            "Give --public-key, or --stack if the stage has digests (the parameter EnableDigests: docs/operations.md)."
        )
        raise Problem("The key that signs digests is unknown.", remedy, Exit.UNREACHABLE)
    output.note(f"The public key is the one that KMS gives for {arn}; --public-key takes one that you have kept.")
    return PublicKeys(_read(call.target.client("kms").get_public_key(KeyId=arn)["PublicKey"], arn))


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            found = content.read(_MOST_BYTES + 1)  # a device may have no end
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error}", "Name the file of a public key.", Exit.USAGE) from error
    if len(found) > _MOST_BYTES:
        raise Problem(f"{file} is too large for a public key.", "Name the file of a public key.", Exit.USAGE)
    return found


def _read(content: bytes, where: str) -> ec.EllipticCurvePublicKey:
    """PEM, DER, or DER in Base64, as `aws kms get-public-key` prints it."""
    try:
        if content.lstrip().startswith(_PEM):
            key = load_pem_public_key(content)
        elif content[:1] == b"\x30":  # a SEQUENCE of ASN.1, which all keys in DER are
            key = load_der_public_key(content)
        else:
            key = load_der_public_key(b64decode(content))
    except (ValueError, TypeError) as error:
        remedy = "docs/cli.md says how to get it: aws kms get-public-key"
        raise Problem(f"{where} does not contain a public key.", remedy, Exit.USAGE) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Problem(f"The key in {where} is of another kind.", "Digests are signed with ECC_NIST_P256.", Exit.USAGE)
    return key


@dataclass
class Succession:
    """The keys of a chain, as its digests go by. Who has an old one cannot take it out again."""

    keys: PublicKeys
    _names: dict[int, str] = field(default_factory=dict)
    """As what each key has signed, in their order; the last is the one in use."""

    def next_signs(self, digest: Digest) -> str:
        """What is wrong with the signature or the key of the next digest; nothing, and it is one of them."""
        key, name = self.keys.signer_of(digest.signed_part, digest.signature), digest.head.key_arn
        if key is None:
            return "its signature is not good"
        if key not in self._names and name in self._names.values():
            return f"it is signed with another key than those before that named {name}"
        if self._names.setdefault(key, name) != name:
            return f"it is signed with the key {self._names[key]}, and names {name}"
        if key != list(self._names)[-1]:
            return "it is signed with a key that another had replaced"
        return ""

    @property
    def unused(self) -> list[int]:
        """Which keys have signed nothing."""
        return [key for key in range(len(self.keys)) if key not in self._names]
