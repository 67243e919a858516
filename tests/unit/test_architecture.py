"""The shape of the code: who may import whom, where the world is let in, how large a module may grow.

A capability is a package, and the stem of a module's file names its layer. Each rule reads one module and names what
offends it. The rules are held against every module of the application, and each of them against a snippet that must
offend it, as a rule that cannot fail holds nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Right of each package are those that it may import; of those in one place, none imports another.
PACKAGES = (
    ("app",),
    ("api",),
    ("runtime",),
    ("processing", "search", "totals"),
    ("aggregates", "quarantine"),
    ("replays", "ingest"),
    ("metrics",),
    ("digests", "events"),
    ("aws",),
    ("core",),
)
RANKS = {package: rank for rank, packages in enumerate(PACKAGES) for package in packages}

EDGE = ("api", "runtime")
CHECKING_COMMANDS = ("audit", "rebuild", "verify", "verify_digests")
ADAPTER = re.compile(r"(dynamodb|eventbridge|kms|s3|secretsmanager|sqs)(_\w+)?")
CONTRACT = ("responses", "schemas")

MAX_LINES = 250
MAX_LINES_OF_BENCHES = 3_500
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
    def package(self) -> str:
        """The capability: the package in chalicelib, or app."""
        return package_of(self.name)

    @property
    def is_adapter(self) -> bool:
        return is_adapter(self.name)

    @property
    def is_pure(self) -> bool:
        return is_pure(self.name)

    @property
    def is_wiring(self) -> bool:
        return self.package == "runtime" and self.stem.endswith("_wiring")

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


def package_of(name: str) -> str:
    top, _, rest = name.partition(".")
    return rest.partition(".")[0] if top == "chalicelib" else top


def stems_of(name: str) -> tuple[str, ...]:
    """What may be the module's own name in the dotted name of an import: its third part."""
    return tuple(name.split(".")[2:3])


def is_adapter(name: str) -> bool:
    in_adapters = package_of(name) == "aws"
    return in_adapters or (package_of(name) in RANKS and any(map(ADAPTER.fullmatch, stems_of(name))))


def is_pure(name: str) -> bool:
    package = package_of(name)
    return name.startswith("chalicelib.") and package in RANKS and package not in EDGE and not is_adapter(name)


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def ours(module: Module) -> Iterator[str]:
    packages = ("app", "bench", "chalicelib", "embedded", "infra", "retrace", "tests")
    return (name for name in module.imports if under(name, *packages) or name.startswith("."))


def packages_import_those_to_their_right(module: Module) -> Iterator[str]:
    if module.package in RANKS:
        for name in ours(module):
            package = package_of(name)
            right = package in RANKS and RANKS[package] > RANKS[module.package]
            if not right and package != module.package:
                yield name


def pure_modules_import_pure_ones(module: Module) -> Iterator[str]:
    if module.is_pure:
        yield from (name for name in ours(module) if not is_pure(name))


def pure_modules_do_no_input_or_output(module: Module) -> Iterator[str]:
    outside = ("boto3", "botocore", "chalice", "http", "io", "logging", "os", "pathlib", "random", "secrets", "socket")
    if module.is_pure:
        found = (name for name in module.imports if under(name, *outside, "sys", "threading", "time", "uuid"))
        yield from (name for name in found if name != "io.BytesIO")  # bytes in memory
        yield from (name for name in called(module) if name in ("input", "open", "print"))


def adapters_import_neither_use_cases_nor_adapters_of_other_packages(module: Module) -> Iterator[str]:
    if module.is_adapter:
        for name in ours(module):
            of_another = is_adapter(name) and package_of(name) not in ("aws", module.package)
            if of_another or "use_cases" in stems_of(name):
                yield name


def use_cases_are_imported_by_the_runtime_and_their_responses(module: Module) -> Iterator[str]:
    if module.name.startswith("chalicelib.") and module.package != "runtime":
        for name in ours(module):
            if "use_cases" in stems_of(name) and (module.package, module.stem) != (package_of(name), "responses"):
                yield name


def the_contract_is_imported_by_the_routes_and_other_contracts(module: Module) -> Iterator[str]:
    if module.is_pure or module.is_adapter or module.package == "runtime":
        found = (name for name in ours(module) if stems_of(name) and stems_of(name)[0] in CONTRACT)
        yield from (name for name in found if module.stem not in CONTRACT)


