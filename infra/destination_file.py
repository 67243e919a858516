"""The file that declares the destinations of a stage; every fault is told with its line.

A stage called prod has destinations.prod.yaml, or else destinations.yaml, or else `aggregates` alone.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from chalicelib.core.errors import Fault
from chalicelib.core.fields import faults_of
from chalicelib.core.lossless_json import JsonValue, Number
from chalicelib.replays.destinations import (
    MAX_NAME,
    NAME_PATTERN,
    TO_AGGREGATES,
    DeclaredDestination,
    DestinationKind,
    own_name,
    principal_of,
)
from chalicelib.replays.request import MAX_RATE, MIN_RATE
from infra.command import Problem
from infra.merge import ROOT
from retrace.defining.yaml_text import NotYaml, YamlText

MAX_DESTINATIONS: Final = 10
"""So that all of them fit into the 4 KB that Lambda has for the environment of a function."""

_MEMBER: Final = "destinations"
_ARN: Final = r"^arn:[a-z-]+:(sqs:[a-z0-9-]+:[0-9]{12}:|events:[a-z0-9-]+:[0-9]{12}:event-bus/)[A-Za-z0-9_.-]{1,80}$"

_PRINCIPAL: Final = r"^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/([!-~]{1,510}/)?[A-Za-z0-9_+=,.@-]{1,64}$"

MAX_BYTES: Final = 2_400
"""Of all destinations as functions are told of them, for the same reason."""

_OWN_ARN: Final = len("arn:aws-us-gov:sqs:us-gov-west-1:111122223333:retrace--to-.fifo") + 16
"""Bytes of the ARN of a queue that the stage makes, without the name of the destination."""

_OF_RETRACE: Final = r":retrace-.+-(replay(-jobs)?(-failures|-dead-letters)?|digest|dead-letters-of-.+)$"
"""Queues in infra/resources.yaml, as the processor counts whatever ReplayQueue brings it, and those of dead letters."""


class DestinationMembers(BaseModel):
    """A destination as the file has it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    kind: Literal["queue", "fifo", "eventbridge"] = Field(
        description="queue: unordered. fifo: in order for each entity. eventbridge: an event bus."
    )
    arn: str | None = Field(
        None,
        pattern=_ARN,
        description="An existing queue or bus of this region. Without it, the stage makes one.",
    )
    rate: float | None = Field(
        None, ge=MIN_RATE, le=MAX_RATE, description="Messages a second, which all replays to it share."
    )
    reports: bool = Field(
        default=False,
        description="Whether its consumer reports outcomes, so that they are counted and its replays become COMPLETE.",
    )
    reporters: Annotated[tuple[Annotated[str, Field(pattern=_PRINCIPAL)], ...], Strict(strict=False)] = Field(
        (), description="ARNs of the roles and users that may report. Without it, all that may report on any replay."
    )


@dataclass(frozen=True, slots=True)
class Declared:
    """A destination of a stage: its name and kind, the ARN of its queue or bus if that exists, who reports, if any."""

    name: str
    kind: str = "queue"
    arn: str | None = None
    rate: float | None = None
    reports: bool = False
    reporters: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, object]:
        """What functions are told of it beside its ARN."""
        told = {
            "own": self.is_own and self.is_queue,
            "rate": self.rate,
            "reports": self.reports,
            "reporters": list(map(principal_of, self.reporters)),
        }
        return {name: value for name, value in told.items() if value}

    @property
    def logical(self) -> str:
        """Its name as a part of logical names in the template."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def is_own(self) -> bool:
        """Whether the stage makes its queues, beside those of the processor."""
        return self.arn is None and self.name != TO_AGGREGATES

    @property
    def is_queue(self) -> bool:
        """Whether messages wait there."""
        return self.kind != DestinationKind.EVENTBRIDGE

    @property
    def resource(self) -> str:
        """Its queue or bus: a logical name of the template, or an ARN."""
        return "ReplayQueue" if self.name == TO_AGGREGATES else self.arn or f"To{self.logical}"


Declarations = tuple[Declared, ...]

DEFAULT: Final[Declarations] = (Declared(TO_AGGREGATES),)
"""Where there is no file."""


def file_of(stage: str, directory: Path = ROOT) -> Path | None:
    """Return the file of a stage, if there is one."""
    names = (f"destinations.{stage}.yaml", "destinations.yaml")
    return next((directory / name for name in names if (directory / name).is_file()), None)


def declared_in(file: Path | None, region: str, stage: str) -> Declarations:
    """Return what a file declares for a stage in its region; raises Problem with every fault."""
    if file is None:
        return DEFAULT
    try:
        yaml = YamlText(file.read_text(encoding="utf-8-sig"))
    except NotYaml as error:
        raise Problem(f"{file.name}:{error.line} {error}.", "Correct it.") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{file.name} is not UTF-8.", "Save it as UTF-8.") from error
    declared = _members(yaml.value)
    faults = [*yaml.faults, *_of_the_whole(yaml.value, declared)]
    faults += [fault for name, members in declared.items() for fault in _of_one(name, members, region, stage)]
    if faults:
        lines = sorted({(yaml.line_of(fault.field), fault.field, fault.message) for fault in faults})
        told = [f"{file.name}:{line} {field} {message}" for line, field, message in lines]
        raise Problem("\n".join(told), "Correct it. docs/consumer.md says what a destination has.")
    found = tuple(_declared(name, members) for name, members in declared.items())
    if (size := sum(_bytes_of(each) for each in found)) > MAX_BYTES:
        too_long = f"{file.name} has {size:,} bytes of names, ARNs and reporters, and Lambda leaves {MAX_BYTES:,}."
        raise Problem(too_long, "Name fewer reporters, such as one role for each consumer.")
    return found


def _bytes_of(each: Declared) -> int:
    arn = _OWN_ARN + len(each.name) if each.arn is None else len(each.arn)
    return len(json.dumps({each.name: {"arn": ""} | each.options}, separators=(",", ":"))) + arn


def _members(value: JsonValue) -> dict[str, JsonValue]:
    listed = value.get(_MEMBER) if isinstance(value, dict) else None
    return listed if isinstance(listed, dict) else {}


def _declared(name: str, members: JsonValue) -> Declared:
    if name == TO_AGGREGATES:
        return Declared(name)
    found = DestinationMembers.model_validate(_with_floats(members))
    return Declared(name, found.kind, found.arn, found.rate, found.reports, found.reporters)


def _with_floats(members: JsonValue) -> Any:
    """Members with the numbers of the file as Python's."""
    if not isinstance(members, dict):
        return members
    return {name: float(each.literal) if isinstance(each, Number) else each for name, each in members.items()}


