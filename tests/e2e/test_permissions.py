"""Who may do what on the deployed stack: principals on routes, functions on bucket, tables and queues.

Each is called with a key that carries exactly the policies in question. What a table below does not name is denied.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import urllib3

from app import app
from embedded.admin import AccessKey, Admin, user_with
from embedded.client import Api
from embedded.deployment import STACK_NAME
from tests.e2e.deployed import Deployed
from tests.e2e.probes import BUCKET, KEY, PARTITIONS, Caller, Kept, Probe, bus, index, queue, table

# Principals on routes

POLICIES = {
    "producer": "ProducerPolicyArn",
    "investigator": "InvestigatorPolicyArn",
    "auditor": "AuditorPolicyArn",
    "consumer": "BillingConsumerPolicyArn",
}

READERS = {"investigator", "auditor"}
WHO_MAY_CALL = {
    "POST /ingest": {"producer"},
    "GET /events": READERS,
    "GET /events/{event_id}": READERS,
    "GET /events/{event_id}/raw": READERS,
    "GET /late": READERS,
    "GET /late/summary": READERS,
    "GET /stale": READERS,
    "GET /gaps": READERS,
    "GET /sources": READERS,
    "GET /freshness": READERS,
    "POST /replay": {"investigator"},
    "GET /replay": READERS,
    "GET /replay/{replay_id}": READERS,
    "POST /replay/{replay_id}/cancel": {"investigator"},
    "POST /replay/{replay_id}/redrive": {"investigator"},
    "POST /replay/{replay_id}/outcomes": {"consumer"},
    "GET /destinations": READERS,
    "PUT /events-files/{sha256}": {"investigator"},
    "GET /aggregates": READERS,
    "GET /aggregates/inputs": READERS,
    "GET /aggregates/diff": READERS,
    "GET /metrics": READERS,
    "GET /metrics/{name}": READERS,
    "GET /metrics/{name}/values": READERS,
    "PUT /metrics/{name}": {"investigator"},
    "DELETE /metrics/{name}": {"investigator"},
    "GET /rejected": READERS,
    "GET /rejected/{rejected_id}": READERS,
    "POST /rejected/{rejected_id}/retry": {"producer"},
    "GET /openapi.json": READERS,
    "GET /health": READERS,
}


@pytest.fixture(scope="module")
def outputs(deployed: Deployed) -> dict[str, str]:
    [stack] = deployed.admin.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.fixture(scope="module")
def principals(deployed: Deployed, outputs: dict[str, str]) -> dict[str, Api]:
    """The API as each principal calls it; `nobody` is a user of the account without any policy."""
    arns = {name: [outputs[policy]] for name, policy in POLICIES.items()} | {"nobody": []}
    return {
        name: Api(_signing_with(deployed, user_with(deployed.admin, f"test-{name}", {}, policies)))
        for name, policies in arns.items()
    }


def _signing_with(deployed: Deployed, key: AccessKey) -> Any:
    return replace(deployed.stack, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key)


def test_every_route_is_in_the_table_and_no_other() -> None:
    assert {f"{method} {path}" for path, methods in app.routes.items() for method in methods} == WHO_MAY_CALL.keys()


@pytest.mark.parametrize("route", WHO_MAY_CALL)
@pytest.mark.parametrize("principal", [*POLICIES, "nobody"])
def test_a_principal_may_call_its_routes_and_no_other(
    principals: Mapping[str, Api], principal: str, route: str
) -> None:
    method, path = _request(route)

    answer = principals[principal].call(method, path, headers={"Content-Type": "application/json"})

    assert answer.status == (_answered(route) if principal in WHO_MAY_CALL[route] else 403), answer.data


@pytest.mark.parametrize("route", WHO_MAY_CALL)
def test_no_route_can_be_called_unsigned(deployed: Deployed, route: str) -> None:
    method, path = _request(route)

    assert urllib3.request(method, deployed.stack.api_url + path, retries=False, timeout=60).status == 403


def _answered(route: str) -> int:
    """The status for who may call a route, and says nothing with it, or names what is not there."""
    lists = {"GET /replay", "GET /destinations", "GET /sources", "GET /metrics"}
    if route in {"GET /health", "GET /openapi.json", *lists}:
        return 200
    needs_more = route.startswith("PUT ") or route in {
        "GET /metrics/{name}/values",
        "POST /replay/{replay_id}/outcomes",
    }
    return 404 if "{" in route and not needs_more else 400


def _request(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    for parameter in ("event_id", "replay_id", "rejected_id", "name", "sha256"):
        path = path.replace(f"{{{parameter}}}", "0" * 64)
    return method, path


# Functions on what is kept

FUNCTIONS = {
    "ingest": "IngestHandler",
    "api": "APIHandler",
    "planner": "Planner",
    "processor": "Processor",
    "dead letters": "DeadLetters",
    "digest": "Digest",
}

ON_BUCKET = {
    "put a raw object": {"ingest"},
    "put a refused event": {"ingest"},
    "get a raw object": {"ingest", "api", "processor", "dead letters"},
    "get a refused event": {"ingest", "api"},
    "list refused events": {"ingest", "api"},
    "list raw objects": {"api", "processor", "dead letters"},
    "get a version of a raw object": {"digest"},
    "get a version of a refused event": {"digest"},
    "list versions of a raw object": {"digest"},
    "list versions of a refused event": {"digest"},
    "list versions of markers": {"digest"},
    "put a change of a metric": {"api"},
    "get a change of a metric": {"api"},
    "list versions of changes of metrics": {"digest"},
    "put a file of events": {"api"},
    "get a file of events": {"api", "planner"},
    "list files of events": {"api", "planner"},
    "put a digest": {"digest"},
    "get a digest": {"digest"},
    "list digests": {"digest"},
    # MiniStack knows neither s3:if-none-match nor s3:ObjectCreationOperation, by which the bucket policy denies these
    # to everybody on AWS; tests/unit/infra/test_resources.py holds it. Whoever may not put cannot do it anyhow.
    "overwrite a raw object": {"ingest"},
    "copy over a raw object": {"ingest"},
}
ON_KEY = {"Sign": {"digest"}}
RECORDERS = {"planner", "processor", "dead letters"}
COUNTERS = {"api"} | RECORDERS
WRITES_TOGETHER = ("PutItem together", "PutItem over together")
"""No condition of IAM tells a put that writes over something from one that must not; docs/security.md says so."""

WRITES = ("PutItem", "PutItem over", *WRITES_TOGETHER)


def each(actions: Iterable[str], who: set[str]) -> dict[str, set[str]]:
    return {action: who for action in actions}  # noqa: C420  # nobody changes it


MESSAGES = "ENTITY#none#P1D#UTC#2026-11-21#VER#none"
ON_TABLES = {
    ("EventsTable", "ENTITY#none"): {"Query": {"api", "planner"}, **each(WRITES_TOGETHER, {"ingest"})},
    ("EventsTable", "EVENT#none"): {
        "Query": {"api", "planner"},
        "BatchWriteItem put": {"ingest"},
        "BatchWriteItem delete": {"ingest"},  # AWS has one right for puts and deletes
    },
    ("EventsTable", "SOURCES"): {
        "Query": {"api"},
        "BatchGetItem": {"ingest"},
        **each(WRITES, {"ingest"}),
    },
    ("DedupeTable", "none"): {"BatchGetItem": {"ingest", "api", "planner"}, **each(WRITES_TOGETHER, {"ingest"})},
    **{
        ("ReplaysTable", partition): {
            "GetItem": {"api"},
            "BatchGetItem": {"processor", "dead letters"},
            "Query": {"api", "planner"},
            **each(WRITES, {"api", "planner"}),
            "UpdateItem together": COUNTERS,
        }
        for partition in ("REPLAY#none", "REPLAY#none#DAYS", "REPLAY#none#SENT#0")
    },
    ("ReplaysTable", "ORDER"): each(("UpdateItem", "UpdateItem together"), {"api"}),
    ("ReplaysTable", "DESTINATION#none"): each(("GetItem", "UpdateItem", "UpdateItem together", *WRITES), {"planner"}),
    ("ReplaysTable", "DESTINATION#none#SENT#000"): {
        "BatchGetItem": {"api", "planner"},
        **each(("GetItem", "UpdateItem", "UpdateItem together", *WRITES), {"planner"}),
    },
    ("ReplaysTable", "METRIC#none"): {
        **each(("GetItem", "Query"), {"api"}),
        "BatchGetItem": {"api", "processor", "dead letters"},
        **each(WRITES_TOGETHER, {"api"}),
    },
    ("ReplaysTable", "KEY#none"): {"GetItem": {"api"}, "Query": {"api"}, **each(WRITES, {"api"})},
    ("AggregatesTable", "ENTITY#none"): {
        "Query": {"api"},
        "BatchGetItem": COUNTERS,
        **each(WRITES_TOGETHER, {"processor"}),
    },
    ("AggregatesTable", MESSAGES): {
        "Query": {"api"},
        "BatchGetItem": COUNTERS,
        **each(WRITES_TOGETHER, COUNTERS),
    },
    **{
        ("AggregatesTable", partition): {"BatchGetItem": {"api"}, **each(WRITES, {"api"})}
        for partition in ("TOTALS#none", "VALUES#none")
    },
}
for kept_by_planners in ("REPLAY#none#DAYS", "REPLAY#none#SENT#0", "DESTINATION#none#SENT#000"):
    ON_TABLES["ReplaysTable", kept_by_planners] |= each(("BatchWriteItem put", "BatchWriteItem delete"), {"planner"})
ON_TABLES["ReplaysTable", "REPLAY#none#SENT#0"]["BatchGetItem"] = {"api", "processor", "dead letters"}
INDEXES = {
    ("EventsTable", "by-type-and-day", "type_day"): {"api", "planner"},
    ("EventsTable", "late-arrivals", "late_day"): {"api"},
    ("ReplaysTable", "newest-first", "listing"): {"api"},
}
ON_QUEUES = {
    ("ReplayJobsQueue", "SendMessage"): {"api", "planner"},
    ("ReplayQueue", "SendMessage"): {"planner"},
    ("ToBilling", "SendMessage"): {"planner"},
    ("ToOrdered", "SendMessage"): {"planner"},
    ("ReplayJobsDeadLetterQueue", "SendMessage"): {"planner"},
    ("DeadLetterQueue", "SendMessage"): {"dead letters"},
    **{
        (queue, action): {"planner"}
        for queue in ("DeadLetterQueue", "DeadLettersOfBilling", "DeadLettersOfOrdered")
        for action in ("ReceiveMessage", "DeleteMessage")
    },
    **{
        (queue, action): {function}
        for queue, function in {
            "ReplayJobsQueue": "planner",
            "ReplayQueue": "processor",
            "ReplayFailuresQueue": "dead letters",
            "DigestQueue": "digest",
        }.items()
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    },
}

TABLES = tuple(PARTITIONS)
QUEUES = (
    "ReplayQueue",
    "ReplayFailuresQueue",
    "DeadLetterQueue",
    "ToBilling",
    "DeadLettersOfBilling",
    "ToOrdered",
    "DeadLettersOfOrdered",
    "ReplayJobsQueue",
    "ReplayJobsDeadLetterQueue",
    "DigestQueue",
)
PROBES: dict[str, tuple[Probe, set[str]]] = {
    **{f"bucket: {name}": (probe, ON_BUCKET.get(name, set())) for name, probe in BUCKET.items()},
    **{
        f"{name} {partition}: {action}": (probe, ON_TABLES[name, partition].get(action, set()))
        for name, partitions in PARTITIONS.items()
        for partition in partitions
        for action, probe in table(name, partition).items()
    },
    **{f"key: {action}": (probe, ON_KEY.get(action, set())) for action, probe in KEY.items()},
    **{f"{of}: Query {name}": (index(of, name, key), who) for (of, name, key), who in INDEXES.items()},
    **{
        f"{name}: {action}": (probe, ON_QUEUES.get((name, action), set()))
        for name in QUEUES
        for action, probe in queue(name).items()
    },
    **{f"ToNews: {action}": (probe, {"planner"}) for action, probe in bus("ToNews").items()},
}


def _key_with_rights_of(admin: Admin, role: str, user: str) -> AccessKey:
    """The role itself is Lambda's: its trust policy lets nobody else assume it."""
    names = admin.iam.list_role_policies(RoleName=role)["PolicyNames"]
    own: Any = {name: admin.iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
    attached = admin.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return user_with(admin, user, own, [policy["PolicyArn"] for policy in attached])


def physical_id(admin: Admin, logical_id: str) -> str:
    """What AWS calls a resource of the stack: a queue by its URL."""
    resource = admin.cloudformation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    return resource["StackResourceDetail"]["PhysicalResourceId"]


@pytest.fixture(scope="module")
def callers(deployed: Deployed) -> dict[str, Caller]:
    """AWS as each function calls it."""
    admin, found = deployed.admin, {}
    for name, logical_id in FUNCTIONS.items():
        function = physical_id(admin, logical_id)
        role = admin.functions.get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
        key = _key_with_rights_of(admin, role, f"test-function-{logical_id}")
        found[name] = Caller(deployed.stack.aws_endpoint_url, deployed.stack.region, key)
    return found


@pytest.fixture(scope="module")
def kept(deployed: Deployed, outputs: dict[str, str]) -> Kept:
    event = {"source": "e2e/permissions", "event_type": "t", "entity_id": "e", "event_time": "2026-11-21T12:00:00Z"}
    accepted = deployed.post("/ingest", event | {"payload": 1}).json()
    day, _, digest = deployed.post("/ingest", event).json()["rejected_id"].partition(".")
    bucket, raw_key = deployed.stack.raw_bucket, accepted["s3_key"]
    rejected_key = f"rejected/ingest_date={day}/{digest}.json"
    return Kept(
        bucket=bucket,
        raw_key=raw_key,
        raw_version=deployed.admin.s3.head_object(Bucket=bucket, Key=raw_key)["VersionId"],
        rejected_key=rejected_key,
        rejected_version=deployed.admin.s3.head_object(Bucket=bucket, Key=rejected_key)["VersionId"],
        tables={name: outputs[name] for name in TABLES},
        queues={name: physical_id(deployed.admin, name) for name in QUEUES},
        buses={"ToNews": json.loads(deployed.stack.destinations)["news"]["arn"]},
        key_arn=outputs["DigestKeyArn"],
    )


@pytest.mark.parametrize("action", PROBES)
def test_functions_may_do_what_they_need_and_nothing_else(
    callers: Mapping[str, Caller], kept: Kept, action: str
) -> None:
    probe, expected = PROBES[action]

    assert {name for name, caller in callers.items() if caller.may(probe, kept)} == expected


def test_what_was_tried_changed_nothing(deployed: Deployed, kept: Kept) -> None:
    versions = deployed.admin.s3.list_object_versions(Bucket=kept.bucket, Prefix=kept.raw_key)
    assert [(each["Key"], each["VersionId"]) for each in versions["Versions"]] == [(kept.raw_key, kept.raw_version)]
    assert not versions.get("DeleteMarkers")


def test_the_table_of_rights_names_only_what_is_tried() -> None:
    tried = {(name, partition) for name, partitions in PARTITIONS.items() for partition in partitions}
    assert ON_BUCKET.keys() <= BUCKET.keys()
    assert ON_KEY.keys() <= KEY.keys()
    assert ON_TABLES.keys() == tried
    for (name, partition), rights in ON_TABLES.items():
        assert rights.keys() <= table(name, partition).keys()
    assert ON_QUEUES.keys() <= {(name, action) for name in QUEUES for action in queue(name)}


# What the bucket denies to everybody

ANY_CALL_OF_S3 = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
DENIED_TO_EVERYBODY = {
    "change public access",
    "change the policy",
    "delete a digest",
    "delete a raw object",
    "delete a refused event",
    "delete a version of a raw object",
    "delete the policy",
    "expire everything",
    "shorten the lock",
    "suspend versioning",
    "turn notifications off",
}


def test_who_may_call_all_of_s3_still_cannot_delete_or_undo_what_protects_the_bucket(
    deployed: Deployed, kept: Kept
) -> None:
    """A bucket without a policy shows that nothing else denies these calls.

    MiniStack obeys bucket policies for everybody but root, and never sets aws:CalledVia. So the exception for
    CloudFormation is held on the template only (tests/unit/infra/test_resources.py).
    """
    unprotected = replace(kept, bucket="test-unprotected")
    where: Any = {"LocationConstraint": deployed.stack.region}
    deployed.admin.s3.create_bucket(Bucket=unprotected.bucket, CreateBucketConfiguration=where)
    key = user_with(deployed.admin, "test-any-call-of-s3", {"any": ANY_CALL_OF_S3})
    caller = Caller(deployed.stack.aws_endpoint_url, deployed.stack.region, key)

    assert {name for name in DENIED_TO_EVERYBODY if caller.may(BUCKET[name], unprotected)} == DENIED_TO_EVERYBODY
    assert {name for name in BUCKET if not caller.may(BUCKET[name], kept)} == DENIED_TO_EVERYBODY


# Who consumes, and who audits


def test_no_policy_for_people_allows_changing_what_is_kept(
    deployed: Deployed, outputs: dict[str, str], kept: Kept
) -> None:
    changing = (
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "PurgeQueue",
        "SendMessage",
        "SetQueueAttributes",
        "Sign",
        "ScheduleKeyDeletion",
    )
    keys = {name: user_with(deployed.admin, f"test-{name}", {}, [outputs[policy]]) for name, policy in POLICIES.items()}
    for name, key in keys.items():
        caller = Caller(deployed.stack.aws_endpoint_url, deployed.stack.region, key)
        may = {action for action, (probe, _) in PROBES.items() if caller.may(probe, kept)}
        assert not [action for action in may if any(word in action for word in changing)], name
        reading = ("bucket: get", "bucket: list")
        assert not [action for action in may if action.startswith("bucket: ") and not action.startswith(reading)], name


def test_an_auditor_reads_all_that_is_kept(deployed: Deployed, outputs: dict[str, str], kept: Kept) -> None:
    key = user_with(deployed.admin, "test-auditor", {}, [outputs["AuditorPolicyArn"]])
    caller = Caller(deployed.stack.aws_endpoint_url, deployed.stack.region, key)
    may = {action for action, (probe, _) in PROBES.items() if caller.may(probe, kept)}

    reading = ("GetItem", "BatchGetItem", "Query", "Scan")
    assert may == {
        *(f"bucket: {name}" for name in BUCKET if name.startswith(("get", "list"))),
        *(f"{of} {key}: {action}" for of, keys in PARTITIONS.items() for key in keys for action in reading),
        *(f"{of}: Query {name}" for of, name, _ in INDEXES),
        *(f"{name}: GetQueueAttributes" for name in QUEUES),
        "key: GetPublicKey",
    }
    assert json.loads(caller.s3.get_bucket_policy(Bucket=kept.bucket)["Policy"])["Statement"]
    assert caller.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
