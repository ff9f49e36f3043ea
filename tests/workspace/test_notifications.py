"""Telling team members, as each of them chose; the bell; what a key reads."""

from typing import Any

from accounts.models import Account, Indicator
from cs_platform.tenancy.models import Membership
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import Choice, Kind, Mail, choose, notify, unread
from ctas.telling import Agent
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, days, live, playbook_json

URL = "/w/orbiton/jobs/"


def tell(home: Workspace, *members: Membership | None, **instead: Any) -> int:
    what = {"kind": Kind.JOB, "text": "Import done", "url": URL, "by": home.priya, "now": MONDAY}
    return notify(members=members, **what | instead)


def told(member: Membership) -> list[str]:
    return list(Notification.objects.filter(member=member).order_by("pk").values_list("text", flat=True))


def test_everybody_named_is_told_but_who_did_it_and_who_left(inside: Workspace) -> None:
    Membership.objects.filter(pk=inside.maya.pk).update(deactivated_at=MONDAY)

    assert tell(inside, inside.priya, inside.tom, inside.maya, None) == 1
    assert (told(inside.tom), told(inside.priya), told(inside.maya)) == (["Import done"], [], [])


def test_once_is_once_for_each(inside: Workspace) -> None:
    for _ in range(2):
        tell(inside, inside.tom, inside.maya, once="due:2026-11-02")

    assert [len(told(one)) for one in (inside.tom, inside.maya)] == [1, 1]


def test_each_is_told_as_they_chose(inside: Workspace) -> None:
    choose(inside.tom, {Kind.JOB: Choice(in_app=False, mail=Mail.NOW)})
    choose(inside.maya, {Kind.JOB: Choice(in_app=False, mail=Mail.OFF)})
    tell(inside, inside.tom, inside.maya, inside.jonah)

    rows = {row.member_id: (row.is_shown, row.mail) for row in Notification.objects.all()}
    assert rows == {inside.tom.pk: (False, "now"), inside.jonah.pk: (True, "off")}
    assert unread(inside.tom).count() == 0
    assert unread(inside.jonah).count() == 1


def test_what_becomes_somebodys_is_told_them(inside: Workspace, harbourline: Account) -> None:
    made = {"kind": "risk", "title": "Silent", "by": inside.priya, "now": MONDAY}
    indicator = Indicator.raise_on(harbourline, assignee=inside.tom, **made)
    indicator.assign(inside.maya, by=inside.priya, now=MONDAY)
    indicator.assign(inside.priya, by=inside.priya, now=MONDAY)

    assert told(inside.tom) == told(inside.maya) == ["Risk is yours now: Silent"]
    assert told(inside.priya) == []


def test_the_bell_counts_lists_and_forgets_what_was_read(inside: Workspace, priya: Visitor) -> None:
    tell(inside, inside.priya, by=inside.tom)
    tell(inside, inside.priya, by=None, text="Held: Rescue", kind=Kind.HELD, now=MONDAY + days(1))
    first = Notification.objects.earliest("pk")
    page = text(priya.page("notifications/"))

    assert '2<span class="sr"> new</span>' in page
    assert page.index("Held: Rescue") < page.index("Import done")
    assert "Tom Lindqvist" in page
    assert priya.send(f"notifications/{first.pk}/read/").headers["HX-Trigger"] == '{"notifications:changed": {}}'
    assert text(priya.page("notifications/?show=new")).count("data-read") == 1
    priya.submit("notifications/read/")
    assert unread(inside.priya).count() == 0
    priya.submit(f"notifications/{first.pk}/unread/")
    assert unread(inside.priya).count() == 1


def test_nobody_marks_what_others_were_told(inside: Workspace) -> None:
    tell(inside, inside.tom)
    Visitor(inside.maya).submit(f"notifications/{Notification.objects.get().pk}/read/")

    assert unread(inside.tom).count() == 1


def test_older_ones_stand_on_further_pages(inside: Workspace, priya: Visitor) -> None:
    for n in range(35):
        tell(inside, inside.priya, by=inside.tom, text=f"Number {n}.")
    first = text(priya.page("notifications/"))
    before = Notification.objects.get(text="Number 5.").pk

    assert f"before={before}" in first
    assert "Number 4." not in first
    older = text(priya.page(f"notifications/?before={before}"))
    assert "Number 4." in older
    assert "Number 5." not in older


def test_choices_are_made_on_a_page_without_scripts(inside: Workspace, priya: Visitor) -> None:
    priya.submit("notifications/choices/", **{"mail-mention": "daily", "in_app-job": "on", "mail-job": "nonsense"})
    tell(inside, inside.priya, by=inside.tom, kind=Kind.MENTION)

    told = Notification.objects.get()
    assert (told.is_shown, told.mail) == (False, "daily")
    assert 'value="daily" selected' in text(priya.page("notifications/choices/"))


def test_a_key_that_manages_members_reads_what_they_were_told(inside: Workspace) -> None:
    tell(inside, inside.tom)
    api = Api.with_key(inside.tenant, "members")

    assert [row["member"] for row in api.get("/notifications/?kind=job&read=false").results] == [inside.tom.pk]
    assert Api.with_key(inside.tenant, "read").get("/notifications/").status == 403


def test_what_a_playbook_gave_somebody_comes_from_it(inside: Workspace, priya: Visitor) -> None:
    tell(inside, inside.priya, by=Agent(live(playbook_json(name="Renewal runway")).actor))

    assert "Renewal runway ·" in text(priya.fragment("notifications/", "bell-list"))
