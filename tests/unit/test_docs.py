"""The docs name every route, setting, metric and command there is, and none that is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cfnlint.data import AdditionalSpecs  # type: ignore[import-untyped]  # it has no stubs
from cfnlint.helpers import load_resource  # type: ignore[import-untyped]  # likewise

from app import app
from chalicelib.runtime.settings import Settings
from chalicelib.runtime.telemetry import METRICS
from embedded.environment import NEWEST, OLDEST

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for place in ("*.md", "docs/*.md", "bench/*.md", "tests/*.md", "examples/**/*.md") for path in ROOT.glob(place)
)

_TARGET = re.compile(r"^([a-z]+):.*?## ", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#]*)(#[^)]*)?\)")
_RUNTIME = re.compile(r"^\| `(python3\.\d+)` \| \d{4}-\d\d \| (\S+) \| (\S+) \| (\S+) \|$", re.MULTILINE)
_ROUTE = re.compile(r"^\| `((?:GET|POST|PUT|DELETE) /[^`]*)` \|", re.MULTILINE)


FIELDS = Settings.model_fields.items()


def page(name: str) -> str:
    """The text of a page in docs/."""
    return (ROOT / "docs" / name).read_text()


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]


def test_the_api_page_lists_every_route_and_no_other() -> None:
    served = {f"{method} {path}" for path, methods in app.routes.items() for method in methods}
    assert set(_ROUTE.findall(page("api.md"))) == served


def drawn(text: str) -> Iterator[tuple[str, str]]:
    """The paths on a map of packages and modules, and what it says about each."""
    package = ""
    for indent, name, about in re.findall(r"^( *)(\S+) *(.*)$", text, re.MULTILINE):
        package = package if indent else name if name.endswith("/") else ""
        yield (package + name if indent else name), about


def test_the_map_names_every_package_and_module_of_the_application_and_no_other() -> None:
    [block] = re.findall(
        r"^```\n(app\.py.*?)^```$", section(page("architecture.md"), "The map"), re.MULTILINE | re.DOTALL
    )
    said = dict(drawn(block))
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("chalicelib/*/*.py")}

    assert said.keys() == {"app.py", *(path.replace("__init__.py", "") for path in modules)}
    assert all(about for path, about in said.items() if path.endswith("/"))
    assert max(len(about.split()) for about in said.values()) <= 8


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_of_the_repository_that_a_page_names_is_there(path: Path) -> None:
    named = re.findall(
        r"`((?:\.chalice|\.ci|assets|bench|chalicelib|docs|embedded|examples|infra|release|retrace|tests)/(?!_)[\w/.-]*|\w+\.toml)`",
        path.read_text(),
    )

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_operations_page_lists_every_setting_with_its_default_as_a_parameter_or_alone() -> None:
    parameters, alone = (
        re.findall(r"^\| `(\w+)` \|([^|]*)\|", section(page("operations.md"), heading), re.MULTILINE)
        for heading in ("Parameters", "Settings")
    )
    defaults = {re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper(): shown for name, shown in parameters}
    settings = {name.upper(): "" if field.default == "" else str(field.default).lower() for name, field in FIELDS}

    assert {name for name, _ in alone} == settings.keys() - defaults.keys()
    assert {name: (defaults | dict(alone))[name].strip("` ") for name in settings} == settings


def test_the_operations_page_lists_every_metric_with_its_meaning() -> None:
    rows = re.findall(r"^\| `([A-Za-z]+)` \| ([^|]*) \|", section(page("operations.md"), "Metrics"), re.MULTILINE)
    assert dict(rows) == METRICS


def test_every_metric_that_is_written_is_listed_and_every_listed_one_is_written() -> None:
    source = (ROOT / "chalicelib/runtime/telemetry.py").read_text()
    assert set(re.findall(r'(?:_count\(|add_metric\(name=)"(\w+)"', source)) == METRICS.keys()


def test_the_section_about_forks_leads_to_a_test_that_runs_and_does_what_it_explains() -> None:
    text = section((ROOT / "tests/README.md").read_text(), "Testing your fork")
    [shown] = re.findall(r"\]\((functional/\w+\.py)\)", text)
    code = (ROOT / "tests" / shown).read_text()

    assert f".venv/bin/pytest tests/{shown}" in text
    for explained in ("system.forget()", "generate_sqs_event", "stage_name=", "aws: None", "client.lambda_.invoke"):
        assert explained in code
    for named in ("system.forget()", "generate_sqs_event", "`aws`"):
        assert named in text


def test_every_command_in_the_docs_is_a_make_target_and_every_target_is_documented() -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    named = {word for path in PAGES for word in re.findall(r"\bmake ([a-z]+)\b(?=[`\s])", _commands(path.read_text()))}
    assert named == targets


def test_what_make_test_leaves_out_is_what_make_soak_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert '"-m=not soak and not shippers"' in (ROOT / "pyproject.toml").read_text()
    assert "WITHOUT ?= soak\nSOAKING = $(BIN)/pytest -m '$(LONG)' " in makefile
    assert "$(BIN)/pytest -m 'not ($(WITHOUT)) and not shippers'\n" in makefile


def test_continuous_integration_runs_each_test_once_at_its_larger_size() -> None:
    [long] = re.findall(r"^LONG := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    commands = re.findall(r"^\s*run make (.*) \"\$@\"$", (ROOT / ".ci/run").read_text(), re.MULTILINE)

    assert commands == [f"test WITHOUT='{long}'", "soak SOAK=ci", "dynamodb", "shippers"]


def _commands(text: str) -> str:
    """The parts of a page that are set as code."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`[^`\n]+`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))])


