"""Questions asked in one statement have the answers they would have had alone."""

import pytest
from pytest_django import DjangoAssertNumQueries

from cs_platform.common.together import count_each, first_ids_of_each
from cs_platform.tenancy.models import User


@pytest.fixture
def users(db: None) -> list[User]:
    return User.objects.bulk_create([User(email=f"{name}@x.example", name=name) for name in "dacb"])


def test_each_is_counted_up_to_a_bound(users: list[User], django_assert_num_queries: DjangoAssertNumQueries) -> None:
    mine = User.objects.filter(pk__in=[user.pk for user in users])
    asked = [mine, mine.filter(name__gt="b"), mine.filter(name="100%"), mine.filter(pk__in=[])]

    with django_assert_num_queries(1):
        assert count_each(asked, most=3) == [3, 2, 0, 0]


def test_the_first_of_each_come_in_its_own_order(
    users: list[User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = {user.pk: user.name for user in users}
    mine = User.objects.filter(pk__in=names)
    asked = [mine.order_by("name"), mine.order_by("-name"), mine.filter(name="100%"), mine.filter(pk__in=[])]

    with django_assert_num_queries(1):
        found = first_ids_of_each(asked, most=2)
    assert [[names[pk] for pk in ids] for ids in found] == [["a", "b"], ["d", "c"], [], []]


def test_nothing_asked_is_no_statement(django_assert_num_queries: DjangoAssertNumQueries, db: None) -> None:
    with django_assert_num_queries(0):
        assert (count_each([], most=1), first_ids_of_each([], most=1)) == ([], [])
