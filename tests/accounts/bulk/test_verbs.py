"""A bulk edit does what one edit does, to all of them, and its undo takes back only what is still its own."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from accounts.bulk.kind import BulkEdit, start_bulk_edit
from accounts.bulk.selection import Selection
from accounts.bulk.verbs import bulk_verbs
from accounts.changes import load_history
from accounts.facts import set_person
from accounts.models import Account, AccountRole, KeyRole, TimelineEntry, TraitChange
from accounts.traits import set_trait
from cs_platform.jobs import bulk, starting
from cs_platform.jobs.models import Job, JobError
from cs_platform.jobs.pump import run_jobs
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, set_trait_step, tick, trait


def run(now: Any = MONDAY) -> None:
    run_jobs(clock=lambda: now)


def edit(home: Workspace, verb: str, config: dict[str, Any], *accounts: Account, query: str | None = None) -> Job:
    """Through the form, as the page and the API do it."""
    form = bulk_verbs()[verb].form(config)
    assert form.is_valid(), form.errors
    selection = Selection(tuple(one.pk for one in accounts), query)
    job = start_bulk_edit(selection, bulk_verbs()[verb], form.config(), by=home.priya, now=MONDAY)
    run()
    return Job.objects.get(pk=job.pk)


def undo(job: Job, home: Workspace) -> Job:
    undoing = starting.undo(job, by=home.priya, now=MONDAY)
    run(MONDAY + days(0.01))
    return Job.objects.get(pk=undoing.pk)


def fresh(one: Account) -> Account:
    return Account.objects.get(pk=one.pk)


@pytest.fixture
def stage(inside: Workspace) -> Any:
    return trait("stage")


def test_a_trait_is_set_with_its_mirror_its_writer_its_history_and_its_line(inside: Workspace, stage: Any) -> None:
    one, two = account("A", traits={"stage": "Old"}, t01="Old"), account("B", traits={"stage": "New"}, t01="New")
    job = edit(inside, "set_trait", {"trait": "stage", "value": "New"}, one, two)

    assert (job.state, job.title, BulkEdit().says(job)) == ("done", "Set Stage to New", "2 changed")
    assert (fresh(one).t01, fresh(one).trait_writers) == ("New", {"stage": f"job:{job.pk}"})
    assert TraitChange.objects.values_list("account_id", "field", "actor", "before", "after").get() == (
        one.pk,
        "trait:stage",
        f"job:{job.pk}",
        "Old",
        "New",
    )
    assert TimelineEntry.objects.get().text == "Stage changed from Old to New"


def test_undo_restores_values_and_their_writers(inside: Workspace, stage: Any) -> None:
    one, two = account("A", traits={"stage": "Old"}, t01="Old"), account("B")
    set_trait(two, stage, value="Theirs", by=inside.tom, now=MONDAY)
    undone = undo(edit(inside, "set_trait", {"trait": "stage", "value": ""}, one, two), inside)

    assert (undone.done, undone.failed) == (2, 0)
    assert (fresh(one).traits, fresh(one).t01, fresh(one).trait_writers) == ({"stage": "Old"}, "Old", {})
    assert (fresh(two).traits, fresh(two).trait_writers) == ({"stage": "Theirs"}, {"stage": inside.tom.actor})


def test_undo_keeps_what_somebody_has_chosen_since_the_same_value_too(inside: Workspace, stage: Any) -> None:
    one, two = account("A"), account("B")
    job = edit(inside, "set_trait", {"trait": "stage", "value": "New"}, one, two)
    set_trait(fresh(one), stage, value="New", by=inside.tom, now=MONDAY)
    undone = undo(job, inside)

    assert (undone.done, undone.failed) == (1, 1)
    assert (fresh(one).traits, fresh(two).traits) == ({"stage": "New"}, {})
    assert JobError.objects.get(job=undone).message.startswith("Somebody or something")


def test_a_playbook_does_not_take_back_what_a_bulk_edit_has_set_since(inside: Workspace, stage: Any) -> None:
    from playbooks.enrollment import apply_by_hand
    from playbooks.undo import request_stop

    one = account("A", plan="Pro")
    playbook = live(playbook_json(steps=[set_trait_step("Rescue")]))
    enrollment = apply_by_hand(playbook=playbook, account=one, by=inside.priya.actor, now=MONDAY)
    tick(now=MONDAY)
    edit(inside, "set_trait", {"trait": "stage", "value": "Ours"}, one)
    request_stop(enrollment, by=inside.priya, note="", keep=(), now=MONDAY)
    tick(now=MONDAY)

    assert fresh(one).traits == {"stage": "Ours"}


@pytest.mark.parametrize("role", ["csm", "ae"])
def test_a_role_is_assigned_and_given_back(inside: Workspace, role: str) -> None:
    one, two = account("A", **{role: inside.priya}), account("B", **{role: inside.tom})
    job = edit(inside, "assign", {"role": role, "member": inside.tom.pk}, one, two)

    assert job.title == f"Make Tom Lindqvist the {role.upper()}"
    assert job.result == {"changed": 1}
    assert getattr(fresh(one), role) == inside.tom
    assert "changed from Priya Raman to Tom Lindqvist" in TimelineEntry.objects.get().text
    undo(job, inside)
    assert getattr(fresh(one), role) == inside.priya


@pytest.mark.parametrize(
    ("verb", "config", "field"),
    [
        ("assign", {"role": "csm", "member": ""}, "csm"),
        ("set_trait", {"trait": "stage", "value": "New"}, "trait:stage"),
    ],
)
def test_the_history_names_who_undid_and_whose_value_it_is_again(
    inside: Workspace, stage: Any, verb: str, config: dict[str, Any], field: str
) -> None:
    one = account("A")
    set_person(one, "csm", member=inside.tom, by=inside.maya, now=MONDAY)
    set_trait(one, stage, value="Old", by=inside.maya, now=MONDAY)
    undo(edit(inside, verb, config, one), inside)
    newest, edited, _first = load_history(one, field=field).changes

    assert (newest.who.name, newest.back_to) == ("Priya Raman, undoing a bulk edit", Actor("Maya Osei", "user"))
    assert (edited.who.name, edited.back_to) == ("Priya Raman, in a bulk edit", None)


def test_a_role_somebody_has_reassigned_since_stays(inside: Workspace) -> None:
    one, two = account("A"), account("B")
    job = edit(inside, "assign", {"role": "csm", "member": inside.tom.pk}, one, two)
    later = edit(inside, "assign", {"role": "csm", "member": inside.priya.pk}, one)
    undone = undo(job, inside)

    assert (fresh(one).csm, fresh(two).csm, undone.failed) == (inside.priya, None, 1)
    undo(later, inside)
    assert fresh(one).csm is None


def test_a_role_of_the_workspaces_own_is_held_left_and_given_back(inside: Workspace) -> None:
    role = KeyRole.objects.create(key="onboarding", name="Onboarding")
    one = account("A")
    AccountRole.objects.create(account=one, role=role, member=inside.tom, since_at=MONDAY, assigned_by="person:1")
    job = edit(inside, "assign", {"role": "role:onboarding", "member": ""}, one)
    assert (job.title, AccountRole.objects.count()) == ("Leave nobody as Onboarding", 0)
    undo(job, inside)

    assert AccountRole.objects.get().member == inside.tom


def test_all_that_match_a_list_are_edited_slice_by_slice(
    inside: Workspace, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    for at in range(5):
        account(f"Harbour {at}")
    account("Halden"), account("Harbour gone", lifecycle="churned")
    job = edit(inside, "set_trait", {"trait": "stage", "value": "New"}, query="q=harbour")

    assert (job.total, job.done, job.result) == (5, 5, {"changed": 5})
    assert Account.objects.filter(t01="New").count() == 5


@pytest.mark.parametrize("query", ["csm=9999999", "playbook:77=active", "filter=%7B%22field%22%3A%22gone%22%7D"])
def test_a_list_that_means_nothing_any_more_edits_nobody(inside: Workspace, stage: Any, query: str) -> None:
    account("A")
    job = edit(inside, "set_trait", {"trait": "stage", "value": "New"}, query=query)

    assert (job.state, job.done) == ("failed", 0)
    assert "any more" in job.error


def test_an_account_that_was_archived_meanwhile_is_kept_as_it_is(inside: Workspace, stage: Any) -> None:
    one, two = account("A"), account("B")
    job = edit(inside, "set_trait", {"trait": "stage", "value": "New"}, one, two)
    Account.objects.filter(pk=one.pk).update(archived_at=MONDAY)
    undone = undo(job, inside)

    assert (undone.done, undone.failed) == (1, 1)
    assert JobError.objects.get(job=undone).message == "The account is archived."


def test_a_slice_takes_the_same_queries_for_any_number(inside: Workspace, stage: Any) -> None:
    counts = []
    for at, number in enumerate((2, 40)):
        accounts = [account(f"A{at} {n}") for n in range(number)]
        with CaptureQueriesContext(connection) as queries:
            edit(inside, "set_trait", {"trait": "stage", "value": f"New {at}"}, *accounts)
        counts.append(len(queries))

    assert counts[1] <= counts[0]
    assert counts[1] < 80
