"""The shape of the code: who may import whom, where the world is let in, how large a module may grow.

Each rule reads one module and names what offends it. The rules are held against every module of the application, and
each of them against a snippet that must offend it, as a rule that cannot fail holds nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A module that is named in neither is held to the strictest rule of its place: that of a use case, or of an adapter.
EDGE = {
    "adapters",
    "answer_body",
    "caching",
    "config",
    "consumer_wiring",
    "contract",
    "event_sources",
    "http",
    "openapi",
    "operations",
    "permissions",
    "queries",
    "received",
    "representations",
    "runtime",
    "telemetry",
    "wiring",
}
WIRING = ("chalicelib.wiring", "chalicelib.consumer_wiring")
SHARED_BY_USE_CASES = {"examine", "selection", "stretch"}
SHARED_BY_ADAPTERS = {
    "aggregate_rows",
    "batches",
    "event_rows",
    "found_days",
    "items",
    "keys",
    "message_batches",
    "outboxes",
    "positions",
    "replay_keys",
    "replay_rows",
    "seam",
    "transactions",
    "write_once",
}

MAX_LINES = 220
MAX_LINES_OF_ROUTES = 300  # a list of functions, each of which only delegates
VAGUE_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


@dataclass(frozen=True)
class Module:
    """A module by its dotted name, and what it says."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_use_case(self) -> bool:
        package, _, name = self.name.partition(".")
        of_edge = name.partition(".")[0] in EDGE or name.endswith("_representations")
        return package == "chalicelib" and not (of_edge or self.is_domain or self.is_of_aws)

    @property
    def is_domain(self) -> bool:
        return self.name == "chalicelib.domain" or self.name.startswith("chalicelib.domain.")

    @property
    def is_of_aws(self) -> bool:
        return self.name == "chalicelib.aws" or self.name.startswith("chalicelib.aws.")

    @property
    def is_of_command_line(self) -> bool:
        return self.name == "retrace" or self.name.startswith("retrace.")

    @property
    def imports(self) -> Iterator[str]:
        """The dotted name of whatever is imported, wherever in the module: `from a import b` is a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)

    @property
    def uses(self) -> Iterator[str]:
        """Every dotted name that is read, such as os.environ or datetime.datetime.now."""
        return (ast.unparse(node) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute))


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def ours(module: Module) -> Iterator[str]:
    packages = ("app", "bench", "chalicelib", "embedded", "infra", "retrace", "tests")
    return (name for name in module.imports if under(name, *packages) or name.startswith("."))


def use_cases_import_the_domain_and_what_they_share(module: Module) -> Iterator[str]:
    shared = {f"chalicelib.{name}" for name in SHARED_BY_USE_CASES}
    if module.is_use_case:
        yield from (name for name in ours(module) if not under(name, "chalicelib.domain", *shared))


def adapters_import_the_domain_and_what_they_share(module: Module) -> Iterator[str]:
    shared = {f"chalicelib.aws.{name}" for name in SHARED_BY_ADAPTERS}
    if module.is_of_aws:
        yield from (name for name in ours(module) if not under(name, "chalicelib.domain", *shared))


def the_domain_imports_nothing_of_ours(module: Module) -> Iterator[str]:
    if module.is_domain:
        yield from (name for name in ours(module) if not under(name, "chalicelib.domain"))


def the_domain_does_no_input_or_output(module: Module) -> Iterator[str]:
    outside = ("boto3", "botocore", "chalice", "http", "io", "logging", "os", "pathlib", "random", "secrets", "socket")
    if module.is_domain:
        found = (name for name in module.imports if under(name, *outside, "sys", "threading", "time", "uuid"))
        yield from (name for name in found if name != "io.BytesIO")  # bytes in memory
        yield from (name for name in called(module) if name in ("input", "open", "print"))


def called(module: Module) -> Iterator[str]:
    return (ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def the_application_does_not_know_the_command_line(module: Module) -> Iterator[str]:
    if not module.is_of_command_line:
        yield from (name for name in module.imports if under(name, "retrace", "rich", "typer"))


def the_command_line_imports_the_domain_and_where_it_checks_adapters_and_settings(module: Module) -> Iterator[str]:
    if module.is_of_command_line:
        checking = ("chalicelib.aws", "chalicelib.config") if under(module.name, "retrace.checking") else ()
        console = ("chalicelib.operations",) if under(module.name, "retrace.console") else ()
        allowed = ("retrace", "chalicelib.domain", *checking, *console)
        yield from (name for name in ours(module) if not under(name, *allowed))


def the_rules_of_the_console_do_no_input_or_output(module: Module) -> Iterator[str]:
    if module.name in ("retrace.console.admission", "retrace.console.picture"):
        yield from (name for name in module.imports if under(name, "retrace", "starlette", "urllib3", "os", "time"))


def the_command_line_makes_clients_in_one_place(module: Module) -> Iterator[str]:
    if module.is_of_command_line and module.name != "retrace.target":
        yield from (name for name in (*module.imports, *module.uses) if under(name, "boto3"))


def the_command_line_tells_progress_in_one_place(module: Module) -> Iterator[str]:
    if module.is_of_command_line and module.name != "retrace.progress":
        yield from (name for name in module.imports if under(name, "rich.live", "rich.progress", "rich.status"))


def the_command_line_imports_nothing_that_windows_lacks(module: Module) -> Iterator[str]:
    lacking = ("fcntl", "grp", "os.fchmod", "os.fork", "os.geteuid", "os.getuid", "os.umask", "pty", "pwd", "resource")
    signals = ("signal.SIGHUP", "signal.SIGKILL", "signal.SIGUSR1", "signal.SIGUSR2")
    if module.is_of_command_line:
        used = (*module.imports, *module.uses)
        yield from (name for name in used if under(name, *lacking, *signals, "syslog", "termios", "tty"))


def the_command_line_names_the_encoding_of_text(module: Module) -> Iterator[str]:
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    if module.is_of_command_line:
        for call in calls:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
            given = {keyword.arg for keyword in call.keywords}
            binary = any(re.search("'[rwxa]b'", ast.unparse(value)) for value in call.args)
            takes_bytes = binary or ast.unparse(call.func) == "os.open"
            if name in ("read_text", "write_text") or (name == "open" and not takes_bytes):
                yield from [] if "encoding" in given else [f"{name} at line {call.lineno}"]


def only_the_runtime_makes_clients(module: Module) -> Iterator[str]:
    makers = ("boto3.client", "boto3.resource", "boto3.session", "boto3.Session", "botocore.session")
    if module.name != "chalicelib.runtime":
        yield from (name for name in (*module.imports, *module.uses) if under(name, *makers))


def only_the_runtime_has_clock_chance_and_threads(module: Module) -> Iterator[str]:
    if module.name != "chalicelib.runtime":
        yield from (name for name in module.imports if under(name, "random", "secrets", "threading", "time"))
        yield from (name for name in module.imports if under(name, "asyncio", "concurrent", "multiprocessing"))
        yield from (name for name in module.uses if any(name.endswith(clock) for clock in CLOCKS))


def only_the_runtime_and_the_routes_read_the_environment(module: Module) -> Iterator[str]:
    if module.name not in ("chalicelib.runtime", "app"):
        yield from (name for name in (*module.imports, *module.uses) if under(name, "os.environ", "os.getenv"))


def only_the_wiring_reads_settings(module: Module) -> Iterator[str]:
    if module.name not in ("chalicelib.runtime", "chalicelib.adapters", *WIRING) and not module.is_of_command_line:
        read = (*module.imports, *module.uses)
        yield from (name for name in read if under(name, "chalicelib.config", "chalicelib.runtime.settings"))
        yield from (name for name in module.uses if under(name, "runtime.settings"))


def adapters_are_constructed_in_one_place(module: Module) -> Iterator[str]:
    if module.name != "chalicelib.adapters" and not module.is_of_aws and not module.is_of_command_line:
        yield from (name for name in module.imports if under(name, "chalicelib.aws"))


def adapters_take_keys_from_where_they_are_built(module: Module) -> Iterator[str]:
    if module.is_of_aws and module.stem not in ("keys", "replay_keys", "positions"):
        literals = (node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
        yield from (text for text in literals if isinstance(text, str) and re.search("[A-Z]#", text))


def nothing_of_aws_happens_at_import(module: Module) -> Iterator[str]:
    for statement in module.tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            names = {ast.unparse(node) for node in ast.walk(statement) if isinstance(node, ast.Attribute | ast.Name)}
            yield from (name for name in names if under(name, "boto3", "botocore"))


def only_the_http_edge_knows_the_web_framework(module: Module) -> Iterator[str]:
    if module.name not in ("app", "chalicelib.http", "chalicelib.queries", "chalicelib.received"):
        yield from (name for name in module.imports if under(name, "chalice"))


def routes_only_delegate(module: Module) -> Iterator[str]:
    if module.name == "app":
        yield from (name for name in module.imports if under(name, "boto3", "botocore", "chalicelib.aws"))
        yield from (f"try at line {node.lineno}" for node in ast.walk(module.tree) if isinstance(node, ast.Try))


def aws_errors_stay_in_the_adapters(module: Module) -> Iterator[str]:
    if not module.is_of_aws:
        yield from (name for name in module.imports if under(name, "botocore.exceptions"))


def modules_are_short(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > (MAX_LINES_OF_ROUTES if module.name == "app" else MAX_LINES):
        yield f"{lines} lines"


def names_say_what_things_are(module: Module) -> Iterator[str]:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [module.stem, *(node.name for node in ast.walk(module.tree) if isinstance(node, definitions))]
    yield from (
        name for name in names if VAGUE_WORDS & set(re.findall(r"[a-z]+", re.sub("([A-Z])", r"_\1", name).lower()))
    )


def modules_begin_with_their_docstring(module: Module) -> Iterator[str]:
    if not module.source.startswith('"""') or not ast.get_docstring(module.tree):
        yield "no docstring on the first line"


