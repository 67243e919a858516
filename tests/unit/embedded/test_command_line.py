"""`make up` and `make down` when they cannot do what was asked: one clear message, no traceback, exit status 1."""

import json
import socket
from pathlib import Path

import pytest

from embedded.__main__ import main
from embedded.admin import Admin, Administrator
from embedded.deployment import deploy
from embedded.layout import LOOPBACK, Layout, free_port, locked
from infra.command import Problem


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def failing(
    capsys: pytest.CaptureFixture[str], command: str, layout: Layout, port: str = "", parameters: str = ""
) -> str:
    """Run a command that must fail, and return what it said."""
    assert main([command], layout, {"RETRACE_PORT": port, "RETRACE_PARAMETERS": parameters}) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "→" in said
    return said


def test_a_port_in_use(capsys: pytest.CaptureFixture[str], layout: Layout) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = str(other.getsockname()[1])
        said = failing(capsys, "up", layout, port)

    assert f"Port {port} is in use by another program." in said


def test_a_port_that_is_none(capsys: pytest.CaptureFixture[str], layout: Layout) -> None:
    assert "'http', which is not a port number" in failing(capsys, "up", layout, "http")


@pytest.mark.parametrize("parameters", ["MaxInFlight", "MaxInFlight=", "=500", "MaxInFlight = 500"])
def test_parameters_that_are_none(capsys: pytest.CaptureFixture[str], layout: Layout, parameters: str) -> None:
    assert "RETRACE_PARAMETERS='MaxInFlight=500'" in failing(capsys, "up", layout, parameters=parameters)


def test_a_parameter_that_the_template_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "sam.json").write_text('{"Parameters": {"Stage": {}, "MaxInFlight": {}}}')

    with pytest.raises(Problem) as caught:
        deploy(Admin("http://127.0.0.1:1", Administrator.new()), tmp_path, {"MaxInFlight": "5", "MaxInFlite": "5"})

    assert caught.value.what == "The template has no parameter MaxInFlite."
    assert caught.value.remedy == "It has: MaxInFlight, Stage"


def test_another_port_than_that_of_the_kept_state(capsys: pytest.CaptureFixture[str], layout: Layout) -> None:
    layout.port_file.write_text("4610")

    assert "Leave RETRACE_PORT out: make up." in failing(capsys, "up", layout, "4711")


def test_kept_state_of_a_port_in_use_is_not_sent_to_another_port_that_would_refuse_it(
    capsys: pytest.CaptureFixture[str], layout: Layout
) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        layout.port_file.write_text(str(port))
        said = failing(capsys, "up", layout)

    assert f"Port {port} is in use by another program. The kept state belongs to this port." in said
    assert f"End that program. To give up the state: make forget, then make up RETRACE_PORT={port + 1}" in said


def test_a_command_while_another_is_at_work(capsys: pytest.CaptureFixture[str], layout: Layout) -> None:
    with locked(layout.busy_lock):
        assert "at work" in failing(capsys, "down", layout)


def test_a_half_started_stack_that_does_not_answer(capsys: pytest.CaptureFixture[str], layout: Layout) -> None:
    Administrator.ensured(layout)
    layout.server_file.write_text(json.dumps({"pid": 2**22, "port": 1}))
    with locked(layout.alive_lock):
        said = failing(capsys, "up", layout)

    assert "does not answer" in said
    assert "make down" in said


def test_an_emulator_of_which_nothing_is_known(capsys: pytest.CaptureFixture[str], layout: Layout) -> None:
    with locked(layout.alive_lock):
        assert str(layout.server_file) in failing(capsys, "down", layout)


def test_down_ignores_the_process_id_of_an_emulator_that_is_gone(
    capsys: pytest.CaptureFixture[str], layout: Layout
) -> None:
    layout.server_file.write_text(json.dumps({"pid": 1, "port": 4610}))

    assert main(["down"], layout, {}) == 0
    assert "Nothing was up." in capsys.readouterr().out


def test_forget_leaves_nothing_of_the_state(layout: Layout) -> None:
    for path in (layout.connection_file, layout.administrator_file, layout.port_file):
        path.write_text("{}")
    for directory in (layout.state, layout.objects):
        (directory / "kept").mkdir(parents=True)

    assert main(["forget"], layout, {}) == 0
    assert [path.name for path in layout.directory.iterdir()] == [layout.busy_lock.name]


def test_state_without_an_administrators_key_is_to_be_forgotten(
    capsys: pytest.CaptureFixture[str], layout: Layout
) -> None:
    port = free_port()
    layout.port_file.write_text(str(port))
    told = failing(capsys, "up", layout)

    assert str(layout.administrator_file.name) in told
    assert f"rm -r {layout.directory}" in told
