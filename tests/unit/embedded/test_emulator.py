"""What hastens the emulator changes neither its answers nor its logs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from embedded.layout import EMULATOR_PYTHON

ROOT = Path(__file__).parents[3]

# Each is asked of all rows one after the other with the same objects, as a query does.
COMPARED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ministack.services import dynamodb
from embedded.emulator import Conditions

own = dynamodb._evaluate_condition
once = Conditions(own)
rows = [
    {"PK": {"S": pk}, "SK": {"S": sk}, "lag": {"N": lag}}
    for pk in ("a", "b") for sk in ("1", "2", "20", "3", "\U0001f4e6") for lag in ("5", "10")
]
rows += [{"PK": {"S": "a"}}, {"PK": {"S": "a"}, "SK": {"N": "2"}, "lag": {"S": "x"}}, {}]
values = {":pk": {"S": "a"}, ":low": {"S": "2"}, ":high": {"S": "3"}, ":n": {"N": "7"}, ":m": {"N": "90"}}
names = {"#s": "SK", "#p": "PK"}
asked = [
    "PK = :pk", "PK = :pk AND SK BETWEEN :low AND :high", "#p = :pk AND #s BETWEEN :low AND :high",
    "(PK = :pk AND SK BETWEEN :low AND :high)", "PK = :pk AND lag BETWEEN :n AND :m", "PK = :pk AND SK > :low",
    "PK = :pk AND begins_with(SK, :low)", "attribute_exists(SK) AND NOT lag < :n",
    "PK = :pk AND SK BETWEEN :high AND :low", "PK = ", "lag = :pk OR SK = :low",
    "PK = :gone AND SK BETWEEN :low AND :high", "", "SK + ", "size(SK) > :n",
]

def told(evaluate, text, row, names):
    try:
        return bool(evaluate(text, row, values, names, slot="KeyConditionExpression"))
    except ValueError as error:
        return str(error)

found = {text: [[told(one, text, row, names) for row in rows] for one in (own, once)] for text in asked}
other = dict(values, **{":pk": {"S": "b"}})
for values in (values, other, values):
    found[str(values[":pk"])] = [[told(one, asked[1], row, names) for row in rows] for one in (own, once)]
print(json.dumps(found))
"""


# A function that logs nothing is called twice. What ends the wait for its first line is looked at before it is dropped.
SILENT = """
import io, json, sys, zipfile
sys.path.insert(0, sys.argv[1])
from ministack.core import lambda_runtime
from embedded.emulator import hasten

hasten()
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("silent.py", "def handler(event, context): return event")
arn = "arn:aws:lambda:eu-west-1:123456789012:function:silent"
config = {"FunctionArn": arn, "FunctionName": "silent", "Handler": "silent.handler", "Runtime": "python3.11"}
worker = lambda_runtime.Worker("silent", config, packed.getvalue())
log = worker.invoke({"number": 1}, "first")["log"]
drain, worker._drain_stderr_bounded = worker._drain_stderr_bounded, lambda: ""
answer = worker.invoke({"number": 2}, "second")["result"]
print(json.dumps([log, answer, worker._stderr_queue.get(timeout=60)]))
worker.kill()
"""


def printed(program: str, directory: Path) -> Any:
    """What a program prints that runs beside MiniStack, in its environment."""
    environment = {"PATH": os.defpath, "LOG_LEVEL": "CRITICAL", "HOME": str(directory), "TMPDIR": str(directory)}
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [EMULATOR_PYTHON, "-c", program, str(ROOT)], check=False, env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_conditions_hold_and_fail_as_those_of_ministack_do(tmp_path: Path) -> None:
    found = printed(COMPARED, tmp_path)

    for text, (own, once) in found.items():
        assert once == own, text
        assert len(own) == 23
    assert found["PK = :pk AND SK BETWEEN :low AND :high"][0].count(True) == 6


def test_a_function_that_logs_nothing_writes_an_empty_line_that_is_in_no_log(tmp_path: Path) -> None:
    assert printed(SILENT, tmp_path) == ["", {"number": 2}, ""]