RECIPES = {
    "a route": ("gaps", {"infra/permissions.py"}),
    "a use case": ("EventIndex|InvestigateEvent|index", set()),
    "a content type": ("(?i)cloudevent", {"app.py", "tests/functional/test_new_content_type.py"}),
    "an aggregate for metrics": ("percentile", set()),
    "a kind of destination": ("(?i)fifo|ordered|eventbridge", set()),
    "an adapter": ("S3RawStore|RawStore|raw", {"chalicelib/aws/replay_keys.py", "chalicelib/aws/errors.py"}),
    "a CLI command": (
        "gaps",
        {"retrace/client.py", "retrace/output.py", "retrace/problem.py", "tests/e2e/test_cli_docs.py"},
    ),
    "a setting": ("late_after_seconds|LATE_AFTER_SECONDS|LateAfterSeconds", set()),
}
"""What was added by each recipe, as its files name it, and the files that serve every such addition."""


def test_the_recipes_for_contributors_are_those_that_are_followed_here() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()

    assert re.findall(r"^## Add (.*)$", text, re.MULTILINE) == list(RECIPES)


@pytest.mark.parametrize("thing", RECIPES)
def test_what_was_added_is_in_each_file_that_its_recipe_names(thing: str) -> None:
    trace, shared = RECIPES[thing]
    steps = re.findall(
        r"^(\d)\. ((?:.|\n   )*)$", section((ROOT / "CONTRIBUTING.md").read_text(), f"Add {thing}"), re.MULTILINE
    )
    named = {name for _, step in steps for name in re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|yaml|md))`", step)}

    assert [number for number, _ in steps] == list("123" if thing == "an aggregate for metrics" else "12345")
    assert all("`" in step for _, step in steps)
    assert {name for name in named if not re.search(trace, (ROOT / name).read_text())} == named & shared


def test_an_aggregate_is_named_in_no_code_beside_that_of_its_recipe() -> None:
    code = [path for place in ("chalicelib", "retrace", "infra", "embedded") for path in ROOT.glob(f"{place}/**/*.py")]
    named = {path.relative_to(ROOT).as_posix() for path in code if '"avg"' in path.read_text()}

    steps = section((ROOT / "CONTRIBUTING.md").read_text(), "Add an aggregate for metrics").partition("\n1. ")[2]
    assert named == set(re.findall(r"`(chalicelib/[\w/]+\.py)`", steps))


