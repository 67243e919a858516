"""A whole stack: the emulator started, the application deployed onto it, its API answering."""

import http
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import urllib3

from embedded import administrator, connection, server
from embedded.admin import Admin
from embedded.api import Api
from embedded.bundle import packaged
from embedded.cloudformation_gaps import close_gaps
from embedded.connection import Stack
from embedded.deployment import deploy
from embedded.layout import Layout
from embedded.ports import free_port
from embedded.server import Server
from embedded.users import AccessKey, local_user
from infra.command import Problem, Tell, silent, wait_until

API_STAGE = "api"
ANSWER_SECONDS = 90.0

Parameters = Mapping[str, str]
DEFAULTS: Parameters = {}


@contextmanager
def started(
    directory: Path | None = None, *, port: int = 0, tell: Tell = silent, parameters: Parameters = DEFAULTS
) -> Iterator[Stack]:
    """Yield a stack of its own, and stop it afterwards.

    Port 0 stands for any free one. Without a directory nothing is left behind; with one, state is kept there.
    Parameters are those of the template, such as EnableProcessor.
    """
    with tempfile.TemporaryDirectory(prefix="retrace-", ignore_cleanup_errors=True) as temporary:
        layout = Layout(directory or Path(temporary))
        package = packaged(tell)  # before anything runs, so that a failure leaves nothing running
        emulator = launch(layout, port or layout.kept_port() or free_port(), tell, kept=directory is not None)
        try:
            yield bring_up(layout, emulator, package, tell, parameters)
        finally:
            server.stop(layout, emulator)


def launch(layout: Layout, port: int, tell: Tell, *, kept: bool = True) -> Server:
    """Start the emulator."""
    tell("Starting the embedded AWS")
    return server.start(layout, port, kept=kept)


def bring_up(layout: Layout, emulator: Server, package: Path, tell: Tell, parameters: Parameters = DEFAULTS) -> Stack:
    """Deploy the package onto a running emulator, wait for its API, and write down how to reach it."""
    tell("Deploying with CloudFormation")
    admin = Admin(emulator.endpoint_url, administrator.of(layout))
    outputs = deploy(admin, package, parameters)
    close_gaps(admin, outputs)
    key = local_user(admin, outputs, _known_key(layout))
    stack = _described(emulator, outputs, key, layout)
    tell("Waiting for the API")
    _wait_for_api(stack, layout)
    connection.save(layout.connection_file, stack)
    return stack


def _known_key(layout: Layout) -> AccessKey | None:
    known = connection.load(layout.connection_file)
    return AccessKey(known.access_key_id, known.secret_access_key) if known is not None else None


def _described(emulator: Server, outputs: dict[str, str], key: AccessKey, layout: Layout) -> Stack:
    return Stack(
        # The path-style address: the usual one, <api>.execute-api.<host>, needs DNS that not every machine has.
        api_url=f"{emulator.endpoint_url}/_aws/execute-api/{outputs['RestAPIId']}/{API_STAGE}",
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
        aws_endpoint_url=emulator.endpoint_url,
        region=server.REGION,
        raw_bucket=outputs["RawBucket"],
        events_table=outputs["EventsTable"],
        dedupe_table=outputs["DedupeTable"],
        replays_table=outputs["ReplaysTable"],
        aggregates_table=outputs["AggregatesTable"],
        replay_queue_url=outputs["ReplayQueueUrl"],
        ordered_replay_queue_url=outputs["OrderedReplayQueueUrl"],
        replay_jobs_queue_url=outputs["ReplayJobsQueueUrl"],
        replay_failures_queue_url=outputs["ReplayFailuresQueueUrl"],
        dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
        ordered_dead_letter_queue_url=outputs["OrderedDeadLetterQueueUrl"],
        replay_jobs_dead_letter_queue_url=outputs["ReplayJobsDeadLetterQueueUrl"],
        digest_key_arn=outputs.get("DigestKeyArn", ""),
        administrator_file=str(layout.administrator_file),
    )


def _wait_for_api(stack: Stack, layout: Layout) -> None:
    last = "no answer"

    def healthy() -> bool:
        nonlocal last
        try:
            answer = Api(stack).call("GET", "/health")
        except urllib3.exceptions.HTTPError as exc:
            last = str(exc)
            return False
        last = f"{answer.status} {answer.data.decode(errors='replace')}"
        return answer.status == http.HTTPStatus.OK

    if not wait_until(healthy, ANSWER_SECONDS, every=0.2):
        raise Problem(
            f"GET /health did not succeed; it last answered: {last}\nThe emulator last said:\n{layout.last_words()}",
            f"More: {layout.log_file}",
        )
