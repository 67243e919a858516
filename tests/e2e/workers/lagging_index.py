"""An index that lags, which no emulator has: a recent event shows in one read and not in the next."""

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.core.timestamps import instant_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def lag(dynamodb: "DynamoDBClient", seconds: float) -> None:
    """Hide half of the events that were received within the last seconds from each read of an index."""
    rng = random.Random()  # chaos is no secret

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["of_index"] = "IndexName" in params

    def hide(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        since = instant_of(datetime.now(UTC) - timedelta(seconds=seconds))
        if context["of_index"] and "Items" in parsed:
            parsed["Items"] = [item for item in parsed["Items"] if not _recent(item, since) or rng.random() < 0.5]

    events: Any = dynamodb.meta.events
    events.register("before-parameter-build.dynamodb.Query", remember)
    events.register("after-call.dynamodb.Query", hide)


def _recent(item: dict[str, Any], since: str) -> bool:
    return str(item.get("ingest_time", {}).get("S", "")) > since
