"""Which keys have signed digests, and as what: one replaces another once and for good."""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.digests.digest import Digest
from retrace.checking.digest_key import PublicKeys


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
