"""Questions about aggregates are checked whole, and every fault is named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from chalicelib.aggregates.queries import AggregatesQuery, DiffQuery, InputsQuery
from chalicelib.core.fields import faults_of
from chalicelib.quarantine.retries import RejectedQuery

ENTITY_DAY = {"entity_id": "order-1", "day": "2026-11-21"}
TOO_LONG = "is {} bytes once percent-encoded: at most {} are allowed"


def faults(model: type[BaseModel], **query: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(query)
    return {fault.field: fault.message for fault in faults_of(refused.value)}


def test_everything_that_is_missing_is_named() -> None:
    missing = "is missing"
    assert faults(AggregatesQuery) == {"entity_id": missing, "day": missing}
    assert faults(InputsQuery) == {"entity_id": missing, "day": missing, "replay_id": missing}
    assert faults(DiffQuery) == {"entity_id": missing, "day": missing, "from": missing, "to": missing}
    assert faults(RejectedQuery) == {"day": "is missing; give a day, or start_time and end_time"}


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1.5", ""])
@pytest.mark.parametrize(
    ("model", "query"),
    [
        (InputsQuery, ENTITY_DAY | {"replay_id": "r"}),
        (DiffQuery, ENTITY_DAY | {"from": "r", "to": "s"}),
        (RejectedQuery, {"day": "2026-11-21"}),
    ],
)
def test_a_limit_is_a_whole_number_from_1_to_1000(model: type[BaseModel], query: dict[str, str], limit: str) -> None:
    assert faults(model, **query, limit=limit).keys() == {"limit"}
    for good in ("1", "1000"):
        model.model_validate(query | {"limit": good})


def test_names_that_no_key_can_hold_are_refused() -> None:
    assert faults(AggregatesQuery, entity_id="é" * 513, day="2026-11-21") == {"entity_id": TOO_LONG.format(1026, 1024)}
    assert faults(AggregatesQuery, entity_id="#" * 342, day="2026-11-21") == {"entity_id": TOO_LONG.format(1026, 1024)}
    assert faults(InputsQuery, **ENTITY_DAY, replay_id="r" * 257) == {"replay_id": TOO_LONG.format(257, 256)}
    AggregatesQuery.model_validate({"entity_id": "é" * 512, "day": "2026-11-21"})


def test_parameters_that_are_not_known_are_refused() -> None:
    assert faults(DiffQuery, **ENTITY_DAY, **{"from": "r", "to": "s", "from_": "t"}) == {
        "from_": "is not a known field"
    }
