"""Authentication of requests: IAM names the signer, or a webhook is signed with a known secret.

Webhooks follow https://www.standardwebhooks.com.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.errors import Fault, Unauthenticated
from chalicelib.core.timestamps import Instant, nanoseconds

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300
"""How far the clocks of sender and receiver may be apart; older requests may be recorded ones."""

_UNSIGNED = "The request is not signed. Sign it with AWS Signature Version 4, service execute-api."
_SCHEME = "StandardWebhooks"
"""RFC 9110, 15.5.2, wants a challenge; no scheme is registered for webhooks."""

_VERSION = "v1,"
_SECRET_PREFIX = "whsec_"  # noqa: S105  # what a secret begins with is none
_SHORTEST_KEY = 24
"""Bytes; https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md wants 24 to 64."""

_NO_SECRET = f"is not {_SECRET_PREFIX} and the base64 of at least {_SHORTEST_KEY} bytes"
_SECONDS = re.compile(r"[0-9]{1,12}")


class WebhookSecrets(Protocol):
    """What webhooks are signed with."""

    def current(self) -> Sequence[bytes]:
        """Every key that is good now."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as it came in: its headers by lower-case name, and its body to the byte."""

    headers: Mapping[str, str]
    body: bytes


def secret_of(text: str) -> bytes:
    """The key in a secret (`whsec_` and base64); raises ValueError if the secret is malformed."""
    try:
        key = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(_NO_SECRET) from error
    if not text.startswith(_SECRET_PREFIX) or len(key) < _SHORTEST_KEY:
        raise ValueError(_NO_SECRET)
    return key


def verify(webhook: Webhook, secrets: Iterable[bytes], now: Instant) -> None:
    """Raise Unauthenticated unless one of the secrets signed this request within the last or next five minutes.

    Several secrets hold while one replaces another, and several signatures may come for the same reason. Attributes in
    `ce-` headers are refused: no signature covers them, so a replayed request could have others.
    """
    said = {name: webhook.headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE)}
    missing = [name for name, value in said.items() if not value]
    if missing:
        raise _refused([Fault(name, "is missing") for name in missing])
    if not _is_recent(said[TIMESTAMP], now):
        message = f"must be seconds since 1970, at most {TOLERANCE_S} from the receiver's clock"
        raise _refused([Fault(TIMESTAMP, message)])
    unsigned = [name for name in webhook.headers if name.startswith("ce-")]
    if unsigned:
        message = "is not covered by the signature: send CloudEvents in structured mode"
        raise _refused([Fault(name, message) for name in sorted(unsigned)])
    signed = f"{said[ID]}.{said[TIMESTAMP]}.".encode(errors="replace") + webhook.body
    if not _any_matches(said[SIGNATURE].split(" "), signed, secrets):
        raise _refused([Fault(SIGNATURE, "matches none of the secrets, or the request was changed in transit")])


def signature(webhook_id: str, timestamp: str, body: bytes, secret: bytes) -> str:
    """What a sender puts into `webhook-signature`."""
    return _signature(f"{webhook_id}.{timestamp}.".encode() + body, secret)


def _signature(signed: bytes, secret: bytes) -> str:
    return _VERSION + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def _any_matches(given: Sequence[str], signed: bytes, secrets: Iterable[bytes]) -> bool:
    expected = [_signature(signed, secret).encode() for secret in secrets]
    # All are compared, each in constant time, so that no answer comes sooner for a signature that is nearly right.
    return any([hmac.compare_digest(one.encode(errors="replace"), right) for one in given for right in expected])  # noqa: C419


def _is_recent(timestamp: str, now: Instant) -> bool:
    if not _SECONDS.fullmatch(timestamp):
        return False
    return abs(int(timestamp) * 1_000_000_000 - nanoseconds(now)) <= TOLERANCE_S * 1_000_000_000


def _refused(faults: Sequence[Fault]) -> Unauthenticated:
    return Unauthenticated("The request does not carry a valid webhook signature.", faults, scheme=_SCHEME)


@dataclass(frozen=True)
class Authenticator:
    """Checks a request before anything else is read from it.

    In Lambda an API that asks for no signature, by mistake or while it is being changed, opens no route.
    """

    secrets: WebhookSecrets | None
    now: Callable[[], Instant]
    in_lambda: bool

    def authenticate(self, signer: str | None, webhook: Callable[[], Webhook] | None) -> None:
        """Raise Unauthenticated unless IAM knows the signer or, on a route that takes webhooks, a secret signed it."""
        if signer is not None:
            return
        if webhook is not None and self.secrets is not None:
            verify(webhook(), self.secrets.current(), self.now())
        elif self.in_lambda:
            raise Unauthenticated(_UNSIGNED, scheme="AWS4-HMAC-SHA256")
