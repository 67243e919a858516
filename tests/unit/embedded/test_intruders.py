"""Which requests a server on this machine refuses, whoever could sign them."""

from __future__ import annotations

import pytest

from embedded.intruders import reason_to_refuse

OF_A_PROGRAM = [("Host", "127.0.0.1:4610"), ("User-Agent", "Boto3/1.43")]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4610",
        "127.0.0.1",
        "[::1]:4610",
        "localhost:4610",
        "LOCALHOST",
        "abc123.execute-api.localhost:4610",
        "my.bucket_1.s3.localhost:4610",
    ],
)
def test_answers_to_names_that_no_site_can_register(host: str) -> None:
    assert reason_to_refuse([("Host", host)]) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "rebound.example:4610",
        "127.0.0.1.evil.example:4610",
        "localhost.evil.example",
        "evillocalhost",
        "localhost.",
        "localhost:4610@evil.example",
        "127.0.0.1:4610 evil.example",
        "127.0.0.2:4610",
        "0.0.0.0:4610",
        "192.168.1.7:4610",
        "localhost:",
        "localhost:٤",
    ],
)
def test_refuses_any_other_host_as_after_dns_rebinding(host: str) -> None:
    assert "Host" in str(reason_to_refuse([("Host", host)]))


def test_refuses_a_request_that_names_no_host_or_two() -> None:
    assert reason_to_refuse([("User-Agent", "curl")])
    assert reason_to_refuse([*OF_A_PROGRAM, ("host", "127.0.0.1:4610")])


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:4610", "null", ""])
def test_refuses_every_origin_its_own_too_since_it_serves_no_page(origin: str) -> None:
    assert "web page" in str(reason_to_refuse([*OF_A_PROGRAM, ("origin", origin)]))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "anything", "None", ""])
def test_refuses_what_a_page_fetches_or_links_to(site: str) -> None:
    assert "web page" in str(reason_to_refuse([*OF_A_PROGRAM, ("Sec-Fetch-Site", site)]))


def test_answers_programs_and_an_address_that_the_user_typed() -> None:
    assert reason_to_refuse(OF_A_PROGRAM) is None
    assert reason_to_refuse([*OF_A_PROGRAM, ("Sec-Fetch-Site", "none")]) is None
