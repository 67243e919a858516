"""The titles of problems: part of the contract, and so not the interpreter's, whose words change with its version."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
"""By status, as RFC 9110 names them. Only the console answers 502."""


def problem_type(status: int) -> str:
    """The URI that a program tells a problem by."""
    return "urn:retrace:problem:" + TITLES[status].lower().replace(" ", "-")
