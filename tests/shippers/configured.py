"""The shippers as the files in examples/producers/ configure them, and the events that they make of log lines.

Fluent Bit's filter runs on LuaJIT, as in Fluent Bit, and Vector's transform on VRL itself. syslog-ng's templates only
syslog-ng can run: `make shippers` does so and compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from lupa.luajit21 import LuaRuntime, lua_type  # type: ignore[import-untyped]  # its stubs are a package of their own
from vrl_python import VRLRuntime

from tests.shippers.models import FluentBit, Shipper, SyslogNg, Vector, Verdict, estimated_by_vector, line_size

PRODUCERS = Path(__file__).parents[2] / "examples/producers"
FLUENT_BIT, VECTOR, SYSLOG_NG = (PRODUCERS / name for name in ("fluent-bit.yaml", "vector.yaml", "syslog-ng.conf"))

_ACTIONS = {"drop": Verdict.DROPS, "disconnect": Verdict.RETRIES, "success": Verdict.DONE}


@dataclass(frozen=True)
class Configured:
    """A shipper by its file: what it does with answers, the events that it makes of log lines, and how it cuts them."""

    shipper: Shipper
    event: Callable[[bytes], bytes]
    chunk_bytes: int
    size: Callable[[bytes], int] = line_size
    """What an event takes of a chunk, as the shipper counts."""


def fluent_bit() -> Configured:
    """Fluent Bit by its file."""
    pipeline = yaml.safe_load(FLUENT_BIT.read_text())["pipeline"]
    [output], [lua] = pipeline["outputs"], pipeline["filters"]
    limit = output.get("retry_limit", 1)
    shipper = FluentBit(None if limit == "no_limits" else limit)
    runtime = LuaRuntime(unpack_returned_tuples=True)
    runtime.execute(lua["code"])
    event = partial(_by_lua, runtime, runtime.globals()[lua["call"]], output["json_date_key"])
    return Configured(shipper, event, FluentBit.CHUNK_BYTES)


def _by_lua(runtime: LuaRuntime, function: Any, date_key: str | bool, line: bytes) -> bytes:  # noqa: FBT001  # YAML's false
    parsed = _parsed(line)
    record = parsed if isinstance(parsed, dict) else {"log": line.decode()}
    _, _, event = function("log_lines", 0.0, runtime.table_from(record, recursive=True))
    made = _plain(event) | ({} if date_key is False else {date_key: 0.0})
    return _compact(made).encode()


def _plain(value: Any) -> Any:
    """A value of Lua as Fluent Bit packs it: a table with keys from 1 on is an array."""
    if lua_type(value) != "table":
        return value
    if list(value) == list(range(1, len(value) + 1)) and len(value):
        return [_plain(item) for item in value.values()]
    return {key: _plain(item) for key, item in value.items()}


def vector() -> Configured:
    """Vector by its file."""
    file = yaml.safe_load(VECTOR.read_text())
    event = partial(_by_vrl, VRLRuntime(), file["transforms"]["events"]["source"])
    return Configured(Vector(), event, file["sinks"]["retrace"]["batch"]["max_bytes"], estimated_by_vector)


def _by_vrl(runtime: VRLRuntime, program: str, line: bytes) -> bytes:
    made = runtime.execute(program, {"message": line.decode(), "host": "shop-1", "file": "app.log"})
    return _compact(made.processed_event).encode()


def syslog_ng() -> Configured:
    """syslog-ng by its file."""
    text = SYSLOG_NG.read_text()
    [actions], [batch] = (
        re.findall(r"response-action\((.*)\)$", text, re.MULTILINE),
        re.findall(r"batch-bytes\((\d+)\)", text),
    )
    chosen = {int(status): _ACTIONS[action] for status, action in re.findall(r"(\d+) => (\w+)", actions)}
    return Configured(SyslogNg(chosen), _by_template, int(batch))


def _by_template(line: bytes) -> bytes:
    parsed = _parsed(line)
    record = parsed if isinstance(parsed, dict) else {}
    payload = line.decode() if isinstance(parsed, dict | list) else _compact({"line": line.decode()})
    names = {"idempotency_key": "id", "event_type": "event", "event_time": "time", "entity_id": "order"}
    head = {"source": "shop/checkout"} | {name: str(record[of]) for name, of in names.items() if record.get(of)}
    return f'{_compact(head)[:-1]},"payload":{payload}}}'.encode()


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def cloudevents_sdk() -> ModuleType:
    """The program that sends what the CloudEvents SDK makes."""
    return _program("cloudevents_sdk")


def signing_proxy() -> ModuleType:
    """The program that signs for those that cannot."""
    return _program("signing_proxy")


def _program(name: str) -> ModuleType:
    spec = spec_from_file_location(name, PRODUCERS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    program = module_from_spec(spec)
    sys.modules[spec.name] = program
    spec.loader.exec_module(program)
    return program


CONFIGURED: dict[str, Callable[[], Configured]] = {
    "Fluent Bit": fluent_bit,
    "Vector": vector,
    "syslog-ng": syslog_ng,
}
