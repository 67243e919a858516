"""The embedded AWS obeys the key of its own state's administrator and keys of its users, and nobody without one."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
import urllib3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from embedded.admin import REGION, Admin
from embedded.intruders import CONTROL_HEADER
from embedded.layout import Layout
from tests.e2e.faults import faulty_wire
from tests.e2e.stages import Emulated, emulated

CREATED = "/?Action=CreateUser&UserName=mallory&Version=2010-05-08"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    with emulated(tmp_path_factory.mktemp("account")) as account:
        account.admin.s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield account


def asked(aws: Emulated, method: str, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib3.request(method, aws.endpoint_url + path, headers=named, retries=False, timeout=60.0)


def signed(aws: Emulated, path: str, key_id: str, secret: str, *, in_query: bool = False) -> urllib3.BaseHTTPResponse:
    request = AWSRequest("GET", aws.endpoint_url + path)
    signer = SigV4QueryAuth if in_query else SigV4Auth
    signer(Credentials(key_id, secret), "iam", REGION).add_auth(request)
    return urllib3.request("GET", str(request.url), headers=dict(request.headers), retries=False, timeout=60.0)


def users(aws: Emulated) -> list[str]:
    return [user["UserName"] for user in aws.admin.iam.list_users()["Users"]]


@pytest.mark.parametrize("in_query", [False, True])
@pytest.mark.parametrize("key_id", ["test", "000000000000", "123456789012", "AKIARETRACELOCALROOT", "", "nobody"])
def test_only_the_administrators_key_is_root(aws: Emulated, key_id: str, *, in_query: bool) -> None:
    secret = aws.administrator.secret_access_key

    assert signed(aws, CREATED, key_id, secret, in_query=in_query).status == 403
    assert "mallory" not in users(aws)


@pytest.mark.parametrize("in_query", [False, True])
def test_the_administrators_key_without_its_secret_opens_nothing(aws: Emulated, *, in_query: bool) -> None:
    assert signed(aws, CREATED, aws.administrator.access_key_id, "guessed", in_query=in_query).status == 403
    assert "mallory" not in users(aws)


@pytest.mark.parametrize("scope", ["iam", "s3", "sts", "nothing"])
def test_an_invalid_signature_opens_nothing_whatever_service_it_names(aws: Emulated, scope: str) -> None:
    credential = f"{aws.administrator.access_key_id}/20261121/{REGION}/{scope}/aws4_request"
    header = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={64 * '0'}"
    query = f"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quote(credential)}&X-Amz-Signature={64 * '0'}"

    assert asked(aws, "GET", CREATED, Authorization=header).status in {400, 403}
    assert asked(aws, "GET", CREATED + query).status == 403
    assert asked(aws, "GET", "/kept", Authorization=header).status in {400, 403}
    assert asked(aws, "GET", f"/kept?list-type=2{query}").status == 403
    assert "mallory" not in users(aws)


@pytest.mark.parametrize("path", ["/", "/kept", CREATED, "/oauth2/authorize", "/v2/", "/2015-03-31/functions/"])
def test_unsigned_requests_are_for_apis_alone(aws: Emulated, path: str) -> None:
    assert asked(aws, "GET", path).status == 403
    assert asked(aws, "POST", path).status == 403


@pytest.mark.parametrize("path", ["/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Akept", "/v20180820/accesspoint"])
def test_s3_control_is_not_served_as_ministack_looks_at_no_signature_there(aws: Emulated, path: str) -> None:
    assert signed(aws, path, "nobody", "guessed").status == 403
    assert signed(aws, path, "nobody", "guessed", in_query=True).status == 403
    assert signed(aws, path, *root(aws)).status == 403


def test_the_administrator_may_do_all_and_a_user_what_it_is_allowed(aws: Emulated) -> None:
    aws.admin.sqs.create_queue(QueueName="orders")
    user = boto3.Session(*aws.user("reader"), region_name=REGION).client("sqs", endpoint_url=aws.endpoint_url)

    with pytest.raises(ClientError, match="AccessDenied"):
        user.list_queues()
    assert len(aws.admin.sqs.list_queues()["QueueUrls"]) == 1


def test_a_url_that_a_user_signed_opens_what_it_says(aws: Emulated) -> None:
    key = aws.user("signer")
    aws.admin.iam.put_user_policy(
        UserName="signer",
        PolicyName="read",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        ),
    )
    aws.admin.s3.put_object(Bucket="kept", Key="a", Body=b"b")
    s3 = boto3.Session(*key, region_name=REGION).client("s3", endpoint_url=aws.endpoint_url)
    url = s3.generate_presigned_url("get_object", {"Bucket": "kept", "Key": "a"})

    assert urllib3.request("GET", url).data == b"b"
    assert urllib3.request("GET", url.replace("kept/a", "kept/b")).status == 403


CONTROL = [
    ("POST", "/_ministack/reset"),
    ("POST", "/_ministack/config"),
    ("GET", "/_ministack/health"),
    ("GET", "/_ministack/ready"),
    ("GET", "/_ministack/sqs/messages"),
    ("GET", "/_ministack/lambda-code/retrace"),
    ("PUT", "/_ministack/cfn-response/x"),
    ("PUT", "/_emulator/delay?ms=5"),
    ("GET", "/_localstack/health"),
    ("GET", "/%5Fministack/health"),
    ("GET", "/_aws/lambda-url/x/"),
    ("GET", "/health"),
]


@pytest.mark.parametrize(("method", "path"), CONTROL)
@pytest.mark.parametrize("secret", [None, "", "guessed"])
def test_controlling_the_emulator_requires_its_secret(
    aws: Emulated, method: str, path: str, secret: str | None
) -> None:
    headers = {} if secret is None else {CONTROL_HEADER: secret}

    assert asked(aws, method, path, **headers).status == 403
    assert [bucket["Name"] for bucket in aws.admin.s3.list_buckets()["Buckets"]] == ["kept"]


def test_its_own_programs_control_it(aws: Emulated) -> None:
    assert asked(aws, "GET", "/_ministack/health", **aws.administrator.control_headers).status == 200
    assert asked(aws, "PUT", "/_emulator/delay?ms=0", **aws.administrator.control_headers).status == 204


def test_a_page_reaches_nothing_over_the_faulty_wire_either(aws: Emulated) -> None:
    with faulty_wire(aws.endpoint_url) as wire:
        answers = [
            urllib3.request(method, wire.endpoint_url + path, headers={"Origin": "null"}, retries=False, timeout=60.0)
            for method, path in [("DELETE", "/_wire/calls"), ("POST", "/_microburst/rules"), ("GET", "/kept")]
        ]

    assert [answer.status for answer in answers] == [403, 403, 403]


def test_no_answer_lets_a_page_read_it(aws: Emulated) -> None:
    answers = [
        signed(aws, "/?Action=ListUsers&Version=2010-05-08", *root(aws)),
        asked(aws, "OPTIONS", "/kept", Origin="http://evil.example"),
        asked(aws, "GET", "/_ministack/health", **aws.administrator.control_headers),
        asked(aws, "GET", "/_aws/execute-api/none/api/health"),
        asked(aws, "OPTIONS", "/_aws/execute-api/none/api/health"),
    ]

    assert [answer.status for answer in answers[:3]] == [200, 403, 200]
    assert [name for answer in answers for name in answer.headers if name.lower().startswith("access-control")] == []


def root(aws: Emulated) -> tuple[str, str]:
    return aws.administrator.access_key_id, aws.administrator.secret_access_key


@pytest.mark.parametrize("headers", [{"Host": "rebound.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "same-site"}])
def test_a_page_opens_nothing_even_with_the_secret(aws: Emulated, headers: dict[str, str]) -> None:
    answer = asked(aws, "GET", "/_ministack/health", **headers, **aws.administrator.control_headers)

    assert answer.status == 403


def test_two_states_have_different_administrators(aws: Emulated, tmp_path: Path) -> None:
    with emulated(tmp_path) as other, pytest.raises(ClientError):
        Admin(other.endpoint_url, aws.administrator).iam.list_users()


def test_everything_that_a_state_keeps_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask, and also what was there with wider modes."""
    layout = Layout(tmp_path / "wide")
    before = os.umask(0)
    try:
        (layout.state / "inner").mkdir(parents=True)
        for file in (layout.connection_file, layout.log_file, layout.state / "old.json", layout.state / "inner/x.json"):
            file.write_text("{}")
        with emulated(layout.directory) as account:
            account.admin.s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            account.admin.s3.put_object(Bucket="kept", Key="a", Body=b"b")
            running = open_to_others(layout.directory)
        stopped = open_to_others(layout.directory)
    finally:
        os.umask(before)

    assert (running, stopped) == ([], [])


def open_to_others(directory: Path) -> list[str]:
    paths = [directory, *directory.rglob("*")]
    return [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
