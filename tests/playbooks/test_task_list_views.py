"""CTA playbooks on pages: their own, their editor, and what is done with them in a CTA's drawer."""

import json

import pytest

from ctas.models import Cta, Task
from ctas.opening import open_cta
from playbooks.models import Enrollment, Playbook
from playbooks.task_lists import applied_to, apply_to_cta
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, live, task_list_json


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


@pytest.fixture
def cta(inside: Workspace) -> Cta:
    more = {"type": "risk", "owner": inside.priya, "by": inside.priya, "now": MONDAY}
    return open_cta(account=account(), name="Usage down", **more)


@pytest.fixture
def kickoff(inside: Workspace) -> Playbook:
    return live(task_list_json(types=["risk"]), by=inside.jonah)


def test_one_is_written_on_a_page_of_its_own_and_saved_as_a_version(jonah: Visitor) -> None:
    written = {
        "name": "Low adoption",
        "types": ["risk"],
        "tasks-0-title": "Look at the logins",
        "tasks-0-day": "2",
        "tasks-0-owner": "csm",
        "skip_weekends": "on",
    }
    more = jonah.submit("playbooks/task-lists/new/", **written, **{"tasks:edit": "add"})
    assert 'name="tasks-1-title"' in text(more)
    assert not Playbook.objects.exists()

    jonah.submit("playbooks/task-lists/new/", **written)
    made = Playbook.objects.get()
    assert (made.key, made.status, made.version and made.version.definition["types"]) == (
        "low-adoption",
        "live",
        ["risk"],
    )
    page = text(jonah.page(f"playbooks/task-lists/{made.pk}/"))
    assert "Look at the logins" in page
    assert "For the account’s CSM, otherwise the CTA’s owner" in page

    jonah.submit(f"playbooks/task-lists/{made.pk}/edit/", **{**written, "tasks-0-day": "3"})
    made.refresh_from_db()
    assert made.version is not None
    assert (made.version.number, made.version.steps.get().config["tasks"][0]["day"]) == (2, 3)


def test_what_cannot_be_saved_comes_back_with_what_is_wrong(jonah: Visitor) -> None:
    answer = jonah.submit(
        "playbooks/task-lists/new/", **{"name": "Empty", "tasks-0-title": "No day", "tasks-0-day": "x"}
    )
    assert answer.status_code == 422
    assert "1, day: Enter a whole number." in text(answer)
    assert 'value="No day"' in text(answer)


def test_the_library_lists_them_apart_and_opens_their_page(jonah: Visitor, kickoff: Playbook) -> None:
    assert "Kickoff" not in text(jonah.page("playbooks/"))
    listed = text(jonah.page("playbooks/?tab=task-lists"))
    assert f"playbooks/task-lists/{kickoff.pk}/" in listed
    assert "2 tasks in 6 days" in listed
    assert jonah.page(f"playbooks/{kickoff.pk}/")["Location"].endswith(f"/playbooks/task-lists/{kickoff.pk}/")


def test_it_is_applied_replaced_and_removed_in_the_drawer_and_each_can_be_undone(
    priya: Visitor, cta: Cta, kickoff: Playbook
) -> None:
    assert f"playbooks/ctas/{cta.pk}/apply/" in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))
    assert "2 tasks, the last due on day 6" in text(priya.fragment(f"playbooks/ctas/{cta.pk}/apply/", "dialog"))
    applied = priya.send(f"playbooks/ctas/{cta.pk}/apply/", playbook=kickoff.pk)
    first = Enrollment.objects.get()
    assert undo_of(applied).endswith(f"/enrollments/{first.pk}/remove/")
    assert "Applied" in text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))

    Task.objects.get(title="Prepare").edit(description="First", by=priya.member, now=MONDAY)
    other = live(task_list_json("other", tasks=[{"title": "New", "day": 1}]))
    shown = text(priya.fragment(f"playbooks/enrollments/{first.pk}/replace/", "dialog"))
    assert "Edited since: keep them?" in shown
    replaced = priya.send(f"playbooks/enrollments/{first.pk}/replace/", playbook=other.pk)
    assert set(Task.objects.open().values_list("title", flat=True)) == {"New"}

    priya.send(undo_of(replaced).partition("/w/orbiton/")[2])
    assert Task.objects.open().count() == 2
    again = applied_to(cta.pk)
    assert again is not None
    priya.send(f"playbooks/enrollments/{again.pk}/remove/", stay=Task.objects.get(title="Prepare").pk)
    assert list(Task.objects.open().values_list("title", flat=True)) == ["Prepare"]
    assert applied_to(cta.pk) is None


def undo_of(answer: object) -> str:
    return str(json.loads(answer.headers["HX-Trigger"])["toast"]["undo"])  # type: ignore[attr-defined]


def test_a_new_cta_can_begin_with_one(priya: Visitor, kickoff: Playbook) -> None:
    account()
    facts = {"name": "Ring", "account": "harbourline-logistics", "type": "risk", "priority": "high"}
    assert "Kickoff, 2 tasks" in text(priya.fragment("ctas/new/", "dialog"))
    refused = priya.submit("ctas/new/", **{**facts, "type": "activity", "playbook": "kickoff"})
    assert "not for CTAs of this type" in text(refused)
    priya.submit("ctas/new/", **{**facts, "playbook": "kickoff"})
    assert Cta.objects.get().tasks.count() == 2


def test_its_history_says_how_far_its_tasks_are(priya: Visitor, inside: Workspace, cta: Cta, kickoff: Playbook) -> None:
    made = apply_to_cta(kickoff, cta, by=inside.priya, now=MONDAY)
    Task.objects.get(title="Prepare").complete(by=inside.priya, now=MONDAY)
    shown = text(priya.fragment(f"playbooks/enrollments/{made.pk}/", "drawer"))
    assert "50%" in shown
    assert "2 tasks set up in Usage down" in shown
    stopping = priya.page(f"playbooks/enrollments/{made.pk}/stop/")
    assert stopping["Location"].endswith(f"/enrollments/{made.pk}/remove/")


def test_whoever_only_reads_is_offered_nothing(inside: Workspace, cta: Cta, kickoff: Playbook) -> None:
    omar = Visitor(inside.omar)
    assert "Apply a playbook" not in text(omar.fragment(f"ctas/{cta.pk}/", "drawer"))
    assert omar.submit(f"playbooks/ctas/{cta.pk}/apply/", playbook=kickoff.pk).status_code == 403