def test_a_content_type_is_named_in_no_code_beside_that_of_its_recipe() -> None:
    code = [path for place in ("chalicelib", "retrace", "infra", "embedded") for path in ROOT.glob(f"{place}/**/*.py")]
    traces = re.compile(r"cloudevents-batch|from chalicelib\.ingest\.request import .*\bBATCH\b")
    named = {path.relative_to(ROOT).as_posix() for path in code if traces.search(path.read_text())}

    steps = section((ROOT / "CONTRIBUTING.md").read_text(), "Add a content type")
    assert "chalicelib/quarantine/contents.py" in named
    assert named <= set(re.findall(r"`([\w/]+\.py)`", steps))


def test_a_kind_of_destination_is_named_in_no_code_beside_that_of_its_recipe() -> None:
    code = [path for place in ("chalicelib", "retrace", "infra", "embedded") for path in ROOT.glob(f"{place}/**/*.py")]
    named = {path.relative_to(ROOT).as_posix() for path in code if "DestinationKind.EVENTBRIDGE" in path.read_text()}

    steps = section((ROOT / "CONTRIBUTING.md").read_text(), "Add a kind of destination")
    assert "chalicelib/replays/estimate.py" in named
    assert named <= set(re.findall(r"`([\w/]+\.py)`", steps))


def test_commits_are_checked_by_commands_of_this_repository_alone() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]

    assert [each["repo"] for each in hooks] == ["local"]
    assert [hook["entry"] for hook in hooks[0]["hooks"]] == ["make check"]
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    assert [step["run"].split()[0] for step in steps if "run" in step] == [".ci/run"]


def test_ci_runs_with_every_python_that_the_project_supports() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["strategy"]["matrix"]

    assert matrix["python"] == [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]


def test_ci_keeps_the_screenshots_of_the_console() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
    [kept] = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]

    assert kept == "build/screenshots"
    assert f'tests/e2e/browser/screenshots" "$checkout/{kept.partition("/")[0]}/"' in (ROOT / ".ci/run").read_text()


_WAITING = re.compile(r"until signed \"\$RETRACE_URL/replay/[^|]*\|\s*grep (?:-qE|-E) '([^']*)'")
_OVER = ('{"state":"FAILED"}', '{"state":"CANCELLED"}', '{"detail":"No such replay","status":404}')


def test_a_loop_that_waits_for_a_replay_ends_also_where_the_replay_fails() -> None:
    text = "\n".join(path.read_text() for path in PAGES)
    patterns = _WAITING.findall(text)

    assert len(patterns) == text.count("until signed") > 0
    for pattern in patterns:
        assert all(re.search(pattern, answer) for answer in _OVER)
        assert not re.search(pattern, '{"state":"PLANNING","status_url":"/replay/4"}')


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target, anchor in _LINK.findall(path.read_text()):
        if target.startswith("https://"):
            continue
        linked = (path.parent / target) if target else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor[1:] in {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_deploying_page_has_the_dates_of_every_runtime_that_retrace_packages_for() -> None:
    known = load_resource(AdditionalSpecs, "LmbdRuntimeLifecycle.json")
    dates = ("deprecated", "create-block", "update-block")
    packaged = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]

    rows = _RUNTIME.findall(page("deploying.md"))

    assert rows == [(name, *(known[name][date] for date in dates)) for name in packaged]


def test_no_remedy_passes_events_through_a_tool_that_rounds_numbers() -> None:
    texts = [*PAGES, *ROOT.glob("retrace/**/*.py"), *ROOT.glob("chalicelib/**/*.py")]
    lines = [line for path in texts for line in path.read_text().splitlines() if re.search(r"\bjq\b +-", line)]

    assert [line for line in lines if not re.search(r"aws logs|latencyMs", line)] == []
