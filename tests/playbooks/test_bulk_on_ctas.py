"""A CTA playbook on many CTAs at once, by a job, and one undo that keeps what people did."""

from typing import Any

import pytest

from cs_platform.jobs import starting
from cs_platform.jobs.models import Job, JobError
from cs_platform.jobs.pump import run_jobs
from ctas.bulk.kind import bulk_verbs, start_bulk_edit
from ctas.bulk.selection import Selection
from ctas.models import Cta, Task
from ctas.opening import open_cta
from playbooks.models import Playbook
from playbooks.task_lists import applied_to, apply_to_cta
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, live, task_list_json


@pytest.fixture
def kickoff(inside: Workspace) -> Playbook:
    return live(task_list_json(types=["risk"]), by=inside.jonah)


@pytest.fixture
def ctas(inside: Workspace) -> list[Cta]:
    facts: dict[str, Any] = {"account": account(), "owner": inside.priya, "by": inside.priya, "now": MONDAY}
    return [open_cta(name=f"Call {n}", type=type, **facts) for n, type in enumerate(["risk", "risk", "lifecycle"])]


def run(job: Job) -> Job:
    run_jobs(clock=lambda: MONDAY)
    job.refresh_from_db()
    return job


def applied(inside: Workspace, playbook: Playbook, ctas: list[Cta]) -> Job:
    verb = bulk_verbs()["apply_playbook"]
    form = verb.form({"playbook": str(playbook.pk)})
    assert form.is_valid(), form.errors
    selection = Selection(tuple(cta.pk for cta in ctas))
    return run(start_bulk_edit(selection, verb, form.config(), by=inside.priya, now=MONDAY))


def test_it_is_applied_to_all_it_suits_and_the_others_are_listed(
    inside: Workspace, kickoff: Playbook, ctas: list[Cta]
) -> None:
    apply_to_cta(kickoff, ctas[0], by=inside.priya, now=MONDAY)
    job = applied(inside, kickoff, ctas)

    assert (job.title, job.state, job.done, job.failed) == ("Apply Kickoff", "done", 1, 2)
    assert [cta.tasks.count() for cta in ctas] == [2, 2, 0]
    assert [one.message for one in JobError.objects.filter(job=job).order_by("position")] == [
        "A playbook is applied already. Replace it, or remove it first.",
        "This playbook is not for CTAs of this type.",
    ]


def test_undoing_it_removes_its_tasks_but_for_what_people_did(
    inside: Workspace, kickoff: Playbook, ctas: list[Cta]
) -> None:
    job = applied(inside, kickoff, ctas[:2])
    done, edited = ctas[0].tasks.order_by("position")
    done.complete(by=inside.priya, now=MONDAY)
    edited.edit(description="Ask for Ines", by=inside.priya, now=MONDAY)
    undone = run(starting.undo(job, by=inside.priya, now=MONDAY))

    assert (undone.done, undone.failed) == (2, 0)
    assert [applied_to(cta.pk) for cta in ctas[:2]] == [None, None]
    left = Task.objects.present().order_by("pk").values_list("title", "status")
    assert list(left) == [("Prepare", "done"), ("Call Harbourline Logistics", "open")]


def test_it_is_offered_in_the_cockpit_under_p(inside: Workspace, kickoff: Playbook, ctas: list[Cta]) -> None:
    priya = Visitor(inside.priya)

    assert 'value="apply_playbook" data-key="p"' in text(priya.page("ctas/"))
    assert "Kickoff" in text(priya.fragment(f"ctas/bulk/?ids={ctas[0].pk}&verb=apply_playbook", "dialog"))
