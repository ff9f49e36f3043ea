"""Hostile and broken calls: refused with a reason, never a crash."""

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from accounts.ingest.calls import ALIAS, Call, Delivered, RefusedCall, Unreadable, read_call
from tests.accounts.ingest.calls import MORNING, group, identify, track

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def refusal(item: Any) -> str:
    found = read_call(item, now=NOW)
    assert isinstance(found, RefusedCall), found
    # What is kept of it must fit into PostgreSQL.
    for text in (found.sample, found.message_id):
        assert text.isprintable()
    return found.reason


def accepted(item: Any) -> Call:
    found = read_call(item, now=NOW)
    assert isinstance(found, Call), found
    return found


HOSTILE: list[tuple[str, Any, str]] = [
    ("a number", 5, "a call must be a JSON object"),
    ("a list", [1, 2], "a call must be a JSON object"),
    ("null", None, "a call must be a JSON object"),
    ("nothing in it", {}, "not a known type of call"),
    ("unknown type", {"type": "delete"}, "not a known type of call"),
    ("type of another type", {"type": ["track"]}, "not a known type of call"),
    ("alias", {"type": "alias", "userId": "a", "previousId": "b"}, ALIAS),
    ("deep", group("a", x=nested(40)), "nested deeper than 32 levels"),
    ("very deep", group("a", x=nested(5_000)), "nested deeper than 32 levels"),
    ("deep in properties", track("u", "E") | {"properties": nested(33)}, "nested deeper than 32 levels"),
    ("deep without an id", {"type": "group", "groupId": "a", "traits": nested(5_000)}, "nested deeper than 32 levels"),
    ("endless integer", group("a", x=10**5_000), "contains a number of thousands of digits"),
    ("endless integer, no id", {"type": "group", "x": 10**5_000}, "contains a number of thousands of digits"),
    ("large", group("a", x="y" * 256_001), "larger than 256 kB"),
    ("many keys", group("a", **{f"k{n}": n for n in range(501)}), "more than 500 traits"),
    ("traits as a list", group("a") | {"traits": [1]}, "traits must be a JSON object"),
    ("no group", group(""), "a group call without a groupId"),
    ("null group", group("a") | {"groupId": None}, "a group call without a groupId"),
    ("group as a boolean", group("a") | {"groupId": True}, "an id must be a text"),
    ("group as an object", group("a") | {"groupId": {"$gt": ""}}, "an id must be a text"),
    ("NUL in an id", group("a\x00b"), "an id must have at most 255 ordinary characters"),
    ("surrogate in an id", identify("u\ud800"), "an id must have at most 255 ordinary characters"),
    ("long id", identify("u" * 256), "an id must have at most 255 ordinary characters"),
    ("huge id", identify("u") | {"userId": 10**300}, "an id must have at most 255 ordinary characters"),
    ("odd context group", track("u", "E") | {"context": {"groupId": 1.5}}, "an id must be a text"),
    (
        "anonymous identify",
        {"type": "identify", "anonymousId": "x", "traits": {}},
        "no userId: anonymous visitors are not kept",
    ),
    (
        "anonymous track",
        {"type": "track", "anonymousId": "x", "event": "E"},
        "neither a userId nor a groupId: anonymous visitors are not kept",
    ),
    ("no event", track("u", "  "), "a track call without an event"),
    ("event as a number", track("u", "E") | {"event": 5}, "a track call without an event"),
    ("NUL in an event", track("u", "E\x00"), "an event name must have at most 200 ordinary characters"),
    ("long event", track("u", "E" * 201), "an event name must have at most 200 ordinary characters"),
    ("timestamp of words", group("a", "yesterday"), "its timestamp is not a date and time"),
    ("timestamp as a number", group("a") | {"timestamp": 17}, "its timestamp is not a date and time"),
    ("timestamp with NUL", group("a", "2026-11-02\x00"), "its timestamp is not a date and time"),
    ("timestamp of year one", group("a", "0001-01-01T00:00:00+14:00"), "its timestamp is not plausible"),
    ("timestamp of far future", group("a", "9999-12-31T23:59:59-12:00"), "its timestamp is not plausible"),
    ("a broken line", Unreadable("sha256:1", "not JSON", "{"), "not JSON"),
]


@pytest.mark.parametrize(("item", "reason"), [pair[1:] for pair in HOSTILE], ids=[pair[0] for pair in HOSTILE])
def test_a_hostile_call_is_refused_as_a_whole(item: Any, reason: str) -> None:
    assert refusal(item) == reason


SURVIVORS: list[tuple[str, Any]] = [
    ("NaN", float("nan")),
    ("infinity", float("inf")),
    ("huge integer", 10**30),
    ("NUL", "a\x00b"),
    ("lone surrogate", "\ud83d"),
    ("object", {"a": 1}),
]


@pytest.mark.parametrize("value", [pair[1] for pair in SURVIVORS], ids=[pair[0] for pair in SURVIVORS])
def test_one_hostile_value_does_not_refuse_its_call(value: Any) -> None:
    assert accepted(group("a", bad=value, good=1)).traits["good"] == 1