def _of_the_whole(value: JsonValue, declared: dict[str, JsonValue]) -> Iterator[Fault]:
    if not declared:
        yield Fault(_MEMBER, "must have at least one destination, by its name")
    if len(declared) > MAX_DESTINATIONS:
        yield Fault(_MEMBER, f"are {len(declared)}: a stage has at most {MAX_DESTINATIONS}")
    yield from _of_shared_arns(declared)
    if isinstance(value, dict):
        yield from (Fault(name, "is not known: the file has `destinations`") for name in value if name != _MEMBER)


def _of_shared_arns(declared: dict[str, JsonValue]) -> Iterator[Fault]:
    """Fault a second destination at the same place: the consumer of the first would get its messages."""
    by_arn: dict[str, str] = {}
    for name, members in declared.items():
        arn = members.get("arn") if isinstance(members, dict) else None
        if isinstance(arn, str) and by_arn.setdefault(arn, name) != name:
            yield Fault(f"{_MEMBER}.{name}.arn", f"is that of {by_arn[arn]}. Declare one of the two")


def require_reporters(declared: Declarations) -> None:
    """Raise Problem if several consumers report and one may report on the replays of another."""
    reporting = [each for each in declared if each.reports]
    open_to_all = [each.name for each in reporting if not each.reporters]
    if len(reporting) > 1 and open_to_all:
        told = (
            f"Several consumers report outcomes, and any of them could report on replays to {', '.join(open_to_all)}."
        )
        raise Problem(told, "Name the roles of each consumer: `reporters` in destinations.yaml, docs/consumer.md.")


def _of_one(name: str, members: JsonValue, region: str, stage: str) -> Iterator[Fault]:
    path = f"{_MEMBER}.{name}"
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > MAX_NAME:
        yield Fault(path, f"is not a valid name: use at most {MAX_NAME} lower-case letters, digits and single hyphens")
    if name == TO_AGGREGATES:
        if members not in (None, {}):
            yield Fault(path, "is built in and has no members")
        return
    try:
        found = DestinationMembers.model_validate(_with_floats(members))
    except ValidationError as error:
        yield from (Fault(f"{path}.{fault.field}".rstrip("."), fault.message) for fault in faults_of(error))
        return
    if found.reporters and not found.reports:
        yield Fault(f"{path}.reporters", "are named, but it takes no reports. Set `reports: true`")
    if found.arn is not None:
        yield from (Fault(f"{path}.arn", message) for message in _of_arn(found, found.arn, region, stage))


def _of_arn(members: DestinationMembers, arn: str, region: str, stage: str) -> Iterator[str]:
    kind = DeclaredDestination("", arn).kind.value
    if kind != members.kind:
        yield f"is of kind {kind}, not {members.kind}"
    if re.search(_OF_RETRACE, arn):
        yield "is a queue of Retrace itself, which has another use for what is on it. Name one of your consumer"
    if re.search(rf"[:/]{own_name(re.escape(stage), '')}", arn):  # deployed so, the stack would delete it as its own
        yield f"is one that the stage {stage} makes. Leave `arn` out, or name another"
    if arn.split(":")[3] != region:
        yield f"is in {arn.split(':')[3]}, but the stage is in {region}"
