"""How far replays are, in DynamoDB: all that the processor needs of a job."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import replay_keys
from chalicelib.aws.dynamodb import KEYS_A_GET, get_items, to_item
from chalicelib.aws.errors import translated
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Pause
from chalicelib.replays.job import JobState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class DynamoReplayStates:
    """The jobs in ReplaysTable."""

    dynamodb: DynamoDBClient
    replays_table: str
    pause: Pause

    def states(self, replay_ids: Collection[str]) -> Mapping[str, JobState]:
        """The states of those replays that there are, as they are now: a BatchGetItem for each hundred."""
        partitions = {replay_keys.replay(replay_id): replay_id for replay_id in replay_ids}
        found: dict[str, JobState] = {}
        with translated("reading the states of replays"):
            for some in chunked(list(partitions), KEYS_A_GET):
                wanted = [to_item({"PK": partition, "SK": replay_keys.JOB}) for partition in some]
                items = get_items(self.dynamodb, self.replays_table, wanted, self.pause, consistent=True)
                found |= {partitions[item["PK"]["S"]]: JobState(item["state"]["S"]) for item in items}
        return found
