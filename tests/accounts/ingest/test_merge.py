"""The newest word wins, whatever the order and however the calls are cut into batches."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accounts.ingest.merge import Document, News, milliseconds, unsubscribed_since

START = datetime(2026, 11, 2, tzinfo=UTC)
OWN = {"plan", "seats", "country"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def taken(document: Document, *said: tuple[str, Any, float]) -> set[str] | None:
    news = News(first_at=START)
    for key, value, seconds in said:
        news.say(key, value, at(seconds))
    return document.take(news.traits, own=OWN)


def empty() -> Document:
    return Document({}, {}, {})


class TestTake:
    def test_a_newer_value_replaces_an_older_one(self) -> None:
        document = empty()
        taken(document, ("plan", "Team", 1))

        assert taken(document, ("plan", "Business", 2)) == {"plan"}
        assert document.traits == {"plan": "Business"}

    def test_a_late_value_is_nothing_new(self) -> None:
        document = empty()
        taken(document, ("plan", "Business", 2))

        assert taken(document, ("plan", "Team", 1)) is None
        assert document.traits == {"plan": "Business"}

    def test_a_late_call_still_fills_what_nobody_spoke_of(self) -> None:
        document = empty()
        taken(document, ("plan", "Business", 2))

        assert taken(document, ("plan", "Team", 1), ("seats", 4, 1)) == {"seats"}
        assert document.traits == {"plan": "Business", "seats": 4}

    def test_a_null_removes_and_is_remembered_against_late_calls(self) -> None:
        document = empty()
        taken(document, ("country", "SE", 1))
        taken(document, ("country", None, 3))

        assert taken(document, ("country", "DE", 2)) is None
        assert document.traits == {}

    def test_the_same_value_said_again_is_newer_and_changes_nothing(self) -> None:
        document = empty()
        taken(document, ("plan", "Team", 1))

        assert taken(document, ("plan", "Team", 3)) == set()
        assert taken(document, ("plan", "Business", 2)) is None

    def test_a_value_of_another_writer_becomes_an_imports(self) -> None:
        document = Document({"plan": "Team", "stage": "x"}, {"plan": "person:7", "stage": "run:1"}, {})
        taken(document, ("plan", "Business", 1))

        assert document.writers == {"stage": "run:1"}


class TestMoments:
    def test_only_exceptions_are_listed(self) -> None:
        document = empty()
        taken(document, ("plan", "Team", 1), ("seats", 4, 1))
        assert document.moments == {"*": milliseconds(at(1))}

        taken(document, ("plan", "Business", 2))
        assert document.moments == {"*": milliseconds(at(2)), "seats": milliseconds(at(1))}

        taken(document, ("seats", None, 3))
        assert document.moments == {"*": milliseconds(at(3)), "seats": milliseconds(at(3)), "plan": milliseconds(at(2))}

    def test_traits_edited_here_have_no_moment(self) -> None:
        document = Document({"stage": "x"}, {}, {})
        taken(document, ("plan", "Team", 1))
        taken(document, ("plan", "Team", 2))

        assert document.moments == {"*": milliseconds(at(2))}


said = st.tuples(
    st.sampled_from(sorted(OWN)),
    st.one_of(st.none(), st.sampled_from(["a", "b", 1, 2, True, ["x"]])),
    st.integers(0, 3),
)


@given(st.lists(said, max_size=12), st.randoms(), st.lists(st.integers(0, 12), max_size=4))
def test_any_order_in_any_batches_gives_the_same_document(
    calls: list[tuple[str, Any, int]], random: Any, cuts: list[int]
) -> None:
    in_order, shuffled = empty(), empty()
    for call in calls:
        taken(in_order, call)
    mixed = random.sample(calls, len(calls))
    for start, end in pairwise(sorted([0, *cuts, len(mixed)])):
        taken(shuffled, *mixed[start:end])

    assert (shuffled.traits, shuffled.moments) == (in_order.traits, in_order.moments)


@given(st.lists(said, max_size=12))
def test_nothing_is_new_the_second_time(calls: list[tuple[str, Any, int]]) -> None:
    document = empty()
    taken(document, *calls)

    assert taken(document, *calls) is None


class TestUnsubscribed:
    def test_the_first_call_that_said_so_counts(self) -> None:
        assert unsubscribed_since(None, [(at(1), True), (at(2), True)], known_at=0) == at(1)

    def test_a_newer_no_clears_it_and_a_late_one_does_not(self) -> None:
        assert unsubscribed_since(at(1), [(at(2), False)], known_at=milliseconds(at(1))) is None
        assert unsubscribed_since(at(3), [(at(2), False)], known_at=milliseconds(at(3))) == at(3)

    def test_a_late_yes_moves_it_back(self) -> None:
        assert unsubscribed_since(at(3), [(at(2), True)], known_at=milliseconds(at(3))) == at(2)

    def test_a_late_yes_before_a_no_means_nothing(self) -> None:
        assert unsubscribed_since(None, [(at(1), True)], known_at=milliseconds(at(2))) is None
