"""Queries of metrics, and the body that defines one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chalicelib.core import lossless_json
from chalicelib.core.errors import Fault, InvalidRequest, shown_name
from chalicelib.core.fields import Limit
from chalicelib.metrics.definition import Definition, definition_of

MAX_BODY_BYTES = 65_536


class MetricsQuery(BaseModel):
    """GET /metrics: every metric."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    limit: Limit = 100
    cursor: str | None = None


def definition_in(body: bytes, name: str) -> Definition:
    """The definition of a request for a name, which the body may say too; raises InvalidRequest with every fault."""
    if len(body) > MAX_BODY_BYTES:
        raise InvalidRequest(
            "The definition is too long.",
            (Fault("body", f"is {len(body)} bytes. At most {MAX_BODY_BYTES} are allowed"),),
        )
    try:
        json = lossless_json.parse(body.decode())
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError) as error:
        raise InvalidRequest("The definition is not JSON.", (Fault("body", f"is not JSON: {error}"),)) from error
    return definition_of(_with_name(json, name))


def _with_name(json: lossless_json.JsonText, name: str) -> lossless_json.JsonText:
    """The JSON with the name of the path, which must be the body's if that has one."""
    if not isinstance(json.value, dict):
        return json
    faults = json.faults
    if json.value.get("name", name) != name:
        faults = (*faults, Fault("name", f"is not {shown_name(name)}, which the path says"))
    return lossless_json.JsonText(json.text, {**json.value, "name": name}, faults)
