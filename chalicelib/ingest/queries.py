"""The query parameters of POST /ingest."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from chalicelib.core.fields import TrueOrFalse

MOST_RESULTS = 1_000
"""Of one answer that lists them all: each may name 20 faults, and together they must stay below Lambda's 6 MB."""


class Listed(StrEnum):
    """Which results the answer to a batch lists."""

    REFUSED = "refused"
    ALL = "all"
    NONE = "none"


class AnswerQuery(BaseModel):
    """How a batch is answered: which results are listed, and whether its status says that some were refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    results: Listed = Listed.REFUSED
    strict: TrueOrFalse = False


class IngestQuery(AnswerQuery):
    """POST /ingest: with `dry_run` nothing is written."""

    dry_run: TrueOrFalse = False
