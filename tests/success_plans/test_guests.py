"""Stakeholders on a shared page: a code in their mail lets them in, and they do what is theirs and nothing else."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import TimelineEntry
from cs_platform.connectors.base import Sent
from cs_platform.connectors.smtp import Letter
from cs_platform.workspace.errands import run_errands
from cs_platform.workspace.models import Comment, Notification
from ctas.models import Task
from success_plans import guests, planning, sharing
from success_plans.guests import CODE_LIVES, MOST_CODES, MOST_TRIES, STAYS, give_tasks
from success_plans.models import GuestCode, ShareLink, Stakeholder, SuccessPlan
from success_plans.planning import CannotPlan
from tests.success_plans.world import named
from tests.visitor import Visitor, text
from tests.world import Workspace

NOW = datetime.now(UTC)
INES = "ines@customer.example"


@pytest.fixture
def ines(orbiton: Workspace, plan: SuccessPlan) -> Stakeholder:
    """Of a plan that has begun; she does one of its tasks, Install scanners."""
    planning.activate(plan, by=orbiton.priya, now=NOW)
    made: Stakeholder = planning.add_stakeholder(plan, name="Ines Falk", email=INES, by=orbiton.priya, now=NOW)
    give_tasks(named(plan, "Move three"), {task("Install scanners").pk: made}, by=orbiton.priya, now=NOW)
    return made


@pytest.fixture
def address(orbiton: Workspace, plan: SuccessPlan, ines: Stakeholder) -> str:
    return shared_by(orbiton, plan, "act")


def shared_by(space: Workspace, plan: SuccessPlan, *parts: str) -> str:
    _link, token = sharing.make_link(plan, name="Ines", parts=parts, by=space.priya, now=NOW)
    return reverse("shared:plan", args=[token])


def task(title: str) -> Task:
    return Task.objects.select_related("cta").get(title=title)


def codes(now: datetime | None = None) -> list[str]:
    """In the mails that leave now."""
    taken: list[Letter] = []

    def send(letter: Letter) -> Sent:
        taken.append(letter)
        return Sent("ok")

    clock = {"clock": lambda: now} if now else {}
    run_errands(send=send, **clock)
    return [found[1] for one in taken if one.to_email == INES and (found := re.search(r"^([0-9]{6})$", one.body, re.M))]


def signed_in(address: str) -> Client:
    client = Client()
    client.post(f"{address}code/", {"email": INES.upper()})
    [code] = codes()
    answer = client.post(f"{address}enter/", {"code": f" {code[:3]} {code[3:]} "})
    assert answer["Location"] == address
    return client


# --- coming in --------------------------------------------------------------------------------------------------------


def test_a_stakeholder_comes_in_by_a_code_in_their_mail_and_leaves(address: str) -> None:
    assert "Send me a code" in text(Client().get(address))
    client = signed_in(address)
    shown = text(client.get(address))

    assert "Ines Falk" in shown
    assert "Install scanners" in shown
    assert all(words not in shown for words in ("Print labels", "Move three", "Priya", "Tom"))
    client.post(f"{address}leave/")
    assert "Install scanners" not in text(client.get(address))


def test_whoever_asks_does_not_learn_whose_address_is_known(address: str) -> None:
    known, unknown = (Client().post(f"{address}code/", {"email": email}) for email in (INES, "nobody@customer.example"))

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert set(known.cookies) == set(unknown.cookies)
    assert len(codes()) == 1


def test_a_code_works_once_within_its_tries_and_its_time(orbiton: Workspace, address: str) -> None:
    link = ShareLink.objects.get()

    def asked(now: datetime) -> tuple[GuestCode, str]:
        made = guests.ask_for_code(link, email=INES, now=now)
        assert made
        return made, codes(now)[-1]

    used, code = asked(NOW)
    assert guests.enter(link, code_id=used.pk, code=code, now=NOW)
    assert not guests.enter(link, code_id=used.pk, code=code, now=NOW)
    then = NOW + timedelta(minutes=20)
    tried, code = asked(then)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert not any(guests.enter(link, code_id=tried.pk, code=wrong, now=then) for _ in range(MOST_TRIES))
    assert not guests.enter(link, code_id=tried.pk, code=code, now=then)
    late, code = asked(then + timedelta(minutes=20))
    assert not guests.enter(link, code_id=late.pk, code=code, now=then + timedelta(minutes=20) + CODE_LIVES)
    unsent = guests.ask_for_code(link, email=INES, now=then)
    assert unsent
    assert not guests.enter(link, code_id=unsent.pk, code="", now=then)


def test_a_link_mails_only_so_many_codes_an_hour(address: str) -> None:
    link = ShareLink.objects.get()
    made = [guests.ask_for_code(link, email=INES, now=NOW) for _ in range(MOST_CODES + 1)]

    assert [bool(one) for one in made] == [True] * MOST_CODES + [False]
    assert guests.ask_for_code(link, email=INES, now=NOW + timedelta(hours=2))


def test_only_a_link_that_lets_stakeholders_in_does(orbiton: Workspace, plan: SuccessPlan, address: str) -> None:
    closed = shared_by(orbiton, plan, "name", "stakeholders")
    assert "Take part" not in text(Client().get(closed))
    assert guests.ask_for_code(ShareLink.objects.latest("pk"), email=INES, now=NOW) is None

    client = signed_in(address)
    link = ShareLink.objects.earliest("pk")
    sharing.change_link(link, parts=["name"], by=orbiton.priya, now=NOW)
    mine = task("Install scanners").pk
    assert client.post(f"{address}tasks/{mine}/complete/").status_code == 404
    sharing.change_link(link, parts=["act"], by=orbiton.priya, now=NOW)
    sharing.revoke_link(link, by=orbiton.priya, now=NOW)
    assert client.post(f"{address}say/", {"body": "Hello?"}).status_code == 404
    assert task("Install scanners").status == "open"


def test_a_guest_of_one_link_is_nobody_on_another_and_not_for_ever(
    orbiton: Workspace, plan: SuccessPlan, address: str
) -> None:
    client = signed_in(address)
    other = shared_by(orbiton, plan, "act")
    assert "Take part" in text(client.get(other))

    [cookie] = [one for name, one in client.cookies.items() if name.startswith("plan_guest")]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/shared/")
    assert cookie["max-age"] == int(STAYS.total_seconds())
    client.cookies[cookie.key] = cookie.value.replace(":", ";", 1)
    assert "Take part" in text(client.get(address))


# --- what they do -----------------------------------------------------------------------------------------------------


def test_a_guest_completes_and_opens_again_what_is_theirs_and_nothing_else(
    orbiton: Workspace, plan: SuccessPlan, ines: Stakeholder, address: str
) -> None:
    client, mine, other = signed_in(address), task("Install scanners"), task("Print labels")
    client.post(f"{address}tasks/{mine.pk}/complete/")

    mine.refresh_from_db()
    assert (mine.status, mine.completed_by, bool(mine.touched_at)) == ("done", None, True)
    told = TimelineEntry.objects.get(kind="task.completed")
    assert (told.actor, told.text) == (
        f"stakeholder:{ines.pk}",
        "Task completed: Install scanners",
    )
    assert "Ines Falk" in text(Visitor(orbiton.priya).page(f"plans/{plan.pk}/?tab=timeline"))
    notice = Notification.objects.get(kind="mention")
    assert (notice.member, notice.text) == (orbiton.priya, "Ines Falk completed “Install scanners”")
    assert client.post(f"{address}tasks/{other.pk}/complete/").status_code == 404
    client.post(f"{address}tasks/{mine.pk}/reopen/")
    assert {task("Install scanners").status, task("Print labels").status} == {"open"}
    assert Client().post(f"{address}tasks/{mine.pk}/complete/").status_code == 404


def test_what_is_written_goes_both_ways_and_says_nothing_of_the_team(
    orbiton: Workspace, plan: SuccessPlan, address: str
) -> None:
    priya, client = Visitor(orbiton.priya), signed_in(address)
    planning.comment_on(plan, body="Among ourselves", by=orbiton.tom, now=NOW)
    client.post(f"{address}say/", {"body": f"Friday is fine <@{orbiton.tom.pk}> @Tom Lindqvist <b>"})
    priya.send(f"plans/{plan.pk}/answers/", body="See you then")

    theirs, ours = text(client.get(address)), text(priya.page(f"plans/{plan.pk}/?tab=timeline"))
    assert all(words in theirs for words in ("Friday is fine", "See you then", "Ines Falk", "&lt;b&gt;"))
    assert "Among ourselves" not in theirs
    assert "mention" not in theirs
    assert all(words in ours for words in ("Friday is fine", "See you then", "Among ourselves", "Ines Falk"))
    assert Comment.objects.filter(subject=f"shared:{plan.pk}").count() == 2
    assert "Ines Falk wrote on Warehouse roll-out" in Notification.objects.values_list("text", flat=True)
    assert client.post(f"{address}say/", {"body": " "}).status_code == 422


def test_the_page_names_who_does_a_task_there_and_whose_they_are(
    orbiton: Workspace, plan: SuccessPlan, ines: Stakeholder
) -> None:
    for one in Task.objects.all():
        one.edit(due_on=NOW.date(), owner=orbiton.tom, by=orbiton.tom, now=NOW)
    parts = ["tasks", "soon", f"objective:{named(plan, 'Move three').pk}"]
    unnamed, told = (text(Client().get(shared_by(orbiton, plan, *parts, *people))) for people in ((), ("people",)))

    assert f"Ines Falk, {plan.account.name}</span>" in told
    assert f"Tom Lindqvist, {orbiton.tenant.name}</span>" in told
    assert ">Ines Falk</span>" in told
    assert "Ines" not in unnamed


def test_the_chart_has_the_face_of_whoever_does_a_task(
    orbiton: Workspace, plan: SuccessPlan, ines: Stakeholder
) -> None:
    def faces() -> int:
        return text(Visitor(orbiton.priya).page(f"plans/{plan.pk}/?tab=gantt")).count('title="Ines Falk"')

    hers = faces()
    give_tasks(named(plan, "Move three"), {task("Install scanners").pk: None}, by=orbiton.priya, now=NOW)

    assert faces() == hers - 1


# --- the team's side --------------------------------------------------------------------------------------------------


def test_tasks_are_given_to_stakeholders_of_the_plan_and_taken_back(
    orbiton: Workspace, plan: SuccessPlan, ines: Stakeholder
) -> None:
    priya, objective, labels = Visitor(orbiton.priya), named(plan, "Move three"), task("Print labels")
    asked = text(priya.fragment(f"plans/objectives/{objective.pk}/customer/", "dialog"))
    assert "Who at the customer does it" in asked

    given: dict[str, Any] = {"task": [task("Install scanners").pk, labels.pk], "stakeholder": ["", ines.pk]}
    priya.send(f"plans/objectives/{objective.pk}/customer/", target="dialog", **given)
    assert [one.task_id for one in ines.tasks.all()] == [labels.pk]
    wrong = priya.submit(f"plans/objectives/{objective.pk}/customer/", task=labels.pk, stakeholder="0")
    assert (wrong.status_code, "stakeholders of this plan" in text(wrong)) == (422, True)
    with pytest.raises(CannotPlan, match="no such task"):
        give_tasks(objective, {task("Move user accounts").pk: ines}, by=orbiton.priya, now=NOW)
    stranger = planning.create_plan(account=plan.account, name="Other", by=orbiton.priya, now=NOW)
    other = planning.add_stakeholder(stranger, name="Ben", by=orbiton.priya, now=NOW)
    with pytest.raises(CannotPlan, match="stakeholder of this plan"):
        give_tasks(objective, {labels.pk: other}, by=orbiton.priya, now=NOW)