Rule = Callable[[Module], Iterator[str]]

# Each rule with the name and text of modules that offend it.
RULES: dict[Rule, list[tuple[str, str]]] = {
    use_cases_import_the_domain_and_what_they_share: [
        ("chalicelib.ingest", "from chalicelib.aws.raw_store import S3RawStore"),
        ("chalicelib.ingest", "from chalicelib import telemetry"),
        ("chalicelib.process", "import chalicelib.replay"),
        ("chalicelib.settle", "def f():\n    from chalicelib.config import Settings"),
        ("chalicelib.replay", "from . import wiring"),
        ("chalicelib.search", "import app"),
        ("chalicelib.anything_new", "from chalicelib import http"),
    ],
    adapters_import_the_domain_and_what_they_share: [
        ("chalicelib.aws.raw_store", "from chalicelib.ingest import Ingest"),
        ("chalicelib.aws.raw_store", "from chalicelib.aws.quarantine import S3Quarantine"),
        ("chalicelib.aws.queues", "from chalicelib.aws import raw_store"),
        ("chalicelib.aws.event_rows", "from chalicelib.aws import identities"),
        ("chalicelib.aws.queues", "from chalicelib.config import Settings"),
        ("chalicelib.aws.keys", "from .raw_store import S3RawStore"),
        ("chalicelib.aws.anything_new", "from chalicelib.aws.raw_store import S3RawStore"),
    ],
    the_domain_imports_nothing_of_ours: [
        ("chalicelib.domain.event", "from chalicelib.config import Settings"),
        ("chalicelib.domain.event", "from chalicelib.aws import keys"),
        ("chalicelib.domain.event", "from chalicelib import ingest"),
        ("chalicelib.domain.event", "from .. import ingest"),
    ],
    the_domain_does_no_input_or_output: [
        ("chalicelib.domain.event", "import boto3"),
        ("chalicelib.domain.event", "from botocore.exceptions import ClientError"),
        ("chalicelib.domain.event", "from chalice.app import BadRequestError"),
        ("chalicelib.domain.event", "import os"),
        ("chalicelib.domain.event", "from io import FileIO"),
        ("chalicelib.domain.event", "from uuid import uuid4"),
        ("chalicelib.domain.event", "print('x')"),
        ("chalicelib.domain.event", "open('x')"),
    ],
    the_application_does_not_know_the_command_line: [
        ("chalicelib.ingest", "from retrace.times import parse_time"),
        ("chalicelib.domain.event", "import retrace"),
        ("app", "import typer"),
    ],
    the_command_line_imports_the_domain_and_where_it_checks_adapters_and_settings: [
        ("retrace.search", "from chalicelib.aws import keys"),
        ("retrace.search", "from chalicelib.config import Settings"),
        ("retrace.search", "from chalicelib.operations import OPERATIONS"),
        ("retrace.console.forwarding", "from chalicelib.aws import keys"),
        ("retrace.search", "from chalicelib.ingest import Ingest"),
        ("retrace.checking.audit", "from chalicelib.runtime import clients"),
        ("retrace.search", "from embedded.connection import Stack"),
        ("retrace.search", "from .. import chalicelib"),
    ],
    the_rules_of_the_console_do_no_input_or_output: [
        ("retrace.console.picture", "from retrace.client import Client"),
        ("retrace.console.admission", "from starlette.requests import Request"),
    ],
    the_command_line_makes_clients_in_one_place: [
        ("retrace.checking.audit", "import boto3\nboto3.client('s3')"),
        ("retrace.search", "from boto3 import Session"),
    ],
    the_command_line_tells_progress_in_one_place: [
        ("retrace.ingesting.progress", "from rich.progress import Progress")
    ],
    the_command_line_imports_nothing_that_windows_lacks: [
        ("retrace.search", "import fcntl"),
        ("retrace.exporting.files", "import os\nos.fchmod(3, 0o600)"),
        ("retrace.ingesting.interrupt", "from signal import SIGHUP"),
    ],
    the_command_line_names_the_encoding_of_text: [
        ("retrace.finding", "path.read_text()"),
        ("retrace.finding", "path.open()"),
        ("retrace.finding", "open(name, 'w')"),
    ],
    only_the_runtime_makes_clients: [
        ("chalicelib.aws.raw_store", "import boto3\nboto3.client('s3')"),
        ("chalicelib.aws.raw_store", "import boto3\ndef f():\n    return boto3.resource('dynamodb').Table('x')"),
        ("chalicelib.http", "from boto3 import client"),
        ("app", "import boto3\nboto3.Session()"),
    ],
    only_the_runtime_has_clock_chance_and_threads: [
        ("chalicelib.domain.timestamps", "from datetime import datetime\ndatetime.now()"),
        ("chalicelib.domain.timestamps", "import datetime\ndatetime.datetime.now(datetime.UTC)"),
        ("chalicelib.domain.timestamps", "from datetime import date\ntoday = date.today"),
        ("chalicelib.ingest", "import time"),
        ("chalicelib.aws.queues", "from time import sleep"),
        ("chalicelib.aws.queues", "from random import uniform"),
        ("chalicelib.process", "from concurrent.futures import ThreadPoolExecutor"),
    ],
    only_the_runtime_and_the_routes_read_the_environment: [
        ("chalicelib.config", "import os\nos.environ['RAW_BUCKET']"),
        ("chalicelib.telemetry", "import os\nos.getenv('STAGE')"),
        ("chalicelib.http", "from os import environ"),
    ],
    only_the_wiring_reads_settings: [
        ("chalicelib.http", "from chalicelib import runtime\nruntime.settings().raw_bucket"),
        ("app", "from chalicelib.runtime import settings"),
        ("chalicelib.telemetry", "from chalicelib.config import Settings"),
    ],
    adapters_are_constructed_in_one_place: [
        ("chalicelib.wiring", "from chalicelib.aws.raw_store import S3RawStore"),
        ("chalicelib.consumer_wiring", "def f():\n    from chalicelib.aws import queues"),
    ],
    adapters_take_keys_from_where_they_are_built: [
        ("chalicelib.aws.event_index", "def f(entity_id):\n    return f'ENTITY#{entity_id}'"),
        ("chalicelib.aws.queues", "KEY = 'REPLAY#1'"),
    ],
    nothing_of_aws_happens_at_import: [
        ("chalicelib.runtime", "import boto3\nS3 = boto3.client('s3')"),
        ("chalicelib.runtime", "import boto3\nif True:\n    table = boto3.resource('dynamodb').Table('x')"),
    ],
    only_the_http_edge_knows_the_web_framework: [
        ("chalicelib.ingest", "from chalice import BadRequestError"),
        ("chalicelib.domain.errors", "import chalice"),
    ],
    routes_only_delegate: [
        ("app", "import boto3"),
        ("app", "from chalicelib.aws.raw_store import S3RawStore"),
        ("app", "def ingest():\n    try:\n        pass\n    except ValueError:\n        pass"),
    ],
    aws_errors_stay_in_the_adapters: [
        ("chalicelib.ingest", "from botocore.exceptions import ClientError"),
        ("chalicelib.http", "import botocore.exceptions"),
    ],
    modules_are_short: [("chalicelib.http", "x = 1\n" * (MAX_LINES + 1))],
    names_say_what_things_are: [
        ("chalicelib.utils", ""),
        ("chalicelib.domain.json_helpers", ""),
        ("chalicelib.ingest", "def time_helper(): ..."),
        ("chalicelib.ingest", "class ReplayManager: ..."),
        ("chalicelib.ingest", "class A:\n    async def util(self): ..."),
    ],
    modules_begin_with_their_docstring: [
        ("chalicelib.ingest", ""),
        ("chalicelib.ingest", "import os"),
        ("chalicelib.ingest", '# A remark.\n"""Take events in."""'),
        ("chalicelib.ingest", '""""""'),
    ],
}

