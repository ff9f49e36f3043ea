"""Figures in words and charts: days, counts on a grid, and lines per person."""

import pytest

from cs_platform.dashboard.reports.figures import begun_and_ended, days, days_moved, stacked, whole_marks
from cs_platform.dashboard.reports.people import SHOWN, by_person
from cs_platform.tenancy.models import Membership, User
from tests.world import MONDAY, Workspace


@pytest.mark.parametrize(
    ("number", "words"),
    [(None, "–"), (0.96, "1 day"), (1.25, "1.2 days"), (9.96, "10 days"), (11.5, "12 days"), (1200, "1,200 days")],
)
def test_days_are_as_exact_as_they_matter(number: float | None, words: str) -> None:
    assert days(number) == words


def test_less_time_is_better() -> None:
    assert days_moved(3, 5.5) == ("−2.5 days", "ok")
    assert days_moved(5.5, 3) == ("+2.5 days", "bad")
    assert days_moved(3, 3) == ("0 days", "")
    assert days_moved(3, None) == ("", "")


@pytest.mark.parametrize(
    ("highest", "words"), [(1, ["0", "1"]), (3, ["0", "1", "2", "3"]), (1100, ["0", "500", "1,000", "1,500"])]
)
def test_counts_have_whole_grid_lines_that_hold_them(highest: int, words: list[str]) -> None:
    assert [word for _mark, word in whole_marks(highest)] == words


def test_nothing_is_no_chart() -> None:
    assert begun_and_ended(["Nov"], [(0, 0)]) is None
    assert stacked(["Nov"], [[("ok", 0)]]) is None


def test_bars_side_by_side_are_labelled_while_there_is_room() -> None:
    few, many = (begun_and_ended(["Nov"] * count, [(1, 0)] * count) for count in (6, 7))

    assert few
    assert many
    assert ({bar.total for bar in few.bars}, {bar.total for bar in many.bars}) == ({"1", ""}, {""})


def test_the_heaviest_come_first_and_nobody_last_of_so_many(orbiton: Workspace) -> None:
    users = User.objects.bulk_create(User(email=f"{at}@orbiton.example", name=f"P{at}") for at in range(SHOWN))
    made = {"tenant": orbiton.tenant, "role": "csm", "joined_at": MONDAY}
    people = Membership.objects.bulk_create(
        Membership(user=user, name=user.name, email=user.email, **made) for user in users
    )
    found = by_person({None: 999} | {one.pk: at for at, one in enumerate(people)}, weight=lambda n: (n,))

    assert len(found) == SHOWN
    assert [one.name for one in (found[0], found[1], found[-1])] == [f"P{SHOWN - 1}", f"P{SHOWN - 2}", "Nobody"]
