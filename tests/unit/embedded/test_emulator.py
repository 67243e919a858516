"""What hastens the emulator changes neither its answers nor its logs, and what delays it delays what it should."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from embedded.layout import EMULATOR_PYTHON

ROOT = Path(__file__).parents[3]

# Each is asked of all rows one after the other with the same objects, as a query does: of MiniStack as it is, of what
# remembers the last condition, and of MiniStack with all that hastens it.
COMPARED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ministack.services import dynamodb
from embedded.emulator import Conditions, patch_ministack

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

def of_all(text, *evaluates):
    return [[told(evaluate, text, row, names) for row in rows] for evaluate in evaluates]

found = {text: of_all(text, own, once) for text in asked}
other = dict(values, **{":pk": {"S": "b"}})
for values in (values, other, values):
    found[str(values[":pk"])] = of_all(asked[1], own, once)
patch_ministack()
for text in asked * 2:
    found[text] += of_all(text, dynamodb._evaluate_condition)
print(json.dumps(found))
"""


# A function that logs nothing is called twice. What ends the wait for its first line is looked at before it is dropped.
SILENT = """
import io, json, sys, zipfile
sys.path.insert(0, sys.argv[1])
from ministack.core import lambda_runtime
from embedded.emulator import patch_ministack

patch_ministack()
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("silent.py", "def handler(event, context): return event")
arn = "arn:aws:lambda:eu-west-1:123456789012:function:silent"
config = {"FunctionArn": arn, "FunctionName": "silent", "Handler": "silent.handler", "Runtime": "python3.13"}
worker = lambda_runtime.Worker("silent", config, packed.getvalue())
log = worker.invoke({"number": 1}, "first")["log"]
drain, worker._drain_stderr_bounded = worker._drain_stderr_bounded, lambda: ""
answer = worker.invoke({"number": 2}, "second")["result"]
print(json.dumps([log, answer, worker._stderr_queue.get(timeout=60)]))
worker.kill()
"""


# Calls are begun in turn, those of functions first; who is not delayed is answered before those that are.
DELAYED = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
from embedded.emulator import DELAY, Delayed

SIGNED = "AWS4-HMAC-SHA256 Credential=%s/20261121/eu-west-1/%s/aws4_request, SignedHeaders=host, Signature=0"
calls = [("ASIAFUNCTION", name) for name in ("dynamodb", "s3", "sqs", "execute-api")] + [
    ("AKIAADMINISTRATOR", "sqs"), ("", ""),
]
answered, statuses = [], []

async def application(scope, receive, send):
    if scope["type"] == "http":
        answered.append(scope["who"])

async def called(delayed, who, service):
    headers = [(b"authorization", (SIGNED % (who, service)).encode())] if who else []
    scope = {"type": "http", "path": "/", "headers": headers, "query_string": b"", "who": f"{who} {service}"}
    await delayed(scope, None, None)

async def told(delayed, query):
    async def send(message):
        statuses.append(message.get("status"))
    await delayed({"type": "http", "path": DELAY, "headers": [], "query_string": query}, None, send)

async def main():
    delayed = Delayed(application, root_key_id="AKIAADMINISTRATOR")
    await delayed({"type": "lifespan"}, None, None)
    for query in (b"ms=0", b"ms=5", b"ms=five", b"ms=0"):
        await told(delayed, query)
        await asyncio.gather(*(called(delayed, *call) for call in calls))

asyncio.run(main())
rounds = [answered[start:start + len(calls)] for start in range(0, len(answered), len(calls))]
print(json.dumps([statuses[::2], rounds]))
"""


# The same calls of queues of MiniStack as it is and with what hastens it, by a clock of ours.
QUEUES = """
import asyncio, itertools, json, re, sys
sys.path.insert(0, sys.argv[1])
from ministack.services import sqs
from embedded import emulator

class Clock:
    now = 1_000.0
    def time(self):
        return self.now

clock, numbers = Clock(), itertools.count()
if sys.argv[2:] == ["hastened"]:
    emulator.patch_ministack()
    emulator.time = clock
sqs.time, sqs.new_uuid = clock, lambda: f"id-{next(numbers)}"
told = []

def call(action, **members):
    try:
        answer = asyncio.run(sqs._dispatch(action, members, ""))
    except sqs._Err as error:
        answer = [error.code, error.message]
    told.append([action, answer])
    return answer

