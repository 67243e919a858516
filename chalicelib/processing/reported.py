"""Records what consumers report of the messages that they got: done or failed, each message counted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from chalicelib.aggregates.ledger import Outcome, OutcomeRecord, record_of
from chalicelib.core.errors import Conflict, Forbidden, InvalidRequest
from chalicelib.core.fields import Reason, Sha256Text, faults_of
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import DeclaredDestination, Destinations
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.messages import Duplicate, MessageIdentity, ReplayMessage
from chalicelib.replays.ports import ReplayStore, required_job
from chalicelib.replays.request_body import json_object

MAX_OUTCOMES = 1_000

_INVALID = "The report is not valid."

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class ReportedOutcome(BaseModel):
    """What became of one message at its consumer."""

    model_config = _STRICT

    event_id: Annotated[Sha256Text, Field(description="As the message has it.")]
    duplicate: Duplicate | None = Field(None, description="As the message has it, if it has one.")
    outcome: Literal["done", "failed"]
    reason: Reason | None = Field(None, description="Why it failed, for people.")

    @model_validator(mode="after")
    def _has_a_reason_only_if_it_failed(self) -> ReportedOutcome:
        if self.reason is not None and self.outcome == "done":
            raise ValueError("has a reason, which only failed outcomes have")
        return self

    @property
    def identity(self) -> MessageIdentity:
        """Which of the replay's messages it is about."""
        return self.event_id, self.duplicate


def _of_some_length(outcomes: tuple[ReportedOutcome, ...]) -> tuple[ReportedOutcome, ...]:
    if not 1 <= len(outcomes) <= MAX_OUTCOMES:
        raise ValueError(f"are {len(outcomes)}: report 1 to {MAX_OUTCOMES:,} at once")
    return outcomes


class OutcomesReport(BaseModel):
    """POST /replay/{replay_id}/outcomes: what became of messages of one replay."""

    model_config = _STRICT

    # Their number is looked at last: pydantic would also tell it of those that are valid.
    outcomes: Annotated[
        tuple[ReportedOutcome, ...],
        AfterValidator(_of_some_length),
        Field(json_schema_extra={"minItems": 1, "maxItems": MAX_OUTCOMES}),
        Strict(strict=False),
    ]


def parse_report(body: bytes) -> OutcomesReport:
    """Read a report; raises InvalidRequest with every fault."""
    members, _ = json_object(body, _INVALID)
    try:
        return OutcomesReport.model_validate(members)
    except ValidationError as error:
        raise InvalidRequest(_INVALID, faults_of(error)) from error


@dataclass(frozen=True, slots=True)
class RecordedReport:
    """How far the replay is after a report, how many of its messages were recorded, and what it never sent."""

    job: ReplayJob
    recorded: int
    never_sent: tuple[MessageIdentity, ...]


@dataclass(frozen=True)
class RecordReportedOutcomes:
    """The use case behind POST /replay/{replay_id}/outcomes."""

    replays: ReplayStore
    recorder: RecordInLedger
    destinations: Destinations

    def record(self, replay_id: str, report: OutcomesReport, reporter: str | None) -> RecordedReport:
        """Record outcomes of messages that the replay sent; the same report again changes nothing.

        `reporter` is the ARN of the principal that signed, None outside of Lambda, where nothing is signed.

        Raises NotFound for an unknown replay, Forbidden for one to another consumer, Conflict for one whose destination
        takes no reports, and TryAgain if something could not be recorded: then report all of it again.
        """
        self._require_reporting(replay_id, reporter)
        reported = _each_once(report.outcomes)
        sent = self.replays.sent_messages(replay_id).find(reported)
        records = [_record(sent, each) for each in reported.values() if each.identity in sent]
        recorded = self.recorder.record(records)
        for error in recorded.failures.values():
            raise error
        never_sent = tuple(identity for identity in reported if identity not in sent)
        return RecordedReport(required_job(self.replays, replay_id), len(records), never_sent)

    def _require_reporting(self, replay_id: str, reporter: str | None) -> None:
        destination = required_job(self.replays, replay_id).destination
        if reporter is not None and not self.destinations.may_report(destination.name, reporter):
            raise Forbidden(_of_another(replay_id, destination, reporter))
        if not destination.takes_reports:
            raise Conflict(
                f"Replay {replay_id} was sent to {destination.name}, which takes no reports. "
                "Set `reports: true` in destinations.yaml, deploy, and request a new replay."
            )


def _of_another(replay_id: str, destination: DeclaredDestination, reporter: str) -> str:
    return (
        f"Replay {replay_id} was sent to {destination.name}, and {reporter} is not one of its reporters. If it "
        f"consumes {destination.name}, add the ARN of its role or user to `reporters` in destinations.yaml and deploy."
    )


def _each_once(outcomes: Sequence[ReportedOutcome]) -> dict[MessageIdentity, ReportedOutcome]:
    """One outcome of each message: done if any says so, as it stays when it is recorded, or else the last."""
    once: dict[MessageIdentity, ReportedOutcome] = {}
    for each in outcomes:
        if each.identity not in once or once[each.identity].outcome != "done":
            once[each.identity] = each
    return once


def _record(sent: Mapping[MessageIdentity, ReplayMessage], reported: ReportedOutcome) -> OutcomeRecord:
    outcome = Outcome.DONE if reported.outcome == "done" else Outcome.FAILED
    return record_of(sent[reported.identity], outcome, reported.reason)
