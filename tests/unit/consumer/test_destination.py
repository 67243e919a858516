"""Where a consumer finds its queue, and what it says if it cannot."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from retrace import Consumer, ConsumerError
from retrace.consumer.destination import Place, place_of
from retrace.target_resolution import Chosen

URL = "https://abc123.execute-api.eu-west-1.amazonaws.com/api"
AT = "arn:aws:sqs:eu-west-1:111122223333:"
DECLARED = {
    "aggregates": {"arn": f"{AT}retrace-dev-replay"},
    "billing": {"arn": f"{AT}retrace-dev-to-billing", "reports": True},
    "ordered": {"arn": f"{AT}retrace-dev-to-ordered.fifo"},
    "news": {"arn": "arn:aws:events:eu-west-1:111122223333:event-bus/retrace-dev-to-news"},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory without a local stack."""
    monkeypatch.chdir(tmp_path)


def found(destination: str, *, url: str | None = URL, reports: bool | None = None, **environment: str) -> Place:
    given = {"HOME": "/none", "DESTINATIONS": json.dumps(DECLARED), **environment}
    return place_of(destination, reports, Chosen(url=url), None, given)


@pytest.mark.parametrize(
    "named",
    [
        "billing",
        f"{AT}retrace-dev-to-billing",
        "https://sqs.eu-west-1.amazonaws.com/111122223333/retrace-dev-to-billing",
    ],
)
def test_a_queue_is_found_by_name_arn_or_url_and_reports_as_declared(named: str) -> None:
    place = found(named)

    assert place.queue_url("https://sqs.eu-west-1.amazonaws.com") == (
        "https://sqs.eu-west-1.amazonaws.com/111122223333/retrace-dev-to-billing"
    )
    assert (place.reports, place.target.url, place.target.region) == (True, URL, "eu-west-1")


@pytest.mark.parametrize(
    "named",
    [
        "https://sqs.us-east-1.amazonaws.com/111122223333/retrace-dev-to-billing",
        "https://us-east-1.queue.amazonaws.com/111122223333/retrace-dev-to-billing",
        "https://sqs-fips.us-east-1.amazonaws.com/111122223333/retrace-dev-to-billing",
        "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/retrace-dev-to-billing",
        "https://sqs.us-east-1.api.aws/111122223333/retrace-dev-to-billing",
        "https://vpce-0a1b-2c3d.sqs.us-east-1.vpce.amazonaws.com/111122223333/retrace-dev-to-billing",
        "https://sqs.eu-west-1.amazonaws.com/444455556666/retrace-dev-to-billing",
        "arn:aws:sqs:us-east-1:111122223333:retrace-dev-to-billing",
    ],
)
def test_a_queue_of_the_same_name_in_another_region_or_account_is_not_the_declared_one(named: str) -> None:
    with pytest.raises(ConsumerError, match="It is unknown whether the consumer of"):
        found(named)


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "my-proxy-1", "my-proxy-1.example.com:4566", "sqs-cache-2.lan"])
def test_a_url_without_a_region_is_that_of_the_declared_queue(host: str) -> None:
    assert found(f"http://{host}/111122223333/retrace-dev-to-billing").reports is True


def test_a_destination_that_does_not_report_needs_no_api() -> None:
    place = found("ordered", url=None)

    assert (place.reports, place.target.url) == (False, "")


def test_the_api_is_found_as_the_command_line_finds_it() -> None:
    assert found("billing", url=None, RETRACE_URL=URL).target.url == URL


WRONG = {
    "billng": ("is billng, which is not declared. Did you mean billing?", URL),
    "aggregates": ("Messages to aggregates are for Retrace's own processor. Name another destination.", URL),
    "news": ("Give the URL of a queue that its rule targets, with the InputPath $.detail.", URL),
    f"{AT}other": ("Give `reports=True` or `reports=False`, as in destinations.yaml.", URL),
    "billing": ("billing reports outcomes, but the URL of the API is unknown. Give `url`", None),
    "ordered": ("has a url that is not valid for an API: ftp://x", "ftp://x"),
}


@pytest.mark.parametrize("named", WRONG)
def test_what_is_wrong_is_told_with_what_to_do(named: str) -> None:
    said, url = WRONG[named]

    with pytest.raises(ConsumerError, match=re.escape(said)):
        found(named, url=url)


def test_without_declared_destinations_a_name_is_not_enough() -> None:
    with pytest.raises(ConsumerError, match="Give `stack`, set DESTINATIONS"):
        found("billing", DESTINATIONS="")

    assert found(f"{AT}other", reports=True, DESTINATIONS="").reports


def test_the_docstring_names_each_option() -> None:
    told = inspect.getdoc(Consumer.__init__) or ""

    options = [name for name in inspect.signature(Consumer).parameters if name != "destination"]
    assert [name for name in options if f"`{name}`" not in told] == []
