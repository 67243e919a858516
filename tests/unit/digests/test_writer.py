"""Digests: what they list and how they follow each other, whatever runs are killed or meet."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import IntegrityFailure, InvalidRequest
from chalicelib.core.timestamps import Instant
from chalicelib.digests import writer as digests_writer
from chalicelib.digests.digest import KeptDigest, Notice, parse_digest, parse_notification
from tests.unit.digests_in_memory import BEGINNING, BUCKET, KEY_ARN, Killed, World, differences, lines_of


def listed(world: World) -> list[tuple[str, str]]:
    """Keys and versions of all digests, in their order."""
    return [(each.s3_key, each.version_id) for kept in world.digests() for each in parse_digest(kept.content).objects]


def test_a_digest_lists_what_was_written_in_the_order_of_keys_and_is_signed() -> None:
    world = World()
    world.put("raw/b", b"two\n")
    world.put("raw/a é+", b"one\n")
    world.hour()

    head, *objects, seal = lines_of(world.kept[1])

    assert head == {
        "sequence": 1,
        "start_time": "2026-11-21T01:00:00.000000000Z",
        "end_time": "2026-11-21T01:00:00.000000000Z",
        "previous_sha256": None,
        "bucket": BUCKET,
        "key_arn": KEY_ARN,
        "algorithm": "ECDSA_SHA_256",
        "drained": True,
        "objects": 2,
    }
    assert objects == [
        {
            "s3_key": key,
            "version_id": version_id,
            "size": 4,
            "sha256": sha256(body).hexdigest(),
            "written_at": BEGINNING,
        }
        for key, version_id, body in (("raw/a é+", "v1", b"one\n"), ("raw/b", "v0", b"two\n"))
    ]
    assert seal.keys() == {"signature", "algorithm", "key_arn"}
    assert (seal["algorithm"], seal["key_arn"]) == ("ECDSA_SHA_256", KEY_ARN)


def test_each_digest_begins_where_the_one_before_ends_and_names_it_also_where_nothing_was_written() -> None:
    world = World()
    for _ in range(3):
        world.hour()
    first, second, third = (parse_digest(kept.content).head for kept in world.digests())

    assert [head.sequence for head in (first, second, third)] == [1, 2, 3]
    assert (second.start_time, third.start_time) == (first.end_time, second.end_time)
    assert second.previous_sha256 == sha256(world.kept[1]).hexdigest()
    assert third.previous_sha256 == sha256(world.kept[2]).hexdigest()
    assert world.waiting == {}


def test_what_is_told_twice_is_listed_once_in_a_digest_and_once_more_in_a_later_one() -> None:
    world = World()
    version = world.put("raw/a", b"one\n")
    world.tell("raw/a", version)
    world.hour()
    assert listed(world) == [("raw/a", "v0")]

    world.tell("raw/a", version)
    world.hour()

    assert listed(world) == [("raw/a", "v0")] * 2
    assert differences(world) == []


def test_what_was_removed_before_its_digest_is_listed_without_a_hash() -> None:
    world = World()
    world.put("raw/a", b"one\n")
    world.objects["raw/a"].clear()
    world.hour()

    [found] = parse_digest(world.kept[1]).objects
    [difference] = differences(world)

    assert found.sha256 is None
    assert (difference.kind.value, difference.detail) == ("listed-missing", "it was gone when its digest was made")


def test_what_cannot_be_read_keeps_its_notification_and_holds_up_nothing_else() -> None:
    world = World()
    world.hour()
    world.put("raw/a", b"one\n")
    world.put("raw/b", b"two\n")
    world.waiting["no notification"] = "hello"
    world.unreadable = {"raw/a"}
    report = world.hour()

    assert listed(world) == [("raw/b", "v1")]
    assert len(report.failures) == len(world.waiting) == 2

    for _ in range(4):
        world.hour()
    assert [(each.kind.value, each.s3_key) for each in differences(world)] == [("object-unlisted", "raw/a")]

    world.unreadable.clear()
    world.hour()
    assert listed(world) == [("raw/b", "v1"), ("raw/a", "v0")]
    assert differences(world) == []
    assert list(world.waiting) == ["no notification"]


def test_the_test_message_of_s3_and_what_is_of_another_bucket_are_forgotten() -> None:
    world = World(bucket=BUCKET)
    world.put("raw/a", b"one\n")
    of_another = next(iter(world.waiting.values())).replace(BUCKET, "another")
    world.waiting = {"test": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}), "another": of_another}
    world.hour()

    assert listed(world) == []
    assert world.waiting == {}


def test_more_than_one_digest_lists_is_listed_by_several_of_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests_writer, "MAX_OBJECTS", 4)
    world = World(receives_at_once=2)
    keys = [f"raw/{number}" for number in range(9)]
    for key in keys:
        world.put(key, b"x")
    report = world.hour()

    assert [(head.objects, head.drained) for head in report.heads] == [(4, False), (4, False), (1, True)]
    assert [key for key, _ in listed(world)] == keys
    assert differences(world) == []


def test_a_run_whose_time_is_up_leaves_the_rest_to_the_next_and_says_so() -> None:
    world = World(receives_at_once=2)
    for number in range(5):
        world.put(f"raw/{number}", b"x")
    world.pass_time()
    left = iter([600_000, 100_000, 100_000])
    report = world.run(lambda: next(left))

    assert [(head.objects, head.drained) for head in report.heads] == [(2, False)]
    assert differences(world) == [], "what waits is no finding"
    world.hour()
    assert len(set(listed(world))) == 5


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]\n[]\n", b"{" * 100_000])
def test_an_unreadable_newest_digest_does_not_keep_the_next_from_coming(content: bytes) -> None:
    world = World()
    world.hour()
    world.kept[1] = content
    world.hour()

    head = parse_digest(world.kept[2]).head
    assert head.previous_sha256 == sha256(content).hexdigest()
    assert head.start_time == head.end_time
    assert [each.kind.value for each in differences(world)] == ["digest-changed"]


def test_a_forged_time_of_the_newest_digest_does_not_date_the_next() -> None:
    world = World()
    world.hour()
    world.kept[1] = world.kept[1].replace(b"2026-11-21T01", b"9026-11-21T01")
    world.hour()

    assert parse_digest(world.kept[2]).head.start_time == world.now


def test_a_digest_is_read_only_as_it_is_written() -> None:
    world = World()
    world.put("raw/a", b"one\n")
    world.hour()
    content = world.kept[1]

    assert parse_digest(content).signed_part == content[: content.rstrip().rindex(b"\n") + 1]
    for other in (
        content + b"\n",
        content.replace(b",", b", "),
        content[:-1],
        content.replace(b'"objects":1', b'"objects":2'),
        content.replace(b'"size":4', b'"size":%d' % 10**40),
    ):
        with pytest.raises(IntegrityFailure):
            parse_digest(other)


_RECORD = {
    "eventTime": "2026-11-21T10:00:00.123Z",
    "s3": {"bucket": {"name": BUCKET}, "object": {"key": "raw/source%3Da%252Fb/x+y", "size": 7, "versionId": "v"}},
}


def test_a_notification_is_read_with_its_key_as_it_is() -> None:
    notices = parse_notification(json.dumps({"Records": [_RECORD]}), BUCKET)

    assert notices == [Notice("raw/source=a%2Fb/x y", "v", 7, Instant("2026-11-21T10:00:00.123000000Z"))]


def _record_with(**members: object) -> str:
    """A notification whose object says something else."""
    told = {"key": "raw/x", "size": 7, "versionId": "v"} | members
    return json.dumps({"Records": [_RECORD | {"s3": {"bucket": {"name": BUCKET}, "object": told}}]})


_NO_NOTIFICATIONS = {
    "nothing": "",
    "a list": "[]",
    "no records": "{}",
    "null": "null",
    "records of another kind": '{"Records": 1}',
    "an empty record": '{"Records": [{}]}',
    "a time that is none": json.dumps({"Records": [_RECORD | {"eventTime": "yesterday"}]}),
    "no version": json.dumps(
        {"Records": [_RECORD | {"s3": {"bucket": {"name": BUCKET}, "object": {"key": "a", "size": 1}}}]}
    ),
    "a version that is no text": _record_with(versionId=["v"]),
    "a version without a character": _record_with(versionId=""),
    "half a character in a version": _record_with(versionId="\ud800"),
    "a key without a character": _record_with(key=""),
    "half a character in a key": _record_with(key="raw/\ud800"),
    "a size without end": _record_with(size=float("inf")),
    "a size beyond numbers": _record_with(size=7).replace("7", "1e999"),
    "a size that is no number": _record_with(size=float("nan")),
    "a size that is text": _record_with(size="7"),
    "a size below nothing": _record_with(size=-1),
    "a size that SQLite does not take": _record_with(size=10**40),
    "a size of five thousand digits": _record_with(size=7).replace("7", "9" * 5000),
    "a hundred thousand levels": "[" * 100_000,
}


@pytest.mark.parametrize("body", _NO_NOTIFICATIONS.values(), ids=_NO_NOTIFICATIONS)
def test_what_is_no_notification_is_told(body: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_notification(body, BUCKET)


@pytest.mark.parametrize("body", _NO_NOTIFICATIONS.values(), ids=_NO_NOTIFICATIONS)
def test_what_is_no_notification_holds_up_no_digest(body: str) -> None:
    world = World()
    world.waiting["no notification"] = body
    world.put("raw/a", b"one\n")
    report = world.hour()

    assert listed(world) == [("raw/a", "v0")]
    assert list(report.failures) == list(world.waiting) == ["no notification"]
    assert differences(world) == []


def test_killed_at_any_step_nothing_is_lost_and_nothing_differs() -> None:
    steps = 0
    ended = False
    while not ended:
        world = World(receives_at_once=2)
        for number in range(3):
            world.put(f"raw/{number}", b"x")
        world.pass_time()
        world.killed_at = steps
        try:
            world.run()
            ended = True
        except Killed:
            steps += 1
        world.killed_at = None
        world.hour()
        world.hour()
        assert set(listed(world)) == {(f"raw/{number}", f"v{number}") for number in range(3)}, f"at step {steps}"
        assert world.waiting == {}
        assert differences(world) == [], f"at step {steps}"
    assert steps >= 12


def test_of_two_runs_at_once_the_second_leaves_what_it_has_to_the_next() -> None:
    world = World(receives_at_once=1)
    world.put("raw/a", b"one\n")
    world.pass_time()

    def another_runs() -> None:
        world.before_keeping = lambda: None
        world.put("raw/b", b"two\n")
        assert [head.objects for head in world.run().heads] == [1]

    world.before_keeping = another_runs
    report = world.run()

    assert (report.write_conflict, report.heads) == (True, ())
    assert listed(world) == [("raw/b", "v1")]
    world.hour()
    assert listed(world) == [("raw/b", "v1"), ("raw/a", "v0")]
    assert world.waiting == {}
    assert differences(world) == []


_happenings = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5)),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("hour"), st.just(0)),
        st.tuples(st.just("killed"), st.integers(0, 25)),
        st.tuples(st.just("overlap"), st.integers(0, 5)),
    ),
    max_size=25,
)


@given(_happenings)
def test_whatever_happens_to_runs_all_that_was_written_is_listed_and_nothing_differs(
    happenings: list[tuple[str, int]],
) -> None:
    world = World()
    for what, number in happenings:
        match what:
            case "put":
                world.put(f"raw/{number}/{len(world.objects)}", b"%d" % number)
            case "again" if world.objects:
                key = sorted(world.objects)[number % len(world.objects)]
                world.tell(key, world.objects[key][0].version_id)
            case "hour":
                world.hour()
            case "killed":
                world.pass_time()
                world.killed_at = number
                with suppress(Killed):
                    world.run()
                world.killed_at = None
            case "overlap":
                world.pass_time()
                world.before_keeping = lambda: _run_once(world)
                world.run()
                world.before_keeping = lambda: None
        kinds = {each.kind.value for each in differences(world)}
        assert kinds <= {"digest-delayed"}, "a run that was killed may have written none"
    world.hour()
    world.hour()

    assert set(listed(world)) == {
        (key, each.version_id) for key, versions in world.objects.items() for each in versions
    }
    assert world.waiting == {}


def _run_once(world: World) -> None:
    world.before_keeping = lambda: None
    world.run()


def test_a_digest_is_named_by_the_hash_of_all_its_bytes() -> None:
    assert KeptDigest(1, b"all").sha256 == sha256(b"all").hexdigest()
