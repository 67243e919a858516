"""Standard Webhooks: only requests that were signed with a secret, as they came in, and lately."""

from __future__ import annotations

from base64 import b64encode

import pytest

from chalicelib.core.errors import Unauthenticated
from chalicelib.core.timestamps import Instant
from chalicelib.ingest.authentication import Webhook, secret_of, signature, verify

# The worked example of https://docs.svix.com/receiving/verifying-payloads/how-manual: the specification is Svix's.
SECRET = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = secret_of("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
NOW = Instant("2021-02-25T15:02:10.000000000Z")


def admitted(headers: dict[str, str], *secrets: bytes, now: Instant = NOW) -> bool:
    try:
        verify(Webhook(headers, BODY), secrets, now)
    except Unauthenticated:
        return False
    return True


def refused_fields(
    headers: dict[str, str], body: bytes = BODY, now: Instant = NOW, secrets: tuple[bytes, ...] = (SECRET,)
) -> list[str]:
    with pytest.raises(Unauthenticated) as refused:
        verify(Webhook(headers, body), secrets, now)
    return [fault.field for fault in refused.value.faults]


def test_a_request_signed_with_the_secret_is_admitted() -> None:
    assert signature(HEADERS["webhook-id"], HEADERS["webhook-timestamp"], BODY, SECRET) == HEADERS["webhook-signature"]
    assert admitted(HEADERS, SECRET)


@pytest.mark.parametrize("header", HEADERS)
def test_a_request_without_one_of_the_headers_is_refused(header: str) -> None:
    assert refused_fields({name: value for name, value in HEADERS.items() if name != header}) == [header]


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": "1614265331"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": HEADERS["webhook-signature"].removeprefix("v1,")},
        {"webhook-signature": HEADERS["webhook-signature"].replace("v1,", "v1a,")},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,\ud800", "webhook-id": "\ud800"},
    ],
)
def test_a_changed_header_is_refused(changed: dict[str, str]) -> None:
    assert refused_fields(HEADERS | changed) == ["webhook-signature"]


def test_a_changed_body_and_an_unknown_secret_are_refused() -> None:
    assert refused_fields(HEADERS, BODY + b" ") == ["webhook-signature"]
    assert refused_fields(HEADERS, secrets=(OTHER,)) == ["webhook-signature"]
    assert refused_fields(HEADERS, secrets=()) == ["webhook-signature"]


def test_clocks_may_be_five_minutes_apart_and_no_more() -> None:
    for now in ("2021-02-25T15:07:10.000000000Z", "2021-02-25T14:57:10.000000000Z"):
        assert admitted(HEADERS, SECRET, now=Instant(now))
    for now in ("2021-02-25T15:07:10.000000001Z", "2021-02-25T14:57:09.999999999Z"):
        assert refused_fields(HEADERS, now=Instant(now)) == ["webhook-timestamp"]


@pytest.mark.parametrize("timestamp", ["-1", "1.5", "1614265330 ", "\u0661\u0662", "9" * 5_000, "soon"])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    assert refused_fields(HEADERS | {"webhook-timestamp": timestamp}) == ["webhook-timestamp"]


def test_secrets_are_replaced_without_a_gap() -> None:
    both = (
        f"{signature(HEADERS['webhook-id'], HEADERS['webhook-timestamp'], BODY, OTHER)} {HEADERS['webhook-signature']}"
    )

    assert admitted(HEADERS, OTHER, SECRET)
    assert admitted(HEADERS | {"webhook-signature": both}, SECRET)
    assert admitted(HEADERS | {"webhook-signature": f"v1a,xyz {HEADERS['webhook-signature']}"}, SECRET)
    assert not admitted(HEADERS, OTHER)


def test_attributes_that_no_signature_covers_are_refused() -> None:
    assert refused_fields(HEADERS | {"ce-subject": "somebody-else"}) == ["ce-subject"]


def test_a_secret_has_at_least_24_bytes() -> None:
    shortest, too_short = b"k" * 24, b"k" * 23

    assert secret_of(f"whsec_{b64encode(shortest).decode()}") == shortest
    with pytest.raises(ValueError, match="at least 24 bytes"):
        secret_of(f"whsec_{b64encode(too_short).decode()}")


@pytest.mark.parametrize(
    "text", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64", "whsec_abc", "whsec_AAAA"]
)
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        secret_of(text)
