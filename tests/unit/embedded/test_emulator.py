"""Conditions that are read once hold for the rows that MiniStack's own hold for, and fail as they do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

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


def test_conditions_hold_and_fail_as_those_of_ministack_do(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "LOG_LEVEL": "CRITICAL", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [EMULATOR_PYTHON, "-c", COMPARED, str(ROOT)], check=False, env=environment, capture_output=True, text=True
    )

    assert finished.returncode == 0, finished.stderr
    for text, (own, once) in json.loads(finished.stdout).items():
        assert once == own, text
        assert len(own) == 23
    assert json.loads(finished.stdout)["PK = :pk AND SK BETWEEN :low AND :high"][0].count(True) == 6
