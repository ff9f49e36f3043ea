"""The drawer of a CTA: tasks are ticked, the CTA is closed and opened again, and only by those who may."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

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