class TestMoment:
    @pytest.mark.parametrize(
        "written",
        ["2026-11-02T06:00:00.000Z", "2026-11-02T06:00:00+00:00", "2026-11-02T07:00:00+01:00", "2026-11-02T06:00:00"],
    )
    def test_every_iso_form_is_understood(self, written: str) -> None:
        assert accepted(group("a", written)).at == datetime(2026, 11, 2, 6, tzinfo=UTC)

    def test_without_any_it_is_now(self) -> None:
        assert accepted({"type": "group", "groupId": "a"}).at == NOW


class TestIdentity:
    def test_a_call_without_message_id_is_recognised_by_its_content(self) -> None:
        one = {"type": "group", "groupId": "a", "timestamp": MORNING, "sentAt": "2026-11-02T06:00:01Z"}
        again = one | {"sentAt": "2026-11-03T06:00:00Z"}
        other = one | {"groupId": "b"}

        assert accepted(one).message_id == accepted(again).message_id != accepted(other).message_id

    @pytest.mark.parametrize("given", ["", "x" * 256, "a\x00", "\ud800", 5, None, ["m"]])
    def test_an_unusable_message_id_is_replaced(self, given: Any) -> None:
        assert accepted(group("a") | {"messageId": given}).message_id.startswith("sha256:")


class TestForms:
    def test_an_id_may_be_a_number(self) -> None:
        assert accepted(identify("u") | {"userId": 42}).user_id == "42"

    def test_first_and_last_name_make_a_name(self) -> None:
        assert accepted(identify("u", firstName="Ada", lastName="King")).traits["name"] == "Ada King"
        assert accepted(identify("u", firstName="Ada", name="A. King")).traits["name"] == "A. King"

    def test_page_and_screen_are_events(self) -> None:
        assert accepted({"type": "page", "userId": "u", "name": "Pricing"}).event == "Viewed Pricing Page"
        assert accepted({"type": "screen", "userId": "u", "name": " Home "}).event == "Viewed Home Screen"
        assert accepted({"type": "page", "userId": "u", "name": 5}).event == "Loaded a Page"
        assert accepted({"type": "screen", "userId": "u"}).event == "Loaded a Screen"

    def test_the_group_of_an_event_may_stand_beside_or_inside_the_context(self) -> None:
        assert accepted(track("u", "E", of="a")).group_id == "a"
        assert accepted(track("u", "E") | {"groupId": "b"}).group_id == "b"
        assert accepted(track("u", "E") | {"context": "none"}).group_id == ""


class TestClocks:
    """By Segment's formula: received at, less what lay between happening and sending by the sender's own clock."""

    @pytest.mark.parametrize(
        ("timestamp", "sent_at", "at"),
        [
            ("2026-11-22T11:00:00Z", "2026-11-22T11:05:00Z", "11:55"),  # an hour slow
            ("2026-11-22T14:00:00Z", "2026-11-22T14:00:30Z", "11:59:30"),  # two hours fast
            ("2026-11-22T11:00:00+02:00", "2026-11-22T10:00:00+01:00", "12:00"),
            ("2026-11-22T11:00:00Z", None, "11:00"),  # nobody knows how wrong the clock is
            ("2026-11-22T11:00:00Z", "soon", "11:00"),
            ("2026-11-23T11:00:00Z", None, "12:00"),  # nothing happens after it came
            ("2026-11-22T13:00:00Z", "2026-11-22T12:30:00Z", "12:00"),
            (None, "2026-11-22T12:30:00Z", "12:00"),
            (None, None, "12:00"),
        ],
    )
    def test_a_wrong_clock_is_set_right(self, timestamp: str | None, sent_at: str | None, at: str) -> None:
        item = {"type": "track", "userId": "u", "event": "E", "timestamp": timestamp, "sentAt": sent_at}
        found = read_call(Delivered(item, NOW), now=NOW + timedelta(hours=3))

        assert isinstance(found, Call)
        assert found.at == datetime.combine(NOW.date(), time.fromisoformat(at), UTC)

    def test_what_an_export_says_is_not_touched(self) -> None:
        item = track("u", "E", "2026-11-23T11:00:00Z") | {"sentAt": "2026-11-23T15:00:00Z"}
        assert accepted(item).at.day == 23

    def test_the_id_of_a_call_without_one_does_not_depend_on_the_clock(self) -> None:
        item = {"type": "track", "userId": "u", "event": "E", "timestamp": "2026-11-22T11:00:00Z"}
        first = read_call(Delivered(item | {"sentAt": "2026-11-22T11:01:00Z"}, NOW), now=NOW)
        again = read_call(Delivered(item | {"sentAt": "2026-11-22T11:09:00Z"}, NOW + timedelta(minutes=8)), now=NOW)
        assert first.message_id == again.message_id


def test_samples_escape_what_cannot_be_stored() -> None:
    found = read_call({"type": "x", "a": "\x00\ud800"}, now=NOW)
    assert isinstance(found, RefusedCall)
    assert json.loads(found.sample) == {"type": "x", "a": "\x00\ud800"}