def answers_are_what_their_types_say(module: Module) -> Iterator[str]:
    if module.stem == "responses" and module.package not in EDGE:
        functions = (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef))
        loose = re.compile(r"Any|Json|(dict|Mapping)(\[.*)?")
        yield from (node.name for node in functions if node.returns and loose.fullmatch(ast.unparse(node.returns)))


def called(module: Module) -> Iterator[str]:
    return (ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def the_application_does_not_know_the_command_line(module: Module) -> Iterator[str]:
    if not module.is_of_command_line:
        yield from (name for name in module.imports if under(name, "retrace", "rich", "typer"))


def the_command_line_imports_pure_modules_and_where_it_checks_adapters_and_settings(module: Module) -> Iterator[str]:
    if module.is_of_command_line:
        checks = under(module.name, "retrace.checking", *(f"retrace.commands.{stem}" for stem in CHECKING_COMMANDS))
        console = ("chalicelib.api.operations",) if under(module.name, "retrace.console") else ()
        for name in ours(module):
            if under(name, "retrace", *console) or (is_pure(name) and "use_cases" not in stems_of(name)):
                continue
            if not (checks and (is_adapter(name) or under(name, "chalicelib.runtime.settings"))):
                yield name


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
    if module.name != "chalicelib.runtime.system":
        yield from (name for name in (*module.imports, *module.uses) if under(name, *makers))


def only_the_runtime_has_clock_chance_and_threads(module: Module) -> Iterator[str]:
    if module.name != "chalicelib.runtime.system":
        yield from (name for name in module.imports if under(name, "random", "secrets", "threading", "time"))
        yield from (name for name in module.imports if under(name, "asyncio", "concurrent", "multiprocessing"))
        yield from (name for name in module.uses if any(name.endswith(clock) for clock in CLOCKS))


def only_the_runtime_and_the_routes_read_the_environment(module: Module) -> Iterator[str]:
    if module.name not in ("chalicelib.runtime.system", "app"):
        yield from (name for name in (*module.imports, *module.uses) if under(name, "os.environ", "os.getenv"))


def only_the_wiring_reads_settings(module: Module) -> Iterator[str]:
    reads = module.is_wiring or module.name == "chalicelib.runtime.system" or module.is_of_command_line
    if not reads:
        yield from (name for name in module.imports if under(name, "chalicelib.runtime.settings"))
        yield from (name for name in (*module.imports, *module.uses) if under(name, "system.settings"))
        yield from (name for name in module.imports if under(name, "chalicelib.runtime.system.settings"))


def adapters_are_constructed_in_the_wiring(module: Module) -> Iterator[str]:
    if module.package in EDGE and not module.is_wiring:
        yield from (name for name in ours(module) if is_adapter(name))


def adapters_take_keys_from_where_they_are_built(module: Module) -> Iterator[str]:
    if module.is_adapter and module.name.removeprefix("chalicelib.aws.") not in ("keys", "replay_keys"):
        literals = (node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
        yield from (text for text in literals if isinstance(text, str) and re.search("[A-Z]#", text))


def nothing_of_aws_happens_at_import(module: Module) -> Iterator[str]:
    for statement in module.tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            names = {ast.unparse(node) for node in ast.walk(statement) if isinstance(node, ast.Attribute | ast.Name)}
            yield from (name for name in names if under(name, "boto3", "botocore"))


def only_the_http_edge_knows_the_web_framework(module: Module) -> Iterator[str]:
    if module.package not in ("app", "api"):
        yield from (name for name in module.imports if under(name, "chalice"))


def routes_only_delegate(module: Module) -> Iterator[str]:
    if module.name == "app":
        yield from (name for name in module.imports if under(name, "boto3", "botocore", "chalicelib.aws"))
        yield from (name for name in ours(module) if is_adapter(name))
        yield from (f"try at line {node.lineno}" for node in ast.walk(module.tree) if isinstance(node, ast.Try))


def aws_errors_stay_in_the_adapters(module: Module) -> Iterator[str]:
    if not module.is_adapter:
        yield from (name for name in module.imports if under(name, "botocore.exceptions"))


def modules_are_short(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > MAX_LINES:
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
    packages_import_those_to_their_right: [
        ("chalicelib.core.errors", "from chalicelib.events.event import Event"),
        ("chalicelib.aws.keys", "from chalicelib.aggregates.aggregate import Version"),
        ("chalicelib.ingest.use_cases", "from chalicelib.replays.job import ReplayJob"),
        ("chalicelib.replays.planner", "def f():\n    from chalicelib.processing import dead_letters"),
        ("chalicelib.search.use_cases", "import chalicelib.runtime.system"),
        ("chalicelib.search.use_cases", "from ..runtime import query_wiring"),
        ("chalicelib.runtime.query_wiring", "from chalicelib.api import openapi"),
        ("chalicelib.api.responses", "import app"),
    ],
    pure_modules_import_pure_ones: [
        ("chalicelib.ingest.use_cases", "from chalicelib.events.s3_raw_store import S3RawStore"),
        ("chalicelib.events.event", "from chalicelib.aws import keys"),
        ("chalicelib.replays.messages", "from chalicelib.replays import sqs"),
        ("chalicelib.digests.writer", "from chalicelib.digests.kms import KmsSigner"),
        ("chalicelib.search.anything_new", "from retrace import times"),
    ],
    pure_modules_do_no_input_or_output: [
        ("chalicelib.events.event", "import boto3"),
        ("chalicelib.events.event", "from botocore.exceptions import ClientError"),
        ("chalicelib.events.event", "from chalice.app import BadRequestError"),
        ("chalicelib.ingest.use_cases", "import os"),
        ("chalicelib.core.fields", "from io import FileIO"),
        ("chalicelib.replays.use_cases", "from uuid import uuid4"),
        ("chalicelib.core.errors", "print('x')"),
        ("chalicelib.core.anything_new", "open('x')"),
    ],
    adapters_import_neither_use_cases_nor_adapters_of_other_packages: [
        ("chalicelib.events.s3_raw_store", "from chalicelib.ingest.use_cases import Ingest"),
        ("chalicelib.replays.sqs", "from chalicelib.events import s3_raw_store"),
        ("chalicelib.aggregates.dynamodb_ledger", "from chalicelib.replays.dynamodb_rows import job_row"),
        ("chalicelib.quarantine.s3", "from chalicelib.events.s3_raw_store import S3RawStore"),
    ],
    use_cases_are_imported_by_the_runtime_and_their_responses: [
        ("chalicelib.quarantine.use_cases", "from chalicelib.ingest.use_cases import Ingest"),
        ("chalicelib.search.responses", "from chalicelib.ingest.use_cases import use_cases"),
        ("chalicelib.api.requests", "from chalicelib.ingest.use_cases import Ingest"),
    ],
    the_contract_is_imported_by_the_routes_and_other_contracts: [
        ("chalicelib.search.use_cases", "from chalicelib.search import responses"),
        ("chalicelib.replays.job", "from chalicelib.core.schemas import Shape"),
        ("chalicelib.runtime.telemetry", "from chalicelib.ingest.responses import IngestAnswer"),
    ],
    answers_are_what_their_types_say: [
        ("chalicelib.search.responses", "def events(found) -> Json: ..."),
        ("chalicelib.search.responses", "def _event(event) -> dict[str, Any]: ..."),
    ],
    the_application_does_not_know_the_command_line: [
        ("chalicelib.ingest.use_cases", "from retrace.times import parse_time"),
        ("chalicelib.events.event", "import retrace"),
        ("app", "import typer"),
    ],
    the_command_line_imports_pure_modules_and_where_it_checks_adapters_and_settings: [
        ("retrace.commands.search", "from chalicelib.aws import keys"),
        ("retrace.commands.search", "from chalicelib.runtime.settings import Settings"),
        ("retrace.commands.search", "from chalicelib.api.operations import OPERATIONS"),
        ("retrace.console.forwarding", "from chalicelib.aws import keys"),
        ("retrace.commands.search", "from chalicelib.ingest.use_cases import Ingest"),
        ("retrace.checking.stores", "from chalicelib.runtime.system import clients"),
        ("retrace.commands.search", "from embedded.connection import Stack"),
        ("retrace.commands.search", "from .. import chalicelib"),
    ],
    the_rules_of_the_console_do_no_input_or_output: [
        ("retrace.console.picture", "from retrace.client import Client"),
        ("retrace.console.admission", "from starlette.requests import Request"),
    ],
    the_command_line_makes_clients_in_one_place: [
        ("retrace.checking.stores", "import boto3\nboto3.client('s3')"),
        ("retrace.commands.search", "from boto3 import Session"),
    ],
    the_command_line_tells_progress_in_one_place: [("retrace.ingesting.report", "from rich.progress import Progress")],
    the_command_line_imports_nothing_that_windows_lacks: [
        ("retrace.commands.search", "import fcntl"),
        ("retrace.exporting.files", "import os\nos.fchmod(3, 0o600)"),
        ("retrace.ingesting.run", "from signal import SIGHUP"),
    ],
    the_command_line_names_the_encoding_of_text: [
        ("retrace.target_resolution", "path.read_text()"),
        ("retrace.target_resolution", "path.open()"),
        ("retrace.target_resolution", "open(name, 'w')"),
    ],
    only_the_runtime_makes_clients: [
        ("chalicelib.events.s3_raw_store", "import boto3\nboto3.client('s3')"),
        ("chalicelib.events.s3_raw_store", "import boto3\ndef f():\n    return boto3.resource('dynamodb').Table('x')"),
        ("chalicelib.api.responses", "from boto3 import client"),
        ("app", "import boto3\nboto3.Session()"),
    ],
    only_the_runtime_has_clock_chance_and_threads: [
        ("chalicelib.core.timestamps", "from datetime import datetime\ndatetime.now()"),
        ("chalicelib.core.timestamps", "import datetime\ndatetime.datetime.now(datetime.UTC)"),
        ("chalicelib.core.timestamps", "from datetime import date\ntoday = date.today"),
        ("chalicelib.ingest.use_cases", "import time"),
        ("chalicelib.replays.sqs", "from time import sleep"),
        ("chalicelib.replays.sqs", "from random import uniform"),
        ("chalicelib.processing.processor", "from concurrent.futures import ThreadPoolExecutor"),
    ],
    only_the_runtime_and_the_routes_read_the_environment: [
        ("chalicelib.runtime.settings", "import os\nos.environ['RAW_BUCKET']"),
        ("chalicelib.runtime.telemetry", "import os\nos.getenv('STAGE')"),
        ("chalicelib.api.responses", "from os import environ"),
    ],
    only_the_wiring_reads_settings: [
        ("chalicelib.api.responses", "from chalicelib.runtime import system\nsystem.settings().raw_bucket"),
        ("app", "from chalicelib.runtime.system import settings"),
        ("chalicelib.runtime.telemetry", "from chalicelib.runtime.settings import Settings"),
    ],
    adapters_are_constructed_in_the_wiring: [
        ("chalicelib.runtime.system", "from chalicelib.events.s3_raw_store import S3RawStore"),
        ("chalicelib.api.replays", "def f():\n    from chalicelib.replays import sqs"),
    ],
    adapters_take_keys_from_where_they_are_built: [
        ("chalicelib.events.dynamodb_index", "def f(entity_id):\n    return f'ENTITY#{entity_id}'"),
        ("chalicelib.replays.sqs", "KEY = 'REPLAY#1'"),
    ],
    nothing_of_aws_happens_at_import: [
        ("chalicelib.runtime.system", "import boto3\nS3 = boto3.client('s3')"),
        ("chalicelib.runtime.system", "import boto3\nif True:\n    table = boto3.resource('dynamodb').Table('x')"),
    ],
    only_the_http_edge_knows_the_web_framework: [
        ("chalicelib.ingest.use_cases", "from chalice import BadRequestError"),
        ("chalicelib.core.errors", "import chalice"),
    ],
    routes_only_delegate: [
        ("app", "import boto3"),
        ("app", "from chalicelib.events.s3_raw_store import S3RawStore"),
        ("app", "def ingest():\n    try:\n        pass\n    except ValueError:\n        pass"),
    ],
    aws_errors_stay_in_the_adapters: [
        ("chalicelib.ingest.use_cases", "from botocore.exceptions import ClientError"),
        ("chalicelib.api.responses", "import botocore.exceptions"),
    ],
    modules_are_short: [("chalicelib.api.responses", "x = 1\n" * (MAX_LINES + 1))],
    names_say_what_things_are: [
        ("chalicelib.utils", ""),
        ("chalicelib.core.json_helpers", ""),
        ("chalicelib.ingest.use_cases", "def time_helper(): ..."),
        ("chalicelib.ingest.use_cases", "class ReplayManager: ..."),
        ("chalicelib.ingest.use_cases", "class A:\n    async def util(self): ..."),
    ],
    modules_begin_with_their_docstring: [
        ("chalicelib.ingest.use_cases", ""),
        ("chalicelib.ingest.use_cases", "import os"),
        ("chalicelib.ingest.use_cases", '# A remark.\n"""Take events in."""'),
        ("chalicelib.ingest.use_cases", '""""""'),
    ],
}

MODULES = [
    Module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path.read_text())
    for path in [ROOT / "app.py", *sorted([*ROOT.glob("chalicelib/**/*.py"), *ROOT.glob("retrace/**/*.py")])]
]

OF_THE_COMMAND_LINE: set[Rule] = {
    the_command_line_imports_pure_modules_and_where_it_checks_adapters_and_settings,
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


@pytest.mark.parametrize("folder", ["bench", "embedded", "examples", "infra", "release"])
def test_modules_beside_the_application_are_short_as_well(folder: str) -> None:
    modules = [Module(str(path.relative_to(ROOT)), path.read_text()) for path in ROOT.glob(f"{folder}/**/*.py")]

    assert modules
    assert [f"{module.name}: {offence}" for module in modules for offence in modules_are_short(module)] == []


def test_the_benches_are_much_smaller_than_what_they_measure() -> None:
    assert sum(len(path.read_text().splitlines()) for path in ROOT.glob("bench/**/*.py")) <= MAX_LINES_OF_BENCHES


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [(rule, name, source) for rule, offenders in RULES.items() for name, source in offenders],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_rule_can_be_broken(rule: Rule, name: str, source: str) -> None:
    assert list(rule(Module(name, source)))


def circle(modules: Iterable[Module]) -> list[str]:
    """Modules each of which imports the next, and the last the first; none if there is no circle."""
    by_name = {module.name: module for module in modules}
    named = {
        name: [found for imported in module.imports if (found := _module_of(imported, by_name)) not in (None, name)]
        for name, module in by_name.items()
    }
    try:
        tuple(TopologicalSorter(named).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def _module_of(imported: str, modules: Collection[str]) -> str | None:
    """The module that an imported name is, or is in."""
    outer = imported.rpartition(".")[0]
    return imported if imported in modules else outer if outer in modules else None


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(MODULES) == []


def test_a_circle_is_found_wherever_its_imports_stand() -> None:
    events = Module("chalicelib.events.event", "from chalicelib.events.raw_objects import RawLine")
    raw_objects = Module("chalicelib.events.raw_objects", "def f():\n    from chalicelib.events import event")

    assert set(circle([events, raw_objects])) == {"chalicelib.events.event", "chalicelib.events.raw_objects"}


def test_the_modules_held_against_the_rules_are_all_there_are() -> None:
    names = {module.name for module in MODULES}

    assert {"app", "chalicelib.ingest.use_cases", "chalicelib.core", "chalicelib.events.event"} <= names
    assert {"retrace", "retrace.commands.search", "retrace.checking.stores"} <= names


def test_every_package_has_its_place() -> None:
    assert {module.package for module in MODULES if module.name.startswith("chalicelib.")} == {*RANKS} - {"app"}


def test_what_the_rules_allow_does_not_offend_them() -> None:
    allowed = [
        Module("chalicelib.ingest.use_cases", '"""Ingest."""\nfrom chalicelib.core.errors import Fault\nself.now()'),
        Module(
            "chalicelib.events.s3_raw_store", '"""Raw."""\nimport botocore.exceptions\nfrom chalicelib.aws import keys'
        ),
        Module("chalicelib.events.event", '"""Event."""\nfrom chalicelib.core import errors\nimport datetime'),
        Module(
            "chalicelib.runtime.system", '"""W."""\nimport boto3, os, time\ndef f():\n    boto3.client(os.environ["x"])'
        ),
    ]
    command_line = [
        Module(
            "retrace.checking.stores",
            '"""Audit."""\nfrom chalicelib.aws import keys\nfrom chalicelib.events import event',
        ),
        Module("retrace.console.forwarding", '"""F."""\nfrom chalicelib.api.operations import OPERATIONS'),
        Module("retrace.target", '"""Target."""\nimport boto3\nboto3.Session()'),
    ]

    assert [list(rule(module)) for module in allowed for rule in RULES] == [[]] * len(allowed) * len(RULES)
    assert [offence for module in command_line for rule in OF_THE_COMMAND_LINE for offence in rule(module)] == []
