"""Ports: read as the user wrote them, and refused clearly where they are taken."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.layout import LOOPBACK, free_port, parse_port, require_free
from infra.command import Problem


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_named_with_a_way_out(taken_port: int) -> None:
    with pytest.raises(Problem) as raised:
        require_free(taken_port)

    assert str(taken_port) in raised.value.what
    assert f"RETRACE_PORT={taken_port + 1}" in raised.value.remedy


def test_a_free_port_is_free() -> None:
    port = free_port()

    require_free(port)  # raises if it is not

    assert 0 < port < 65_536


@given(st.integers(1, 65535))
def test_every_port_number_is_read(port: int) -> None:
    assert parse_port(str(port)) == port


@pytest.mark.parametrize("text", ["0", "65536", "-1", "46 10", "http", "4610.0", "٤٦١٠", "9" * 5000])
def test_what_is_no_port_number_is_refused_with_the_text_itself(text: str) -> None:
    with pytest.raises(Problem) as raised:
        parse_port(text)

    assert text[:5] in raised.value.what
