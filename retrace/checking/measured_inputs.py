"""What events contribute to the metrics that a replay pins, computed again from their raw lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import sleep
from typing import TYPE_CHECKING

from chalicelib.aggregates.aggregate import Definitions, Version, definitions_in
from chalicelib.aggregates.inputs import Input, InputKey
from chalicelib.aws import replay_keys
from chalicelib.aws.dynamodb import get_items, to_item
from chalicelib.core.errors import IntegrityFailure
from chalicelib.events.raw_objects import parse_line, verified_with_json
from chalicelib.metrics.contribution import Contributed, NothingToContribute, contributions, measured
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.dynamodb_definitions import DynamoDefinitions
from chalicelib.replays.dynamodb_jobs import DynamoReplayStore
from retrace.checking.stores import RawBucket, Row
from retrace.checking.versions import contributed_of, key_of_input

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_OBJECTS_KEPT = 32


@dataclass
class PinnedMetrics:
    """The definitions that replays pin, by the hashes in their jobs: each is checked against its hash.

    `replays_table` is asked for its name, which must be known if a version shows that its replay pins metrics.
    """

    dynamodb: DynamoDBClient
    replays_table: Callable[[bool], str | None]
    _known: dict[str, tuple[Definition, ...]] = field(default_factory=dict)

    def of(self, version: Version, *, shows_some: bool) -> Definitions:
        """The definitions of a version. Raises NotFound if one that its replay pins is lost."""
        replay_id = version.replay_id
        if version.of_job and replay_id not in self._known:
            table = self.replays_table(shows_some)
            self._known[replay_id] = () if table is None else self._pinned(table, replay_id)
        return definitions_in(version.calendar, self._known.get(replay_id, ()))

    def calendars(self, replay_id: str) -> list[str]:
        """The calendars that a replay whose definitions are known has versions of."""
        return list(dict.fromkeys(each.time_zone for each in self._known.get(replay_id, ())))

    def processed(self, replay_id: str) -> int | None:
        """How many messages a replay has processed."""
        store = DynamoReplayStore(self.dynamodb, self.replays_table(True) or "", sleep)  # a callback
        job = store.get(replay_id)
        return None if job is None else job.processed

    def _pinned(self, table: str, replay_id: str) -> tuple[Definition, ...]:
        key = to_item({"PK": replay_keys.replay(replay_id), "SK": replay_keys.JOB})
        items = get_items(self.dynamodb, table, [key], sleep, consistent=True)
        hashes = [str(each["S"]) for item in items for each in item.get("metrics", {"L": []})["L"]]
        return tuple(DynamoDefinitions(self.dynamodb, table, sleep).by_hash(hashes)) if hashes else ()


class MeasuredInputs:
    """Inputs with what their raw lines contribute."""

    def __init__(self, bucket: RawBucket) -> None:
        self._content = lru_cache(maxsize=_OBJECTS_KEPT)(bucket.content)

    def measured(
        self, known: dict[InputKey, Input], rows: Iterable[Row], entries: Iterable[Row], definitions: Definitions
    ) -> dict[InputKey, Input]:
        """The same inputs. One whose line is damaged, which is told elsewhere, is believed what its row says."""
        own = [each for each in definitions if not each.counts_every_event]
        if not own:
            return known
        places = {key_of_input(row): row for row in rows}
        found = dict(known)
        for entry in entries:
            key = key_of_input(entry)
            if key in known and key in places:
                contributed = self._contributed(places[key], own)
                believed = contributed_of(entry, definitions) if contributed is None else contributed
                found[key] = replace(known[key], contributed=believed)
        return found

    def _contributed(self, row: Row, own: Iterable[Definition]) -> dict[str, Contributed] | None:
        try:
            content = self._content(str(row.get("s3_key"))) or b""
            line = parse_line(content[row["s3_offset"] :][: row["s3_length"]])
            event, json = verified_with_json(line)
            return contributions(own, measured(event.event_id, event.event_type, json.value))
        except NothingToContribute:
            return {}
        except (IntegrityFailure, KeyError, TypeError):
            return None
