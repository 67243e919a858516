"""The secrets of webhooks in Secrets Manager, remembered for a minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.core.errors import StorageRefused
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.ingest.authentication import secret_of

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_REMEMBERED_NS = 60 * 1_000_000_000
"""A secret that was replaced holds for so long in functions that run: time to send with both."""


@dataclass
class StoredWebhookSecrets:
    """A secret whose text is one key (`whsec_…`), or several, white space between them, while one replaces another."""

    secretsmanager: SecretsManagerClient
    secret_arn: str
    now: Callable[[], Instant]
    _known: tuple[Sequence[bytes], int] | None = field(default=None, init=False)

    def current(self) -> Sequence[bytes]:
        """Every valid key; raises StorageRefused if the secret is malformed."""
        now = nanoseconds(self.now())
        if self._known is None or now - self._known[1] >= _REMEMBERED_NS:
            self._known = (self._read(), now)
        return self._known[0]

    def _read(self) -> Sequence[bytes]:
        with translated("reading the webhook secret"):
            text = self.secretsmanager.get_secret_value(SecretId=self.secret_arn).get("SecretString", "")
        try:
            keys = [secret_of(each) for each in text.split()]
        except ValueError as error:
            raise StorageRefused(f"The webhook secret {error}.") from error
        if not keys:
            raise StorageRefused("The webhook secret is empty.")
        return keys
