"""Hostile and broken calls: refused with a reason, never a crash."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.ingest.calls import Call, RefusedCall, Unreadable, read_call
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
    ("alias", {"type": "alias", "userId": "a", "previousId": "b"}, "alias calls are not used"),
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
        assert accepted({"type": "page", "userId": "u", "name": "Pricing"}).event == "Page viewed"
        assert accepted({"type": "screen", "userId": "u"}).event == "Screen viewed"

    def test_the_group_of_an_event_may_stand_beside_or_inside_the_context(self) -> None:
        assert accepted(track("u", "E", of="a")).group_id == "a"
        assert accepted(track("u", "E") | {"groupId": "b"}).group_id == "b"
        assert accepted(track("u", "E") | {"context": "none"}).group_id == ""


def test_samples_escape_what_cannot_be_stored() -> None:
    found = read_call({"type": "x", "a": "\x00\ud800"}, now=NOW)
    assert isinstance(found, RefusedCall)
    assert json.loads(found.sample) == {"type": "x", "a": "\x00\ud800"}
