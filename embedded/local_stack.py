"""The AWS of `make local`: an emulator of its own with the resources of infra/resources.yaml and no functions.

On the stack of `make up` the deployed functions would take the messages that the code of the checkout waits for. The
policies are those that the functions have where they are deployed: a permission that is missing there is missed here.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from embedded import server
from embedded.adaptation import allow_batch_forms, close_gaps
from embedded.admin import REGION, AccessKey, Admin, Administrator, functions_user
from embedded.deployment import PARAMETERS, STACK_NAME, declarations_of, deploy_template
from embedded.layout import LOOPBACK, Layout, free_port, locked, require_free
from embedded.server import Server
from infra.command import Problem, Tell
from infra.destination_file import file_of
from infra.destinations import sending_in, with_destinations
from infra.merge import RESOURCES, load
from infra.record_outputs import environment_name
from infra.roles import of_stage
from infra.stack import Stack

Environment = dict[str, str]

POLLING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["sqs:GetQueueUrl", "sqs:ChangeMessageVisibility"],
            "Resource": "arn:aws:sqs:*:*:retrace-dev-replay*",
        }
    ],
}
"""What embedded/poller.py needs and Lambda does by itself."""


@contextmanager
def local_stack(layout: Layout, inherited: Mapping[str, str], tell: Tell) -> Iterator[Environment]:
    """Yield the environment in which the code of the checkout finds its resources; the emulator stops afterwards."""
    with locked(layout.busy_lock) as alone:
        if not alone:
            raise Problem("`make local` runs already.", "End that one with Ctrl-C, or use it.")
        emulator = _emulator(layout, tell)
        try:
            declared = declarations_of(file_of(PARAMETERS["Stage"]))
            tell("Deploying bucket, tables and queues")
            admin = Admin(emulator.endpoint_url, Administrator.of(layout))
            outputs = deploy_template(admin, with_destinations(load(RESOURCES), declared), PARAMETERS)
            close_gaps(admin, outputs)
            key = functions_user(admin, policies(admin, outputs["Destinations"]))
            yield environment(inherited, emulator, outputs, key)
        finally:
            server.stop(layout, emulator)


def environment(
    inherited: Mapping[str, str], emulator: Server, outputs: Mapping[str, str], key: AccessKey
) -> Environment:
    """Return the variables that a function would have, and none of the user's own AWS settings."""
    foreign = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    settings = {environment_name(output): value for output, value in outputs.items()}
    aws = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"{LOOPBACK},localhost",
    }
    ours = {"STAGE": PARAMETERS["Stage"], "REPORT_BATCH_ITEM_FAILURES": "true", "INDEX_LAG_SECONDS": "0"}
    return foreign | settings | aws | ours


def policies(admin: Admin, destinations: str) -> dict[str, dict[str, Any]]:
    """Return the policies of all functions, by name, with these DESTINATIONS."""
    stack = Stack(admin.cloudformation, STACK_NAME)
    described = stack.described()
    assert described is not None, "it was deployed just now"  # noqa: S101  # mypy cannot know
    found = of_stage(PARAMETERS["Stage"], described["StackId"], stack.resources(), PARAMETERS, sending_in(destinations))
    for policy in found.values():
        allow_batch_forms(policy)
    return found | {"polling": POLLING}


def _emulator(layout: Layout, tell: Tell) -> Server:
    """Return the emulator: a new one, or what a `make local` that was killed has left behind."""
    left = server.find(layout)
    if left is not None:
        return left
    tell("Starting the embedded AWS")
    kept = layout.kept_port()
    if kept is not None:
        _require_kept(layout, kept)
    return server.start(layout, kept or free_port())


def _require_kept(layout: Layout, port: int) -> None:
    try:
        require_free(port)
    except Problem as error:
        raise Problem(
            f"{error.what} What is kept in {layout.directory} belongs to that port.",
            "End that program, or delete that directory and start without it.",
        ) from error
