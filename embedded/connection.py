"""How to reach a stack: what `make up` writes to .retrace/local.json, and for shells to .retrace/local.env."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded.layout import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A deployed, answering stack. The key is that of the local user; the routes want SigV4."""

    api_url: str
    access_key_id: str
    secret_access_key: str
    aws_endpoint_url: str
    region: str
    raw_bucket: str
    events_table: str
    dedupe_table: str
    replays_table: str
    aggregates_table: str
    replay_queue_url: str
    destinations: str
    """Where replays may send: names and ARNs, as JSON."""
    replay_jobs_queue_url: str
    replay_failures_queue_url: str
    dead_letter_queue_url: str
    replay_jobs_dead_letter_queue_url: str
    digest_key_arn: str = ""
    """Empty where there are no digests."""
    administrator_file: str
    """Where the key of the account's administrator is kept, for what the local user may not do."""


def save(path: Path, stack: Stack) -> None:
    """Write the file, and beside it what a shell may source."""
    write_private(path, json.dumps(asdict(stack), indent=2) + "\n")
    write_private(shell_file(path), shell_variables(stack))


def shell_file(path: Path) -> Path:
    """The file beside it that a shell may source."""
    return path.with_suffix(".env")


def shell_variables(stack: Stack) -> str:
    """Return the lines that make curl, the AWS CLI and a consumer of one's own talk to the stack."""
    variables = {
        "RETRACE_URL": stack.api_url,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "AWS_REGION": stack.region,
        "AWS_ENDPOINT_URL": stack.aws_endpoint_url,
        "DESTINATIONS": stack.destinations,
        "REPLAY_QUEUE_URL": stack.replay_queue_url,
        "REPLAY_FAILURES_QUEUE_URL": stack.replay_failures_queue_url,
        "DEAD_LETTER_QUEUE_URL": stack.dead_letter_queue_url,
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def load(path: Path) -> Stack | None:
    """Read the file; None if there is none, or none that this version wrote."""
    try:
        return Stack(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