MODULES = [
    Module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path.read_text())
    for path in [ROOT / "app.py", *sorted([*ROOT.glob("chalicelib/**/*.py"), *ROOT.glob("retrace/**/*.py")])]
]

OF_THE_COMMAND_LINE: set[Rule] = {
    the_command_line_imports_the_domain_and_where_it_checks_adapters_and_settings,
    the_rules_of_the_console_do_no_input_or_output,
    the_command_line_makes_clients_in_one_place,
    the_command_line_tells_progress_in_one_place,
    the_command_line_imports_nothing_that_windows_lacks,
    the_command_line_names_the_encoding_of_text,
    modules_are_short,
    names_say_what_things_are,
    modules_begin_with_their_docstring,
}
"""The rules that the command line is held to; it has a clock, an environment and a terminal, and AWS errors to tell."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    held = [module for module in MODULES if rule in OF_THE_COMMAND_LINE or not module.is_of_command_line]
    offences = [f"{module.name}: {offence}" for module in held for offence in rule(module)]

    assert offences == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [(rule, name, source) for rule, offenders in RULES.items() for name, source in offenders],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_rule_can_be_broken(rule: Rule, name: str, source: str) -> None:
    assert list(rule(Module(name, source)))


def test_the_modules_held_against_the_rules_are_all_there_are() -> None:
    names = {module.name for module in MODULES}

    assert {"app", "chalicelib.ingest", "chalicelib.domain", "chalicelib.domain.event"} <= names
    assert {"retrace", "retrace.search", "retrace.checking.audit"} <= names
    assert {f"chalicelib.aws.{name}" for name in SHARED_BY_ADAPTERS} <= names
    assert {"chalicelib.ingest", "chalicelib.replay"} <= {module.name for module in MODULES if module.is_use_case}


def test_what_the_rules_allow_does_not_offend_them() -> None:
    allowed = [
        Module("chalicelib.ingest", '"""Ingest."""\nfrom chalicelib.domain.errors import Fault\nself.now()'),
        Module("chalicelib.aws.raw_store", '"""Raw."""\nimport botocore.exceptions\nfrom chalicelib.aws import keys'),
        Module("chalicelib.domain.event", '"""Event."""\nfrom chalicelib.domain import errors\nimport datetime'),
        Module("chalicelib.runtime", '"""W."""\nimport boto3, os, time\ndef f():\n    boto3.client(os.environ["x"])'),
    ]
    command_line = [
        Module(
            "retrace.checking.audit",
            '"""Audit."""\nfrom chalicelib.aws import keys\nfrom chalicelib.domain import event',
        ),
        Module("retrace.console.forwarding", '"""F."""\nfrom chalicelib.operations import OPERATIONS'),
        Module("retrace.target", '"""Target."""\nimport boto3\nboto3.Session()'),
    ]

    assert [list(rule(module)) for module in allowed for rule in RULES] == [[]] * len(allowed) * len(RULES)
    assert [offence for module in command_line for rule in OF_THE_COMMAND_LINE for offence in rule(module)] == []
