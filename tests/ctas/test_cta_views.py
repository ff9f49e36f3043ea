"""The drawer of a CTA: tasks are ticked, the CTA is closed and opened again, and only by those who may."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import Account, HealthReading
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import Ability, Role, allows
from ctas.models import Cta, Task
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, workspace

NOW = datetime.now(UTC)


@pytest.fixture
def inside(db: None) -> Iterator[Workspace]:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        yield orbiton


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


def make_cta(name: str = "Call Ines") -> Cta:
    at = account(f"Account of {name}")
    return Cta.objects.create(account=at, name=name, type="risk", created_at=NOW, created_by="import")


@pytest.fixture
def cta(inside: Workspace) -> Cta:
    return make_cta()


@pytest.fixture
def task(cta: Cta, inside: Workspace) -> Task:
    return cta.add_task(title="Dial", by=inside.tom, now=NOW)


def test_its_own_address_leads_to_the_account_with_the_drawer_open(priya: Visitor, cta: Cta) -> None:
    assert priya.page(f"ctas/{cta.pk}/")["Location"] == f"/w/orbiton/accounts/{cta.account_id}/?cta={cta.pk}"


def test_the_drawer_says_how_health_moved(priya: Visitor, cta: Cta) -> None:
    Account.objects.filter(pk=cta.account_id).update(health=46)
    for days, value in ((40, 58.0), (0, 46.0)):
        HealthReading.objects.create(
            account=cta.account, on=(NOW - timedelta(days=days)).date(), value=value, is_current=not days
        )

    assert "−12" in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))


def test_the_drawer_opens_beside_any_page(priya: Visitor, cta: Cta, task: Task) -> None:
    alone = priya.fragment(f"accounts/?cta={cta.pk}", "drawer")
    beside = priya.page(f"accounts/{cta.account_id}/?cta={cta.pk}")

    assert [is_whole(alone), is_whole(beside)] == [False, True]
    assert all("Call Ines</h1>" in text(answer) and "Done: Dial" in text(answer) for answer in (alone, beside))
    assert "Call Ines</h1>" in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))


def test_a_task_is_ticked_and_unticked(priya: Visitor, cta: Cta, task: Task) -> None:
    done = priya.send(f"ctas/tasks/{task.pk}/complete/")
    task.refresh_from_db()
    assert (done.status_code, task.status, task.completed_by) == (204, "done", priya.member)

    priya.send(f"ctas/tasks/{task.pk}/reopen/")
    task.refresh_from_db()
    assert (task.status, task.completed_by) == ("open", None)


def test_without_scripts_a_tick_leads_back_to_the_cta(priya: Visitor, task: Task) -> None:
    task.cta.add_task(title="One more", by=priya.member, now=NOW)
    answer = priya.submit(f"ctas/tasks/{task.pk}/complete/")

    assert answer["Location"] == f"/w/orbiton/accounts/{task.cta.account_id}/?cta={task.cta_id}"


def test_ticking_what_somebody_ticked_before_says_so(priya: Visitor, inside: Workspace, task: Task) -> None:
    task.complete(by=inside.tom, now=NOW)
    answer = priya.send(f"ctas/tasks/{task.pk}/complete/")

    task.refresh_from_db()
    assert json.loads(answer["HX-Trigger"])["toast"]["text"] == "Somebody changed it before you"
    assert task.completed_by == inside.tom


@pytest.mark.parametrize("status", ["won", "lost", "cancelled"])
def test_closing_can_be_taken_back_from_the_toast(priya: Visitor, cta: Cta, status: str) -> None:
    answer = priya.send(f"ctas/{cta.pk}/close/{status}/")
    cta.refresh_from_db()
    assert (cta.status, cta.closed_by) == (status, priya.member.actor)

    priya.client.post(json.loads(answer["HX-Trigger"])["toast"]["undo"])
    cta.refresh_from_db()
    assert cta.status == "open"


def test_a_cta_cannot_be_closed_as_open(priya: Visitor, cta: Cta) -> None:
    assert priya.submit(f"ctas/{cta.pk}/close/open/").status_code == 404


def test_an_archived_cta_is_not_there(priya: Visitor, cta: Cta, task: Task) -> None:
    Cta.objects.update(archived_at=NOW)

    assert priya.page(f"ctas/{cta.pk}/").status_code == 404
    assert priya.submit(f"ctas/tasks/{task.pk}/complete/").status_code == 404


POSTS = ("{cta}/close/won/", "{cta}/reopen/", "tasks/{task}/complete/", "tasks/{task}/reopen/")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("path", POSTS)
def test_who_may_work_on_ctas(inside: Workspace, cta: Cta, task: Task, path: str, role: Role) -> None:
    somebody = next(person for person in inside.people.values() if person.role == role)
    answer = Visitor(somebody).submit("ctas/" + path.format(cta=cta.pk, task=task.pk))

    assert (answer.status_code != 403) == allows(role, Ability.WORK_CTAS)


@pytest.mark.parametrize("path", POSTS)
def test_another_workspaces_ctas_are_not_there(priya: Visitor, halyard: Workspace, path: str) -> None:
    with tenant_context(halyard.tenant.pk):
        foreign = make_cta("Foreign")
        task = foreign.add_task(title="Dial", by=halyard.tom, now=NOW)

    assert priya.submit("ctas/" + path.format(cta=foreign.pk, task=task.pk)).status_code == 404
    assert priya.page(f"ctas/{foreign.pk}/").status_code == 404
    assert priya.page(f"accounts/?cta={foreign.pk}").status_code == 404


def test_an_observer_reads_without_buttons(inside: Workspace, cta: Cta, task: Task) -> None:
    shown = text(Visitor(inside.omar).fragment(f"ctas/{cta.pk}/", "drawer"))

    assert "Close CTA" not in shown
    assert "Add a task" not in shown
    assert "disabled" in shown


def test_undoing_a_close_opens_the_tasks_that_went_with_it(priya: Visitor, cta: Cta, task: Task) -> None:
    given_up = cta.add_task(title="Write", by=priya.member, now=NOW)
    given_up.cancel(by=priya.member, now=NOW)
    answer = priya.send(f"ctas/{cta.pk}/close/", stage="won", cancel_tasks="on")
    priya.client.post(json.loads(answer["HX-Trigger"])["toast"]["undo"])

    assert dict(cta.tasks.values_list("title", "status")) == {"Dial": "open", "Write": "cancelled"}


def test_another_way_of_being_closed_opens_no_tasks(priya: Visitor, cta: Cta, task: Task) -> None:
    priya.send(f"ctas/{cta.pk}/close/", stage="won", cancel_tasks="on")
    priya.send(f"ctas/{cta.pk}/status/", stage="lost")

    cta.refresh_from_db()
    assert (cta.status, cta.tasks.get().status) == ("lost", "cancelled")


def test_it_is_archived_from_its_drawer_and_back_with_one_click(priya: Visitor, cta: Cta) -> None:
    answer = priya.send(f"ctas/{cta.pk}/archive/")
    told = json.loads(answer["HX-Trigger"])
    assert list(told) == ["drawer:close", "toast", "account:changed"]  # a drawer shown anew would not find it
    assert priya.page(f"ctas/{cta.pk}/").status_code == 404

    priya.client.post(told["toast"]["undo"])
    assert "Call Ines</h1>" in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))


def test_archiving_without_scripts_leads_to_the_cockpit(priya: Visitor, cta: Cta) -> None:
    assert priya.submit(f"ctas/{cta.pk}/archive/")["Location"] == "/w/orbiton/ctas/"


def test_its_type_is_changed_in_the_drawer(priya: Visitor, cta: Cta) -> None:
    assert 'id="cta-type"' in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))
    priya.send(f"ctas/{cta.pk}/edit/", type="lifecycle")

    cta.refresh_from_db()
    assert cta.type == "lifecycle"


def test_its_timeline_says_who_changed_what_from_what_to_what(
    priya: Visitor, inside: Workspace, cta: Cta, task: Task
) -> None:
    cta.edit(due_on=date(2026, 11, 19), priority="high", owner=inside.tom, by=inside.priya, now=NOW)
    task.complete(by=inside.tom, now=NOW)
    task.archive(by=inside.tom, now=NOW)
    shown = text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))

    timeline = shown[shown.index("<h2>Timeline") :]
    said = ["Priority: Medium → High", "Owner: nobody → Tom", "no date → 19 Nov", "Task completed: Dial", "CTA opened"]
    assert [words for words in said if words not in timeline] == []


def test_older_lines_of_its_timeline_follow_on_demand(priya: Visitor, cta: Cta) -> None:
    for number in range(12):
        cta.edit(name=f"Call {number}", by=priya.member, now=NOW + timedelta(minutes=number))
    shown = text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))
    [address] = re.findall(r'href="/w/orbiton/(ctas/\d+/timeline/[^"]+)"', shown)
    older = priya.fragment(address, "cta-older")

    assert ("Call 10 → Call 11" in shown, "Call Ines → Call 0" in shown) == (True, False)
    assert ("Call Ines → Call 0" in text(older), "CTA opened" in text(older)) == (True, True)
    assert [is_whole(older), is_whole(priya.page(address))] == [False, True]
