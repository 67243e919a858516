"""Retries refused events in bulk: as they were kept, or corrected as `retrace rejected retry --fix` takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from retrace.client import Client
from retrace.concurrency import in_order
from retrace.corrections import (
    AS_IT_WAS_KEPT,
    NEEDED,
    Correction,
    corrections_in,
    is_like_an_id,
    line_for_correction,
    retried,
)

Json = dict[str, Any]

MOST_AT_ONCE = 1_000


def lines_to_correct(client: Client, ids: Sequence[str]) -> str:
    """A line for each refused event, with what `retrace rejected retry --fix` needs of it."""
    wanted = [each for each in ids if is_like_an_id(each)][:MOST_AT_ONCE]
    answers = in_order(lambda each: client.expect("GET", f"/rejected/{each}"), wanted)
    return "".join(f"{line_for_correction(answer.json, NEEDED)}\n" for answer in answers)


def corrections(body: bytes) -> list[Correction]:
    """What to retry: a line with nothing but a `rejected_id` is sent as it was kept; raises Problem."""
    found: list[Correction] = []
    for line in filter(bytes.strip, body.split(b"\n")):
        as_kept = _as_it_was_kept(line)
        found += [as_kept] if as_kept else corrections_in(line, "the corrections")
    return found


def _as_it_was_kept(line: bytes) -> Correction | None:
    try:
        members = json.loads(line)
    except ValueError:
        return None
    if not isinstance(members, dict) or members.keys() != {"rejected_id"} or not is_like_an_id(members["rejected_id"]):
        return None
    return Correction(members["rejected_id"], AS_IT_WAS_KEPT)


def results(client: Client, wanted: Sequence[Correction], *, dry_run: bool) -> Iterator[Json]:
    """What came of each, in order; raises Problem."""
    for each in in_order(lambda one: retried(client, one, dry_run=dry_run), wanted):
        yield {**each.to_json(), "taken_in": each.taken_in}
