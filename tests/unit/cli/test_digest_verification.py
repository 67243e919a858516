"""`retrace check verify --digests`: what is done to a digest or an object is found, and nothing else is."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws import keys
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import shifted
from chalicelib.digests import writer as digests_writer
from chalicelib.digests.digest import KeptDigest, parse_digest, signed_part, with_signature
from retrace.checking.digest_keys import PublicKeys, public_keys
from retrace.checking.digest_sources import DirectoryOfDigests
from retrace.context import CommandContext
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.target import Target
from tests.unit.digests_in_memory import (
    HOUR,
    KEY_ARN,
    PLENTY_MS,
    World,
    differences,
    former_key,
    signature_of,
    signing_key,
    verified,
)

Found = list[tuple[str, object]]

UNTIL_DUE = 4
"""How many digests after an object there is one by which it must have been listed."""

_SHA256 = ec.ECDSA(SHA256())


def told(world: World) -> Found:
    """Each difference, and the object or digest that it is in."""
    return sorted((each.kind.value, each.s3_key or each.sequence) for each in differences(world))


def history(hours: int = 4, quiet: int = 0) -> World:
    """Two objects an hour, each hour with its digest; then hours in which nothing is written."""
    world = World()
    for hour in range(hours):
        world.put(f"raw/{hour}/a", b"an object of hour %d\n" % hour)
        world.put(f"raw/{hour}/b", b"another one of hour %d\n" % hour)
        world.hour()
    hours_pass(world, quiet)
    return world


def hours_pass(world: World, hours: int = UNTIL_DUE) -> None:
    """Hours in which nothing is written."""
    for _ in range(hours):
        world.hour()


def objects_of(hour: int) -> Found:
    """The objects of an hour, listed by none."""
    return [("object-unlisted", f"raw/{hour}/a"), ("object-unlisted", f"raw/{hour}/b")]


def test_nothing_differs_where_nothing_was_changed() -> None:
    found, counted = verified(history())

    assert found == []
    assert counted == {"digests": 4, "object_versions": 8}


@given(sequence=st.integers(1, 4), place=st.floats(0, 1, exclude_max=True), difference=st.integers(1, 255))
def test_any_changed_byte_of_any_digest_is_found(sequence: int, place: float, difference: int) -> None:
    world = _HISTORY
    sound = world.kept[sequence]
    at = int(place * len(sound))
    world.kept[sequence] = sound[:at] + bytes([sound[at] ^ difference]) + sound[at + 1 :]
    try:
        assert told(world) == [("digest-changed", sequence), *objects_of(sequence - 1)]
    finally:
        world.kept[sequence] = sound


@given(
    hour=st.integers(0, 3),
    name=st.sampled_from("ab"),
    place=st.floats(0, 1, exclude_max=True),
    other=st.integers(1, 255),
)
def test_any_changed_byte_of_any_object_is_found(hour: int, name: str, place: float, other: int) -> None:
    world, key = _HISTORY, f"raw/{hour}/{name}"
    [version] = world.objects[key]
    sound = version.body
    at = int(place * len(sound))
    version.body = sound[:at] + bytes([sound[at] ^ other]) + sound[at + 1 :]
    try:
        assert told(world) == [("listed-changed", key)]
    finally:
        version.body = sound


_HISTORY = history(quiet=UNTIL_DUE)


@pytest.mark.parametrize("cut", [1, 40, -1, -40])
def test_a_shortened_digest_is_found(cut: int) -> None:
    world = history(quiet=UNTIL_DUE)
    world.kept[2] = world.kept[2][cut:] if cut > 0 else world.kept[2][:cut]

    assert told(world) == [("digest-changed", 2), *objects_of(1)]


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_removed_digest_is_a_gap_and_its_objects_are_unlisted(sequence: int) -> None:
    world = history(quiet=UNTIL_DUE)
    del world.kept[sequence]

    assert told(world) == [("digest-missing", sequence), *objects_of(sequence - 1)]


def test_removed_digests_at_the_end_show_as_a_pause_and_by_what_comes_after() -> None:
    world = history()
    del world.kept[4], world.kept[3]
    world.now = shifted(world.now, 1_000_000)
    assert told(world) == [("digest-delayed", 2)]

    # The function goes on from the newest that there is.
    hours_pass(world, 1 + UNTIL_DUE)
    assert told(world) == sorted([("digest-delayed", 3), *objects_of(2), *objects_of(3)])


def test_the_newest_digest_that_was_removed_with_its_objects_and_rewritten_by_the_next_run_is_late() -> None:
    world = history()
    del world.kept[4]
    for name in "ab":
        del world.objects[f"raw/3/{name}"]
    world.hour()

    assert told(world) == [("digest-delayed", 4)]


def test_digests_that_were_removed_with_their_objects_and_rewritten_at_once_are_shown_by_a_copy_alone() -> None:
    world = history()
    copied = dict(world.kept)
    del world.kept[4]
    for name in "ab":
        del world.objects[f"raw/3/{name}"]
    world.pass_time(60_000_000_000)
    world.run()
    world.hour()
    assert told(world) == [], "the page says that it leaves no trace"

    world.kept = world.kept | copied
    assert told(world) == [("digest-chain-broken", 5), ("listed-missing", "raw/3/a"), ("listed-missing", "raw/3/b")]


def test_a_digest_that_was_written_over_or_hidden_and_rewritten_is_found_by_its_versions() -> None:
    """Also in the minutes in which the times of digests do not show it."""
    world = history()
    name = keys.digest(4)
    for key in (keys.digest(3), name):
        world.put(key, b"a digest", told=False)
    world.hide(name)
    assert told(world) == [("digest-rewritten", 4)]

    world.objects[keys.digest(3)].append(world.objects[name][1])
    world.put("digests/notes", b"1", told=False)
    world.put("digests/notes", b"2", told=False)
    assert told(world) == [("digest-rewritten", 3), ("digest-rewritten", 4)]
    assert "version v8" in differences(world)[0].detail


def test_digests_that_changed_places_are_found() -> None:
    world = history(quiet=UNTIL_DUE)
    world.kept[2], world.kept[3] = world.kept[3], world.kept[2]

    assert told(world) == sorted([("digest-changed", 2), ("digest-changed", 3), *objects_of(1), *objects_of(2)])


def test_a_digest_that_is_signed_and_does_not_follow_is_found() -> None:
    """Whoever may sign can write another history; that it is another one shows."""
    world = history(quiet=UNTIL_DUE)
    head = parse_digest(world.kept[2]).head
    part = signed_part(replace(head, objects=0), ())
    world.kept[2] = with_signature(part, signing_key().sign(part, _SHA256), head.key_arn)

    assert told(world) == sorted([("digest-chain-broken", 3), *objects_of(1)])


_FORMER_ARN = f"{KEY_ARN}-before"


def replaced_key() -> World:
    """A stage that has another key since its third digest."""
    world = World(signs_with=former_key(), key_arn=_FORMER_ARN)
    hours_pass(world, 2)
    world.signs_with, world.key_arn = signing_key(), KEY_ARN
    return world


def test_a_key_that_takes_the_place_of_another_is_believed() -> None:
    world = replaced_key()
    hours_pass(world, 2)

    assert told(world) == []


def test_who_has_a_key_that_was_replaced_signs_no_more() -> None:
    """As the newest digest is named by none yet, its signature is all that stands against him."""
    world = replaced_key()
    hours_pass(world, 1)
    world.signs_with, world.key_arn = former_key(), _FORMER_ARN
    hours_pass(world, 1)

    [found] = differences(world)
    assert (found.kind.value, found.sequence) == ("digest-changed", 4)
    assert found.detail == "it is signed with a key that another had replaced"


def test_a_key_does_not_sign_in_the_name_of_another() -> None:
    world = replaced_key()
    hours_pass(world, 1)
    world.signs_with = former_key()
    hours_pass(world, 1)

    [found] = differences(world)
    assert (found.kind.value, found.sequence) == ("digest-changed", 4)
    assert found.detail == f"it is signed with the key {_FORMER_ARN}, and names {KEY_ARN}"


def test_another_key_does_not_take_the_name_of_the_one_before() -> None:
    world = replaced_key()
    world.key_arn = _FORMER_ARN
    hours_pass(world, 1)

    [found] = differences(world)
    assert (found.kind.value, found.sequence) == ("digest-changed", 3)
    assert found.detail == f"it is signed with another key than those before that named {_FORMER_ARN}"


@pytest.mark.parametrize(("sequence", "found"), [(3, []), (2, [("digest-chain-broken", 3)])])
def test_the_other_signature_that_anybody_can_make_of_one_shows_in_all_digests_but_the_newest(
    sequence: int, found: Found
) -> None:
    world = history(3)
    r, s = decode_dss_signature(signature_of(world.kept[sequence]))
    other = encode_dss_signature(r, _ORDER_OF_P256 - s)
    head = parse_digest(world.kept[sequence]).head
    part = parse_digest(world.kept[sequence]).signed_part
    world.kept[sequence] = with_signature(part, other, head.key_arn)

    assert told(world) == found


# FIPS 186-4, D.1.2.3.
_ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_a_digest_of_another_bucket_is_not_believed() -> None:
    world = history(2, quiet=UNTIL_DUE)
    elsewhere = World(bucket="elsewhere")
    elsewhere.hour()
    world.kept[1] = elsewhere.kept[1]

    assert told(world) == [("digest-changed", 1), *objects_of(0)]


def test_a_pause_of_digests_is_found_also_when_it_is_over() -> None:
    world = history(2)
    world.pass_time(HOUR + HOUR // 2)
    assert told(world) == []
    world.pass_time(1_000_000)
    assert told(world) == [("digest-delayed", 2)]
    world.run()

    assert told(world) == [("digest-delayed", 3)]


def test_an_object_that_two_digests_list_with_different_hashes_is_found_whichever_it_has() -> None:
    world = history(2)
    [version] = world.objects["raw/0/a"]
    sound, version.body = version.body, b"forged\n"
    world.tell("raw/0/a", version.version_id)
    world.hour()

    for body, sequence in ((b"forged\n", 1), (sound, 3)):
        version.body = body
        [found] = differences(world)
        assert (found.kind.value, found.s3_key, found.sequence) == ("listed-changed", "raw/0/a", sequence)


def test_an_object_that_is_gone_or_hidden_is_found() -> None:
    world = history()
    world.objects["raw/0/a"].clear()
    world.hide("raw/1/a")

    assert told(world) == [("listed-missing", "raw/0/a"), ("object-hidden", "raw/1/a")]


@pytest.mark.parametrize("told_of", [True, False])
def test_a_version_over_another_is_found_at_once_and_stays_found(*, told_of: bool) -> None:
    world = history()
    world.put("raw/1/a", b"forged\n", told=told_of)
    [found] = differences(world)
    assert (found.kind.value, found.s3_key, found.version_id) == ("object-overwritten", "raw/1/a", "v8")

    world.hour()
    world.hour()
    assert told(world) == [("object-overwritten", "raw/1/a")]


def test_a_version_that_took_the_place_of_another_is_found() -> None:
    world = history()
    world.put("raw/1/a", b"forged\n")
    del world.objects["raw/1/a"][0]

    assert told(world) == [("listed-missing", "raw/1/a"), ("object-overwritten", "raw/1/a")]


def test_an_object_without_a_notification_is_found_once_its_digest_is_there() -> None:
    world = history()
    world.put("raw/added", b"forged\n", told=False)
    assert told(world) == []
    hours_pass(world, UNTIL_DUE)
    assert verified(world)[1]["waiting_for_the_next_digest"] == 1
    world.hour()

    assert told(world) == [("object-unlisted", "raw/added")]


def quarantined() -> World:
    """A refused event, and the record of its retry, listed by a digest; a raw object beside them."""
    world = World()
    for key in (_REFUSED, _RETRIED, "raw/a"):
        world.put(key, b"of %s\n" % key.encode())
    world.hour()
    return world


_REFUSED = "rejected/ingest_date=2026-11-21/0a.json"
_RETRIED = "rejected/ingest_date=2026-11-21/0a/2026-11-21T00:30:00.000000000Z.json"


def test_what_was_refused_is_listed_and_held_against_its_digest() -> None:
    world = quarantined()

    assert [each.s3_key for each in parse_digest(world.kept[1]).objects] == ["raw/a", _REFUSED, _RETRIED]
    assert verified(world) == ([], {"digests": 1, "object_versions": 3})


@pytest.mark.parametrize("key", [_REFUSED, _RETRIED])
def test_a_quarantined_object_that_is_gone_changed_overwritten_or_hidden_is_found(key: str) -> None:
    gone, changed, overwritten, hidden = (quarantined() for _ in range(4))
    gone.objects[key].clear()
    changed.objects[key][0].body = b"something else\n"
    overwritten.put(key, b"something else\n")
    hidden.hide(key)

    assert told(gone) == [("listed-missing", key)]
    assert told(changed) == [("listed-changed", key)]
    assert told(overwritten) == [("object-overwritten", key)]
    assert told(hidden) == [("object-hidden", key)]


def test_a_quarantined_object_that_no_digest_lists_is_found() -> None:
    world = quarantined()
    world.put(f"{_REFUSED}.added", b"forged\n", told=False)
    hours_pass(world, UNTIL_DUE + 1)

    assert told(world) == [("object-unlisted", f"{_REFUSED}.added")]


@dataclass
class _Busy(World):
    """Somebody writes an object before anything is received."""

    receives: int = 0

    def receive(self) -> list[Delivery]:
        self.receives += 1
        self.put(f"raw/busy/{self.receives}", b"x")
        return super().receive()


def test_where_something_is_always_written_runs_end_and_what_was_added_unseen_is_found() -> None:
    world = _Busy()
    for hour in range(3 + UNTIL_DUE):
        for number in range(10):
            world.put(f"raw/{hour}/{number}", b"y")
        if hour == 1:
            world.put("raw/added", b"forged\n", told=False)
        world.pass_time()
        left = iter(range(PLENTY_MS, 0, -500))
        world.run(lambda left=left: next(left))  # type: ignore[misc]  # mypy takes the default for an argument

    assert world.receives < 50
    assert told(world) == [("object-unlisted", "raw/added")]


def test_digests_that_never_catch_up_are_found_as_nothing_can_be_said_of_what_is_unlisted() -> None:
    """Such as where somebody keeps a notification in his hands for ever."""
    world = history(1)
    world.put("raw/held", b"x")
    held = set(world.waiting)
    world.put("raw/added", b"forged\n", told=False)

    def an_hour_passes() -> None:
        world.pass_time()
        world.in_flight |= held
        world.run()

    for _ in range(6):
        an_hour_passes()
        assert told(world) == []
    an_hour_passes()
    [behind] = differences(world)
    assert (behind.kind.value, behind.sequence, behind.detail) == (
        "digest-behind",
        8,
        "each left something over for 7h",
    )

    hours_pass(world, 1 + UNTIL_DUE)
    assert told(world) == [("object-unlisted", "raw/added")], "they have caught up, and can be held against the bucket"


def test_digests_that_never_caught_up_at_all_are_found() -> None:
    world = World()
    world.put("raw/held", b"x")
    held = set(world.waiting)
    for _ in range(8):
        world.pass_time()
        world.in_flight |= held
        world.run()

    assert told(world) == [("digest-behind", 8)]


def test_what_s3_tells_of_late_is_not_accused_though_a_digest_has_begun_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second digest of a run begins seconds before the run does end."""
    monkeypatch.setattr(digests_writer, "MAX_OBJECTS", 6)
    world = history(4)
    for number in range(8):
        world.put(f"raw/{number}", b"x")
    world.pass_time()
    version = world.put("raw/late", b"x", told=False)
    world.pass_time(1_000_000_000)
    assert [head.drained for head in world.run().heads] == [False, True]
    world.pass_time(1_000_000_000)
    world.run()
    assert told(world) == []

    world.tell("raw/late", version)
    hours_pass(world, 1 + UNTIL_DUE)
    assert told(world) == []


