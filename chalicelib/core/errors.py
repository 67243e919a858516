"""Errors, by what the caller should do about them.

RetraceError
├── PermanentError              sending it again unchanged does not help
│   ├── InvalidRequest          400  fields are wrong; every fault is listed
│   │   ├── Oversized                a message, or what it refers to, is larger than any that Retrace makes
│   │   ├── UnknownSchema            a message is of another version of the contract than this one reads
│   │   ├── WrongBucket              a message refers to another bucket than that of raw events
│   │   └── UnknownReplay            a message is of no replay that there is
│   ├── Unauthenticated         401  neither IAM nor a webhook's secret identifies the sender
│   ├── RequestTooLarge         413
│   ├── UnsupportedMediaType    415
│   ├── NotFound                404
│   ├── Conflict                409  what is there, or what it does, is not as the request needs it
│   ├── IntegrityFailure        500  stored bytes are not what their hash says
│   │   └── RawObjectMissing         they are not there at all
│   ├── StorageRefused          500  AWS refused a call: permissions or configuration are wrong
│   │   └── DestinationRefused       messages may not be sent to where a replay sends them, or it is not there
│   └── NotConfigured           500  settings are missing; every missing one is named
├── TryAgain                    503  storage did not take it; nothing was acknowledged
│   ├── WriteConflict                other writers changed the same rows: read the state again
│   └── OutOfTime                    the function would have ended in the middle of it
└── MessagesFailed                   part of a batch of messages goes back to its queue
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason for a rejection, and the field it concerns: a dotted path, "body", or "" for the whole of it."""

    field: str
    message: str


MAX_FAULTS = 20
"""More would not be read, and the answer to a batch of 1,000 rejected events must stay below Lambda's 6 MB."""


_LONGEST_NAME = 100


def shown_name(name: str) -> str:
    """A name that a caller chose, as a fault shows it: not endless, and Unicode text whatever it holds."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode()


_LONGEST_FIELD = 150
"""Bytes of a fault's path as Lambda answers it: JSON, in ASCII, within JSON. A character takes 14 at most."""

_FITS_ALWAYS = _LONGEST_FIELD // 14 - 1


def _bounded(fault: Fault) -> Fault:
    """A fault whose path is not endless, however deep it leads and whatever names are on it."""
    field = fault.field
    while len(field) > _FITS_ALWAYS and len(json.dumps(json.dumps(field))) > _LONGEST_FIELD:
        field = field[: len(field) * 3 // 4]
    return fault if field is fault.field else replace(fault, field=field)


def first_faults(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The first faults, and if there are more, one that says so."""
    found = tuple(map(_bounded, islice(faults, MAX_FAULTS + 1)))
    if len(found) <= MAX_FAULTS:
        return found
    return (*found[:MAX_FAULTS], Fault("", f"has more faults than the {MAX_FAULTS} that are listed"))


class RetraceError(Exception):
    """Base of all errors that Retrace raises on purpose; its text is fit to be shown to a caller."""


class PermanentError(RetraceError):
    """The request cannot be served as it is. Sending it again unchanged gives the same answer."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class InvalidRequest(PermanentError):
    """Fields are missing or wrong; `faults` names them all."""


class Oversized(InvalidRequest):
    """A message, or what it refers to, is larger than any that Retrace makes; it is not read."""


class UnknownSchema(InvalidRequest):
    """A message names another schema than that of replay messages; it is not read."""


class WrongBucket(InvalidRequest):
    """A message refers to another bucket than that of raw events; it is not read."""


class UnknownReplay(InvalidRequest):
    """A message is of no replay that there is."""


class Unauthenticated(PermanentError):
    """The sender of the request is not known; `scheme` is how to sign it."""

    def __init__(self, message: str, faults: Sequence[Fault] = (), *, scheme: str) -> None:
        super().__init__(message, faults)
        self.scheme = scheme


class RequestTooLarge(PermanentError):
    """The request has more events or bytes than one request may have."""


class UnsupportedMediaType(PermanentError):
    """The content type or encoding is none that the route understands."""


class Forbidden(PermanentError):
    """IAM let the caller in, but what it asks for is another's."""


class NotFound(PermanentError):
    """Nothing is stored under the requested name."""


class Conflict(PermanentError):
    """The request conflicts with what is stored."""


class IntegrityFailure(PermanentError):
    """Stored content does not hash to what was recorded of it."""


class RawObjectMissing(IntegrityFailure):
    """A raw object that a row or a message refers to is not there, although none is ever deleted."""


class StorageRefused(PermanentError):
    """AWS refused a call in a way that no retry mends."""


class DestinationRefused(StorageRefused):
    """AWS lets no message be sent to a destination, or there is none: it says the same of both in another account."""


class NotConfigured(PermanentError):
    """Settings are missing, so that AWS is not called."""

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(
            f"Not set: {', '.join(dict.fromkeys(missing))}. Run `make local`, which sets them, or record a stage"
            " (python -m infra.record_outputs STAGE) and name it (chalice local --stage STAGE)."
        )


class TryAgain(RetraceError):
    """Storage or a queue did not take a call after retries; the same request may be sent again."""


class WriteConflict(TryAgain):
    """Rows changed between reading and writing them, this many times. Read again, then write."""

    def __init__(self, message: str, attempts: int = 1) -> None:
        super().__init__(message)
        self.attempts = attempts


class OutOfTime(TryAgain):
    """The time of the invocation is used up; what was not begun is for the next one."""


class MessagesFailed(RetraceError):
    """Some messages of a batch could not be processed; failing the invocation returns them to the queue."""


TITLES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
"""The titles of problems by status, as RFC 9110 names them. Only the console answers 502.

They are part of the contract, so they are not Python's, which change with its version.
"""


def problem_type(status: int) -> str:
    """The URI that identifies a kind of problem for programs."""
    return "urn:retrace:problem:" + TITLES[status].lower().replace(" ", "-")