def on(queue, seconds=0.0):
    clock.now += seconds
    return dict(QueueUrl=queue)

fifo = call("CreateQueue", QueueName="a.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
plain = call("CreateQueue", QueueName="a", Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]
for seconds, name in ((0, "1"), (100, "2"), (199, "1"), (1, "1"), (0, "1"), (99, "2"), (1, "2")):
    call("SendMessage", **on(fifo, seconds), MessageBody=name, MessageGroupId="g", MessageDeduplicationId=name)
call("ReceiveMessage", **on(fifo), MaxNumberOfMessages=10)
call("ReceiveMessage", **on(fifo), MaxNumberOfMessages=10)
for seconds in (0, 30, 40):
    call("SendMessage", **on(plain, seconds), MessageBody="x")
found = call("ReceiveMessage", **on(plain, 5), MaxNumberOfMessages=10, VisibilityTimeout=5)["Messages"]
call("GetQueueAttributes", **on(plain), AttributeNames=["All"])
handles = [found[0]["ReceiptHandle"], "strange", found[0]["ReceiptHandle"], ""]
entries = [{"Id": str(number), "ReceiptHandle": each} for number, each in enumerate(handles)]
for some in (entries, entries, [], entries[:1] * 2, [{"Id": "none"}]):
    call("SendMessage", **on(plain), MessageBody="never received")
    call("DeleteMessageBatch", **on(plain), Entries=some)
    call("ReceiveMessage", **on(plain, 6), MaxNumberOfMessages=1, VisibilityTimeout=3)
call("DeleteMessageBatch", **on("http://localhost/000000000000/none"), Entries=entries)
sqs._get_q(plain)["messages"].append({"id": "of SNS", "body": "y"})
call("ReceiveMessage", **on(plain, 9), MaxNumberOfMessages=10, VisibilityTimeout=1)
call("ReceiveMessage", **on(plain, 90), MaxNumberOfMessages=10)
print(json.dumps(told))
"""


def printed(program: str, directory: Path, *more: str) -> Any:
    """What a program prints that runs beside MiniStack, in its environment."""
    environment = {"PATH": os.defpath, "LOG_LEVEL": "CRITICAL", "HOME": str(directory), "TMPDIR": str(directory)}
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [EMULATOR_PYTHON, "-c", program, str(ROOT), *more], check=False, env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_conditions_hold_and_fail_as_those_of_ministack_do(tmp_path: Path) -> None:
    found = printed(COMPARED, tmp_path)

    for text, (own, *hastened) in found.items():
        assert all(answers == own for answers in hastened), text
        assert len(own) == 23
    assert {len(answers) for answers in found.values()} == {2, 4}
    assert found["PK = :pk AND SK BETWEEN :low AND :high"][0].count(True) == 6


def test_queues_answer_as_those_of_ministack_do(tmp_path: Path) -> None:
    own, hastened = printed(QUEUES, tmp_path), printed(QUEUES, tmp_path, "hastened")

    assert hastened == own
    sent = [answer["MessageId"] for action, answer in own if action == "SendMessage"][:7]
    assert [sent.index(each) for each in sent] == [0, 1, 0, 3, 3, 1, 6]
    received = [len(answer.get("Messages", [])) for action, answer in own if action == "ReceiveMessage"]
    assert received == [4, 0, 2, 1, 1, 1, 1, 1, 7, 0]


def test_a_function_that_logs_nothing_writes_an_empty_line_that_is_in_no_log(tmp_path: Path) -> None:
    assert printed(SILENT, tmp_path) == ["", {"number": 2}, ""]


def test_calls_of_functions_to_three_services_wait_where_they_are_told_to(tmp_path: Path) -> None:
    of_functions = [f"ASIAFUNCTION {service}" for service in ("dynamodb", "s3", "sqs")]
    others = ["ASIAFUNCTION execute-api", "AKIAADMINISTRATOR sqs", " "]

    statuses, (at_first, told, told_nonsense, ended) = printed(DELAYED, tmp_path)

    assert statuses == [204, 204, 400, 204]
    assert at_first == ended == [*of_functions, *others]
    assert (
        [told[:3], sorted(told[3:])] == [told_nonsense[:3], sorted(told_nonsense[3:])] == [others, sorted(of_functions)]
    )
