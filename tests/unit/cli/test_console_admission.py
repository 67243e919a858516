"""Who may ask the console: each thing that a request must say, left out or wrong by itself."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import pytest

from retrace.console.admission import AccessPolicy, AccessRequest, Kind

DOOR = AccessPolicy(("127.0.0.1:4630", "localhost:4630"), "the-token")
OF_THE_PAGE = AccessRequest(
    Kind.DATA, "POST", "127.0.0.1:4630", "http://127.0.0.1:4630", "same-origin", token="the-token"
)
A_VISIT = AccessRequest(Kind.PAGE, "GET", "127.0.0.1:4630", fetch_site="cross-site")


def status(asking: AccessRequest) -> HTTPStatus | None:
    denial = DOOR.denial(asking)
    return None if denial is None else denial.status


@pytest.mark.parametrize(
    "asking",
    [
        OF_THE_PAGE,
        replace(OF_THE_PAGE, method="GET", origin=None),
        replace(OF_THE_PAGE, host="localhost:4630", origin="http://localhost:4630"),
        A_VISIT,
        replace(A_VISIT, fetch_site="none"),
    ],
)
def test_the_page_may_ask_and_a_link_may_be_followed(asking: AccessRequest) -> None:
    assert status(asking) is None


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:4630", "127.0.0.1", "127.0.0.1:4631", "127.0.0.1:4630.evil.example"],
)
def test_a_host_of_another_name_is_refused_as_after_dns_rebinding(kind: Kind, host: str | None) -> None:
    assert status(replace(OF_THE_PAGE, kind=kind, method="GET", host=host)) == HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:4631", "https://127.0.0.1:4630", "http://localhost:4630", "null"],
)
def test_a_page_of_another_origin_is_refused(kind: Kind, origin: str) -> None:
    assert status(replace(OF_THE_PAGE, kind=kind, method="GET", origin=origin)) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "anything"])
def test_data_are_for_the_own_origin_alone_though_another_port_is_the_same_site(site: str) -> None:
    assert status(replace(OF_THE_PAGE, origin=None, method="GET", fetch_site=site)) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_header_that_no_form_can_send_data_are_refused(method: str) -> None:
    assert status(replace(OF_THE_PAGE, method=method, token=None)) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("token", ["none", "another", "the-toke", "the-token "])
def test_without_the_token_data_are_refused(token: str | None) -> None:
    assert status(replace(OF_THE_PAGE, token=token)) == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(("kind", "method"), [(Kind.DATA, "DELETE"), (Kind.DATA, "OPTIONS"), (Kind.PAGE, "POST")])
def test_other_methods_are_refused(kind: Kind, method: str) -> None:
    assert status(replace(OF_THE_PAGE, kind=kind, method=method)) == HTTPStatus.METHOD_NOT_ALLOWED
