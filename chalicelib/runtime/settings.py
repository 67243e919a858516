"""Settings, read once from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.core.errors import NotConfigured
from chalicelib.runtime.event_sources import FEWEST_AT_ONCE, MOST_AT_ONCE, PROCESSORS

_SECONDS_A_DAY = 86_400
_MAY_BE_EMPTY = frozenset({"digest_queue_url", "digest_key_arn", "webhook_secret_arn"})


class Settings(BaseModel):
    """What a deployment decides; each field is the environment variable of the same name in capitals.

    Functions are given only the names they need; one that is empty all the same never reaches AWS.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    raw_bucket: str = Field("", description="Bucket of raw objects and quarantine.")
    events_table: str = Field("", description="Index of events and later arrivals.")
    dedupe_table: str = Field("", description="Identity of events.")
    replays_table: str = Field("", description="Replay jobs and progress.")
    aggregates_table: str = Field("", description="Versions of daily aggregates and their inputs.")
    replay_queue_url: str = Field("", description="The queue of the processor.")
    destinations: str = Field("", description="Where replays may send, by name: ARNs, as JSON.")
    replay_jobs_queue_url: str = Field("", description="Where planners are called from.")
    replay_jobs_dead_letter_queue_url: str = Field("", description="The dead-letter queue of planners' tasks.")
    replay_failures_queue_url: str = Field("", description="Where messages go that were received too often.")
    dead_letter_queue_url: str = Field("", description="Where messages rest that could not be processed.")
    digest_queue_url: str = Field(
        "", description="The queue that S3 notifies of objects; without it, no digests are written."
    )
    digest_key_arn: str = Field("", description="KMS key that digests are signed with.")
    webhook_secret_arn: str = Field(
        "", description="Secret that POST /ingest wants webhook signatures of; without one, API Gateway checks IAM."
    )
    type_day_shards: int = Field(
        4, ge=1, le=64, description="Shards of the indexes by type and of late arrivals; may only grow."
    )
    type_day_shards_read: int = Field(
        0, ge=0, le=64, description="Shards that are read at least, so that readers come before ingest when it grows."
    )
    index_lag_seconds: int = Field(
        5, ge=0, le=900, description="Seconds after which the index by type shows every event that was acknowledged."
    )
    late_after_seconds: int = Field(3_600, ge=0, description="From which lag on an event is listed as late.")
    dedupe_ttl_days: int = Field(0, ge=0, description="Days until an identity expires; 0 keeps it for ever.")
    concurrency: int = Field(16, ge=1, le=64, description="AWS calls that a function makes at once.")
    report_batch_item_failures: bool = Field(
        False, description="Whether the event source mapping takes partial batch responses."
    )
    processor_concurrency: int = Field(
        PROCESSORS, ge=FEWEST_AT_ONCE, le=MOST_AT_ONCE, description="Processors that run at once."
    )
    confirm_above: int = Field(100_000, ge=0, description="Events above which a replay must be confirmed.")
    max_in_flight: int = Field(10_000, ge=1, description="Messages sent to a destination and not settled, at most.")

    @property
    def shards_read(self) -> int:
        """How many shards are read: those that are written to, and those that will be."""
        return max(self.type_day_shards, self.type_day_shards_read)

    @property
    def dedupe_ttl_s(self) -> int | None:
        """Seconds until an identity expires; None where it never does."""
        return self.dedupe_ttl_days * _SECONDS_A_DAY or None

    @property
    def missing(self) -> list[str]:
        """The environment variables of names that are empty, except the optional ones."""
        names = [name for name, field in type(self).model_fields.items() if field.default == ""]
        return [name.upper() for name in names if name not in _MAY_BE_EMPTY and not getattr(self, name)]

    def named(self, field: str) -> str:
        """A name of something in AWS; raises NotConfigured if it is empty, with all that are missing."""
        name: str = getattr(self, field)
        if not name:
            raise NotConfigured([field.upper(), *self.missing])
        return name


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Settings of an environment; raises pydantic's ValidationError, which names the variable."""
    names = {name.upper(): name for name in Settings.model_fields}
    return Settings.model_validate({names[key]: value for key, value in environment.items() if key in names})
