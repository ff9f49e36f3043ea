"""Every rule by which a value is kept, coerced or refused (docs/data-in.md lists the same)."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.ingest.reading import Refused, Terms, read
from accounts.models import TraitDefinition

TERMS = Terms(ZoneInfo("America/New_York"), people={"maya@halyard.example": 7})


def definition(type: str, column: str = "", choices: tuple[str, ...] = ()) -> TraitDefinition:
    return TraitDefinition(tenant_id=1, key="k", type=type, column=column, choices=list(choices))


KEPT: list[tuple[str, Any, Any]] = [
    ("text", "Media", "Media"),
    ("text", "Łukasz", "Łukasz"),
    ("text", " Media ", "Media"),
    ("text", None, None),
    ("number", 4, 4),
    ("number", 9.4, 9.4),
    ("number", 5.0, 5),
    ("number", 2**53, 2**53),
    ("currency", 0, 0),
    ("currency", 3274.58, 327458),
    ("currency", 1250, 125000),
    ("currency", -0.1, -10),
    ("boolean", False, False),
    ("date", "2027-01-18", "2027-01-18"),
    ("moment", "2024-12-07T04:00:22+00:00", "2024-12-07T04:00:22Z"),
    ("moment", "2024-12-07T04:00:22.512Z", "2024-12-07T04:00:22Z"),
    ("moment", "2024-12-07T04:00:22-05:00", "2024-12-07T09:00:22Z"),
    ("list", ["api", "mobile"], ["api", "mobile"]),
    ("list", [], None),
    ("url", "https://argon.example/a?b=c", "https://argon.example/a?b=c"),
    ("person", "Maya@Halyard.example", 7),
    ("choice", "whatever", "whatever"),
]

COERCED: list[tuple[str, Any, Any, str]] = [
    ("text", "", None, "empty text read as no value"),
    ("number", "   ", None, "empty text read as no value"),
    ("text", 5, "5", "number read as text"),
    ("text", True, "true", "yes or no read as text"),
    ("number", "6", 6, "text read as a number"),
    ("number", "14,118.99", 14118.99, "text read as a number"),
    ("number", "14.118,99", 14118.99, "text read as a number"),
    ("number", "14 118,99", 14118.99, "text read as a number"),
    ("number", "14'118", 14118, "text read as a number"),
    ("number", "1,234", 1234, "text read as a number"),
    ("number", "12,5", 12.5, "text read as a number"),
    ("number", "-.5", -0.5, "text read as a number"),
    ("number", "1E+05", 100000, "text read as a number"),
    ("currency", "48.90", 4890, "text read as a number"),
    ("currency", "14,118.99", 1411899, "text read as a number"),
    ("currency", "$1,200", 120000, "text read as a number"),
    ("currency", "1.200,50 €", 120050, "text read as a number"),
    ("currency", "EUR 12", 1200, "text read as a number"),
    ("currency", 71.335, 7134, "rounded to cents"),
    ("currency", "71.335", 7134, "rounded to cents"),
    ("boolean", "false", False, "text read as yes or no"),
    ("boolean", "Yes", True, "text read as yes or no"),
    ("boolean", 1, True, "number read as yes or no"),
    ("date", "26/12/2026", "2026-12-26", "read as day/month/year"),
    ("date", "3.4.2027", "2027-04-03", "read as day/month/year"),
    ("date", "2026-11-27T06:00:00.000Z", "2026-11-27", "time of day dropped"),
    ("date", "2026-11-27T03:00:00Z", "2026-11-26", "time of day dropped"),
    ("date", "2026-11-27T00:00:00.000Z", "2026-11-27", "time of day dropped"),
    ("date", 1795586400, "2026-11-25", "time of day dropped"),
    ("moment", "2026-11-27", "2026-11-27T05:00:00Z", "date read as its first moment"),
    ("moment", "2026-11-27 10:00:00", "2026-11-27T10:00:00Z", "no offset: read as UTC"),
    ("moment", 1795586400, "2026-11-25T06:00:00Z", "number read as time since 1970"),
    ("moment", 1795586400123, "2026-11-25T06:00:00Z", "number read as time since 1970"),
    ("list", "api", ["api"], "single value read as a list"),
    ("list", 5, ["5"], "single value read as a list"),
    ("list", ["api", "api", "", None], ["api"], "empty and repeated items dropped"),
    ("list", [None], None, "empty and repeated items dropped"),
    ("list", [1, True, "x"], ["1", "true", "x"], "items read as text"),
    ("url", "argon.example/x", "https://argon.example/x", "https:// put in front"),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("text", {"crm": {"id": 37}}, "nested objects are not kept"),
    ("text", ["a"], "a list where one value is expected"),
    ("text", "a\x00b", "contains characters that cannot be stored"),
    ("text", "\ud83d", "contains characters that cannot be stored"),
    ("text", "x" * 10_001, "longer than 10,000 characters"),
    ("text", float("nan"), "not a finite number"),
    ("number", "n/a", "not a number"),
    ("number", "1,23,4", "not a number"),
    ("number", "١٢", "not a number"),
    ("number", "1" * 41, "not a number"),
    ("number", "45%", "not a number"),
    ("number", "nan", "not a number"),
    ("number", True, "yes or no where a number is expected"),
    ("number", float("inf"), "not a finite number"),
    ("number", 2**53 + 1, "too large a number to be kept exactly"),
    ("number", 10**400, "too large a number to be kept exactly"),
    ("number", "1e99", "too large a number to be kept exactly"),
    ("number", [5], "a list where one value is expected"),
    ("currency", "n/a", "not a number"),
    ("currency", False, "yes or no where a number is expected"),
    ("currency", 2**53, "too large a number to be kept exactly"),
    ("currency", float("nan"), "not a finite number"),
    ("boolean", "maybe", "neither yes nor no"),
    ("boolean", 2, "neither yes nor no"),
    ("boolean", {}, "nested objects are not kept"),
    ("date", "12/26/2026", "not a date (day/month/year)"),
    ("date", "2026-02-30", "not a date"),
    ("date", "soon", "not a date"),
    ("date", True, "not a date"),
    ("date", 20261126, "not a date"),
    ("date", "0000-00-00", "not a date"),
    ("date", "0001-01-01", "not a plausible year"),
    ("date", "0001-01-01T00:00:01+14:00", "not a plausible year"),
    ("date", "9999-12-31", "not a plausible year"),
    ("moment", "yesterday", "not a date and time"),
    ("moment", "9999-12-31T23:59:59Z", "not a plausible year"),
    ("moment", float("nan"), "not a date and time"),
    ("list", [{"a": 1}], "nested objects are not kept"),
    ("list", ["a", ["b"]], "nested objects are not kept"),
    ("list", ["a\x00"], "contains characters that cannot be stored"),
    ("list", ["a"] * 501, "a list of more than 500 items"),
    ("list", [float("nan")], "not a finite number"),
    ("url", "javascript:alert(1)", "not a link that starts with https:// or http://"),
    ("url", "https://", "not a link that starts with https:// or http://"),
    ("url", "https://[", "not a link that starts with https:// or http://"),
    ("url", "https://a.example/ b", "not a link that starts with https:// or http://"),
    ("person", "nobody@halyard.example", "no team member has this address"),
    ("person", 7, "no team member has this address"),
    ("person", ["maya@halyard.example"], "a list where one value is expected"),
]


@pytest.mark.parametrize(("type", "raw", "value"), KEPT)
def test_a_fitting_value_is_kept_without_a_word(type: str, raw: Any, value: Any) -> None:
    assert read(raw, definition(type), terms=TERMS) == (value, "")


@pytest.mark.parametrize(("type", "raw", "value", "note"), COERCED)
def test_a_near_value_is_coerced_and_says_how(type: str, raw: Any, value: Any, note: str) -> None:
    assert read(raw, definition(type), terms=TERMS) == (value, note)


@pytest.mark.parametrize(("type", "raw", "reason"), REFUSED)
def test_anything_else_is_refused_with_its_reason(type: str, raw: Any, reason: str) -> None:
    with pytest.raises(Refused, match="^" + reason.replace("(", r"\(").replace(")", r"\)") + "$"):
        read(raw, definition(type), terms=TERMS)


class TestChoices:
    def test_the_case_of_a_choice_is_forgiven(self) -> None:
        found = read("gold", definition("choice", choices=("Gold", "Silver")), terms=TERMS)
        assert found == ("Gold", "read as the choice it means")

    def test_another_choice_is_refused(self) -> None:
        with pytest.raises(Refused, match="none of the choices"):
            read("Bronze", definition("choice", choices=("Gold",)), terms=TERMS)

    @pytest.mark.parametrize(
        ("word", "lifecycle"),
        [("Trial", "trialing"), ("active", "subscribed"), ("canceled", "churned"), ("IGNORED", "ignored")],
    )
    def test_common_words_for_a_lifecycle_are_understood(self, word: str, lifecycle: str) -> None:
        assert read(word, definition("choice", "lifecycle"), terms=TERMS)[0] == lifecycle


class TestColumns:
    def test_an_indexed_column_refuses_texts_its_index_cannot_hold(self) -> None:
        with pytest.raises(Refused, match="longer than 500 characters"):
            read("x" * 501, definition("text", "name"), terms=TERMS)

    def test_a_time_zone_must_exist(self) -> None:
        assert read("Europe/Berlin", definition("text", "timezone"), terms=TERMS)[0] == "Europe/Berlin"
        with pytest.raises(Refused, match="not a time zone"):
            read("Berlin", definition("text", "timezone"), terms=TERMS)


class TestShift:
    def test_days_and_moments_move_and_texts_do_not(self) -> None:
        terms = Terms(ZoneInfo("UTC"), shift=timedelta(days=10))
        assert read("2026-12-26", definition("date"), terms=terms)[0] == "2027-01-05"
        assert read("2026-12-26T10:00:00Z", definition("moment"), terms=terms)[0] == "2027-01-05T10:00:00Z"
        assert read("2026-12-26", definition("text"), terms=terms)[0] == "2026-12-26"