def test_what_is_older_than_the_first_digest_is_counted_and_no_finding() -> None:
    world = World()
    world.put("raw/old", b"x", told=False)
    hours_pass(world, 2 + UNTIL_DUE)

    found, counted = verified(world)
    assert found == []
    assert counted["older_than_the_first_digest"] == 1


def test_without_its_first_digest_a_chain_says_that_all_should_be_listed() -> None:
    world = World()
    world.put("raw/old", b"x", told=False)
    hours_pass(world, 2 + UNTIL_DUE)
    del world.kept[1]

    assert told(world) == [("digest-missing", 1), ("object-unlisted", "raw/old")]


def test_only_what_lies_below_a_prefix_is_looked_at_but_every_digest() -> None:
    world = history()
    for hour in (0, 1):
        world.objects[f"raw/{hour}/a"].clear()
    del world.kept[4]

    found, counted = verified(world, ["raw/0/"])
    assert [(each.kind.value, each.s3_key) for each in found] == [("listed-missing", "raw/0/a")]
    assert (counted["digests"], counted["object_versions"]) == (3, 1)


def test_keys_are_held_against_each_other_in_the_order_of_their_bytes() -> None:
    world = World()
    keys = ["raw/\U0001f600", "raw/\uffee", "raw/é", "raw/z", "raw/Z", "raw/a/b", "raw/a b", "raw/a!"]
    for key in keys:
        world.put(key, b"x")
    world.hour()

    assert verified(world) == ([], {"digests": 1, "object_versions": len(keys)})


