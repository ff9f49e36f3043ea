"""Settings of sending and of the team's workload: who changes them, and what is refused."""

from datetime import date

import pytest

from accounts.conversations.sending import the_policy
from accounts.models import Suppression, Workload
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account

POLICY = {"opens_at": 7, "closes_at": 20, "mails_an_hour": 30, "hours_between": 6}


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


def test_hours_and_limits_are_changed_and_shown(jonah: Visitor) -> None:
    jonah.submit("settings/sending/", **POLICY)

    policy = the_policy()
    assert {name: getattr(policy, name) for name in POLICY} == POLICY
    assert policy.weekdays_only is False
    assert 'value="30"' in text(jonah.page("settings/sending/"))


def test_hours_that_end_before_they_begin_are_refused(jonah: Visitor) -> None:
    answer = jonah.submit("settings/sending/", **(POLICY | {"opens_at": 20, "closes_at": 8}))

    assert answer.status_code == 422
    assert "Choose an hour after the first." in text(answer)
    assert the_policy().opens_at == 8


def test_an_address_is_listed_and_taken_off_but_an_unsubscription_is_not_ours(jonah: Visitor) -> None:
    jonah.submit("settings/sending/suppress/", email=" Ben@Customer.example ")
    listed = Suppression.objects.get()
    assert (listed.email, listed.reason, listed.by) == ("ben@customer.example", "manual", jonah.member.actor)
    gone = Suppression.objects.create(email="gone@customer.example", reason="unsubscribed", since=MONDAY)

    for one in (listed, gone):
        jonah.submit(f"settings/sending/{one.pk}/lift/")

    assert list(Suppression.objects.all()) == [gone]
    assert jonah.submit("settings/sending/suppress/", email="nobody").status_code == 422


def test_who_can_take_on_how_much_is_shown_and_changed(jonah: Visitor, inside: Workspace) -> None:
    account("Harbour", csm=inside.priya)
    account("Churned", csm=inside.priya, lifecycle="churned")

    jonah.submit(f"settings/workload/{inside.priya.pk}/", capacity=40, away_until="2026-11-20")

    workload = Workload.objects.get()
    assert (workload.member, workload.capacity, workload.away_until) == (inside.priya, 40, date(2026, 11, 20))
    shown = text(jonah.page("settings/workload/"))
    assert "1 as CSM · 0 as AE" in shown
    assert 'value="2026-11-20"' in shown
    assert jonah.submit(f"settings/workload/{inside.priya.pk}/", capacity="many").status_code == 422


def test_only_admins_and_owners_change_them(inside: Workspace) -> None:
    priya = Visitor(inside.priya)

    assert priya.page("settings/sending/").status_code == 200
    assert priya.submit("settings/sending/", **POLICY).status_code == 403
    assert priya.submit(f"settings/workload/{inside.priya.pk}/", capacity=1).status_code == 403
