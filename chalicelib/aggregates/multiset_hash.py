"""A hash of a set that can be updated element by element, in any order: MuHash over a 3072-bit prime field.

Each element is expanded with SHAKE256 to a field element; the state is the product of all of them, so it depends on
neither order nor grouping. The digest is SHA-256 of the state. The construction is MuHash of Bellare and Micciancio,
"A New Paradigm for Collision-Free Hashing" (EUROCRYPT 1997), with the field that Bitcoin Core uses for its UTXO set.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256, shake_256

PRIME = 2**3072 - 1_103_717
_BITS, _LOW_BITS = 3_072, 2**3072 - 1
_LACKING = 2**3072 - PRIME
STATE_BYTES = 384
EMPTY = 1

_DOMAIN = b"retrace:inputs-hash\n"


def element(event_id: str, content_sha256: str) -> int:
    """The field element of one input of an aggregate."""
    expanded = shake_256(_DOMAIN + f"{event_id}\n{content_sha256}\n".encode()).digest(STATE_BYTES)
    # Zero would swallow every other element; it has no preimage anybody could find, yet the product must not allow it.
    return int.from_bytes(expanded, "little") % PRIME or 1


def combine(states: Iterable[int]) -> int:
    """The state of the union of disjoint sets."""
    product = EMPTY
    for state in states:
        product = _folded(_folded(product * state))  # of 6,144 bits some 3,093 are left, and of those 3,073
    return product % PRIME


def _folded(product: int) -> int:
    """A smaller number, the same modulo PRIME: there 2**3072 counts as much as the little that PRIME lacks of it.

    A division would take several times as long; there is one, at the end.
    """
    return (product >> _BITS) * _LACKING + (product & _LOW_BITS)


def to_bytes(state: int) -> bytes:
    """The state as it is stored: 384 bytes, little-endian."""
    return state.to_bytes(STATE_BYTES, "little")


def from_bytes(stored: bytes) -> int:
    """The state that `to_bytes` stored."""
    return int.from_bytes(stored, "little")


def digest(state: int) -> str:
    """What is shown to people: 64 hex digits that depend on the set alone."""
    return sha256(to_bytes(state)).hexdigest()