def test_where_there_are_no_digests_no_object_is_looked_at() -> None:
    world = World()
    world.put("raw/a", b"x")

    assert verified(world) == ([], {})


# Where digests and keys come from


def test_a_copy_of_digests_is_read_in_their_order_and_other_files_are_passed_over(tmp_path: Path) -> None:
    for sequence in (1000, 2, 999, 1):
        path = tmp_path / f"copy/{sequence // 1000:09d}/{sequence:012d}.ndjson"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % sequence)
    (tmp_path / "copy/000000000/000000001000.ndjson").write_bytes(b"in a folder of others")
    (tmp_path / "copy/notes.ndjson").write_bytes(b"")

    assert list(DirectoryOfDigests(tmp_path).digests()) == [
        KeptDigest(sequence, b"%d" % sequence) for sequence in (1, 2, 999, 1000)
    ]


def _public(encoding: Encoding, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> bytes:
    return (key or signing_key()).public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "content",
    [
        _public(Encoding.PEM),
        _public(Encoding.DER),
        b64encode(_public(Encoding.DER)) + b"\n",
    ],
)
def test_a_key_is_read_as_pem_der_and_as_the_aws_cli_prints_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    keys = public_keys(CommandContext(), Output(), [file])

    assert keys.signer_of(b"what was signed", signing_key().sign(b"what was signed", _SHA256)) == 0


def test_any_of_several_keys_may_have_signed() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    keys = PublicKeys(other.public_key(), signing_key().public_key())

    assert keys.signer_of(b"x", signing_key().sign(b"x", _SHA256)) == 1
    assert keys.signer_of(b"x", other.sign(b"x", _SHA256)) == 0
    assert keys.signer_of(b"y", other.sign(b"x", _SHA256)) is None


@pytest.mark.parametrize("content", [b"", b"key", b"-----BEGIN nothing", b"\x30\x00"])
def test_what_is_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(Problem) as told_of:
        public_keys(CommandContext(), Output(), [file])
    assert told_of.value.exit_code == Exit.USAGE


def test_a_key_of_another_kind_or_that_is_not_there_is_told(tmp_path: Path) -> None:
    of_rsa = tmp_path / "rsa"
    of_rsa.write_bytes(_public(Encoding.PEM, rsa.generate_private_key(65537, 2048)))

    for file in (of_rsa, tmp_path / "absent"):
        with pytest.raises(Problem) as told_of:
            public_keys(CommandContext(), Output(), [file])
        assert told_of.value.exit_code == Exit.USAGE


def test_where_nothing_names_a_key_that_is_told_with_what_to_do() -> None:
    call = CommandContext()
    call.target = Target("https://a.example/api", "test")

    with pytest.raises(Problem) as told_of:
        public_keys(call, Output(), [])
    assert "EnableDigests" in told_of.value.remedy


@pytest.mark.parametrize("name", ["/dev/zero", "large"])
def test_an_endless_file_is_not_a_public_key(tmp_path: Path, name: str) -> None:
    (tmp_path / "large").write_bytes(bytes(70_000))

    with pytest.raises(Problem, match="too large for a public key"):
        public_keys(CommandContext(), Output(), [tmp_path / name])
