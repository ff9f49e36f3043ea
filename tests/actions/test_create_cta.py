"""TRUST §2.3, “Task …” and “CTA …”: untouched work goes, people's work stays, outcomes people set are never changed."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account, EndUser
from actions.base import Audience, Held
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from cs_platform.workspace.attachments import attach
from cs_platform.workspace.holidays import add_holiday
from cs_platform.workspace.models import Notification
from ctas.models import Cta, Task
from ctas.opening import comment_on
from tests import world
from tests.actions.world import LATER, Played, kept, play, undone, visible
from tests.world import MONDAY, Workspace


def renewal(*titles: str, **parts: Any) -> dict[str, Any]:
    tasks = [{"title": title} for title in titles]
    return {"name": "Prepare renewal", "type": "lifecycle", "reason": "Renewal", "tasks": tasks} | parts


def by_hand(account: Account, by: Any, **fields: Any) -> Cta:
    known = {"name": "Mine", "type": "lifecycle", "reason": "Renewal", "owner": by, "created_at": MONDAY}
    return Cta.objects.create(account=account, created_by=by.actor, **(known | fields))


def opened(account: Account) -> tuple[Played, Cta, list[Task]]:
    played = play("create_cta", renewal("Pull usage", "Draft order"), account)
    cta = Cta.objects.get(account=account)
    return played, cta, list(cta.tasks.order_by("position"))


def tasks_of(cta: Cta) -> list[tuple[str, str]]:
    return list(cta.tasks.present().order_by("position").values_list("title", "status"))


# What it opens


def test_it_opens_a_cta_with_tasks_owners_and_dates(orbiton: Workspace, harbour: Account) -> None:
    tasks = [
        {"title": "Usage of {{ account.name }}", "due_in_days": 2},
        {"title": "Order form", "due_in_days": 9, "owner": "ae", "description": "For {{ csm.first_name }}"},
    ]

    played = play(
        "create_cta", renewal(due_in_days=14, priority="high", comment="Plan {{ account.plan }}", tasks=tasks), harbour
    )

    cta = Cta.objects.get()
    assert (cta.name, cta.comment, cta.priority, cta.status) == ("Prepare renewal", "Plan Pro", "high", "open")
    assert (cta.owner, cta.due_on) == (orbiton.priya, MONDAY.date() + timedelta(days=14))
    usage, order = cta.tasks.order_by("position")
    assert (usage.title, usage.owner, usage.due_on) == (
        "Usage of Harbourline Logistics",
        orbiton.priya,
        MONDAY.date() + timedelta(days=2),
    )
    assert (order.owner, order.description) == (orbiton.tom, "For Priya")
    assert played.told == ["CTA opened: Prepare renewal with 2 tasks"]


def test_for_a_user_it_remembers_whom_it_is_about(harbour: Account, ben: EndUser) -> None:
    play("create_cta", renewal(name="Call {{ user.first_name }}"), (harbour, ben))

    assert (Cta.objects.get().name, Cta.objects.get().end_user) == ("Call Ben", ben)


def test_a_deactivated_role_holder_gives_way_to_the_csm(orbiton: Workspace, harbour: Account) -> None:
    orbiton.tom.deactivated_at = LATER
    orbiton.tom.save()

    play("create_cta", renewal(owner="ae"), harbour)

    assert Cta.objects.get().owner == orbiton.priya


def test_without_role_holder_and_csm_the_fallback_owns_it(orbiton: Workspace) -> None:
    play("create_cta", renewal(fallback_owner="member:maya@orbiton.example"), world.account("Nobody's"))

    assert Cta.objects.get().owner == orbiton.maya


def test_with_nobody_at_all_the_run_is_held(orbiton: Workspace, harbour: Account) -> None:
    played = play("create_cta", renewal("Pull usage"), world.account("Nobody's"), harbour)

    assert isinstance(played.results[0], Held)
    assert played.results[0].code == "no_assignee"
    assert "fallback" in played.results[0].reason
    assert Cta.objects.get().account == harbour


def test_skip_leaves_an_open_cta_of_same_type_and_reason_alone(orbiton: Workspace, harbour: Account) -> None:
    mine = by_hand(harbour, orbiton.maya)

    played = play("create_cta", renewal("Pull usage", duplicates="skip"), harbour)

    assert Cta.objects.get() == mine
    assert tasks_of(mine) == []
    assert played.told == ["CTA was already open: Prepare renewal"]


def test_update_adds_its_tasks_to_the_open_cta_after_those_there(orbiton: Workspace, harbour: Account) -> None:
    mine = by_hand(harbour, orbiton.maya)
    mine.add_task(title="Mine first", by=orbiton.maya, now=MONDAY)

    play("create_cta", renewal("Pull usage", duplicates="update"), harbour)

    assert [title for title, _status in tasks_of(mine)] == ["Mine first", "Pull usage"]
    assert Task.objects.get(title="Pull usage").owner == orbiton.maya


def test_tasks_added_to_a_cta_whose_owner_left_go_to_the_role(orbiton: Workspace, harbour: Account) -> None:
    by_hand(harbour, orbiton.maya)
    orbiton.maya.deactivated_at = LATER
    orbiton.maya.save()

    play("create_cta", renewal("Pull usage", duplicates="update"), harbour)

    assert Task.objects.get().owner == orbiton.priya


def test_allow_opens_another(orbiton: Workspace, harbour: Account) -> None:
    by_hand(harbour, orbiton.maya)

    play("create_cta", renewal(duplicates="allow"), harbour, harbour)

    assert Cta.objects.count() == 3


@pytest.mark.parametrize("fields", [{"status": "won"}, {"archived_at": MONDAY}, {"reason": "Other"}, {"type": "risk"}])
def test_closed_archived_and_other_ctas_are_no_duplicates(orbiton: Workspace, harbour: Account, fields: Any) -> None:
    by_hand(harbour, orbiton.maya, **fields)

    assert not play("create_cta", renewal(), harbour).receipts[0]["joined"]


def test_with_same_name_only_a_cta_of_that_name_is_a_duplicate(
    orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    by_hand(harbour, orbiton.maya, name="Call Ben")
    lena = world.user("Lena Ruiz", harbour)
    config = renewal(name="Call {{ user.first_name }}", same_name=True)

    played = play("create_cta", config, (harbour, ben), (harbour, lena))

    assert [receipt["joined"] for receipt in played.receipts] == [True, False]


def test_runs_of_one_batch_share_the_cta_the_first_one_opens(harbour: Account) -> None:
    played = play("create_cta", renewal("Pull usage", duplicates="update"), harbour, harbour)

    assert [receipt["joined"] for receipt in played.receipts] == [False, True]
    assert len(tasks_of(Cta.objects.get())) == 2


# Undo of a CTA it opened


def test_untouched_cta_and_tasks_are_archived(harbour: Account) -> None:
    played, cta, _tasks = opened(harbour)

    assert undone(played.undo()) == ["“Prepare renewal” and its 2 tasks are archived"]

    cta.refresh_from_db()
    assert (cta.archived_at, cta.status) == (LATER, "open")
    assert {task.archived_at for task in cta.tasks.all()} == {LATER}


def test_a_completed_task_stays_and_the_cta_closes_as_cancelled(orbiton: Workspace, harbour: Account) -> None:
    played, cta, (usage, _draft) = opened(harbour)
    usage.complete(by=orbiton.priya, now=LATER)

    says = "“Prepare renewal” is closed as cancelled, 1 task completed by Priya Raman stays (1 untouched task archived)"
    assert kept(played.undo()) == [("completed", says)]

    cta.refresh_from_db()
    assert (cta.status, cta.closed_by, cta.archived_at) == ("cancelled", "playbook:1", None)
    assert tasks_of(cta) == [("Pull usage", "done")]


def test_a_hand_made_open_task_keeps_the_cta_open(orbiton: Workspace, harbour: Account) -> None:
    played, cta, _tasks = opened(harbour)
    cta.add_task(title="Call them", by=orbiton.priya, now=LATER)

    ((code, says),) = kept(played.undo())

    assert code == "worked_on"
    assert "stays open" in says
    assert "2 untouched tasks archived" in says
    cta.refresh_from_db()
    assert cta.status == "open"
    assert tasks_of(cta) == [("Call them", "open")]


def test_a_hand_made_task_that_is_done_leaves_nothing_open(orbiton: Workspace, harbour: Account) -> None:
    played, cta, _tasks = opened(harbour)
    cta.add_task(title="Call them", by=orbiton.priya, now=LATER).complete(by=orbiton.priya, now=LATER)

    assert [code for code, _says in kept(played.undo())] == ["completed"]
    cta.refresh_from_db()
    assert cta.status == "cancelled"
    assert tasks_of(cta) == [("Call them", "done")]


def test_an_edited_open_task_is_cancelled_in_place_with_its_content(orbiton: Workspace, harbour: Account) -> None:
    played, cta, (usage, _draft) = opened(harbour)
    usage.edit(title="Pull usage of all sites", by=orbiton.priya, now=LATER)

    (says,) = undone(played.undo())

    assert "closed as cancelled, because people worked on it" in says
    usage.refresh_from_db()
    assert (usage.title, usage.status, usage.reason) == ("Pull usage of all sites", "cancelled", "playbook stopped")
    assert usage.archived_at is None
    cta.refresh_from_db()
    assert (cta.status, cta.archived_at) == ("cancelled", None)


def test_a_reassigned_or_redated_task_counts_as_touched(orbiton: Workspace, harbour: Account) -> None:
    played, cta, (usage, draft) = opened(harbour)
    usage.edit(owner=orbiton.maya, by=orbiton.priya, now=LATER)
    draft.edit(due_on=LATER.date(), by=orbiton.priya, now=LATER)

    undone(played.undo())

    assert tasks_of(cta) == [("Pull usage", "cancelled"), ("Draft order", "cancelled")]


def test_an_edited_cta_is_closed_as_cancelled_not_archived(orbiton: Workspace, harbour: Account) -> None:
    played, cta, _tasks = opened(harbour)
    cta.edit(comment="They want a discount", by=orbiton.priya, now=LATER)

    undone(played.undo())

    cta.refresh_from_db()
    assert (cta.status, cta.archived_at, cta.comment) == ("cancelled", None, "They want a discount")
    assert tasks_of(cta) == []


@pytest.mark.parametrize(
    "said", [lambda cta, by: comment_on(cta, body="They rang", by=by, now=LATER), lambda cta, by: put(cta, by)]
)
def test_a_cta_somebody_commented_on_or_put_a_file_to_is_closed_as_cancelled_not_archived(
    orbiton: Workspace, harbour: Account, said: Any
) -> None:
    played, cta, _tasks = opened(harbour)
    said(cta, orbiton.priya)

    assert undone(played.undo()) == [
        "“Prepare renewal” is closed as cancelled, because people worked on it (2 untouched tasks archived)"
    ]

    cta.refresh_from_db()
    assert (cta.status, cta.archived_at) == ("cancelled", None)
    assert tasks_of(cta) == []


def put(cta: Cta, by: Any) -> None:
    attach(subject=cta.subject, name="usage.txt", content=b"38 sites", by=by, now=LATER)


@pytest.mark.parametrize("status", ["won", "lost", "cancelled"])
def test_an_outcome_a_person_set_is_never_changed(orbiton: Workspace, harbour: Account, status: str) -> None:
    played, cta, _tasks = opened(harbour)
    cta.close(status=status, by=orbiton.priya, now=LATER)

    ((code, says),) = kept(played.undo())

    assert code == "closed"
    assert "by Priya Raman (2 untouched tasks archived)" in says
    cta.refresh_from_db()
    assert (cta.status, cta.closed_by, cta.archived_at) == (status, orbiton.priya.actor, None)
    assert tasks_of(cta) == []


def test_a_task_a_person_cancelled_stays_as_it_is(orbiton: Workspace, harbour: Account) -> None:
    played, cta, (usage, _draft) = opened(harbour)
    usage.cancel(reason="not needed", by=orbiton.priya, now=LATER)

    undone(played.undo())

    usage.refresh_from_db()
    assert (usage.status, usage.reason) == ("cancelled", "not needed")
    cta.refresh_from_db()
    assert cta.status == "cancelled"


def test_a_completed_and_reopened_task_counts_as_touched(orbiton: Workspace, harbour: Account) -> None:
    played, _cta, (usage, _draft) = opened(harbour)
    usage.complete(by=orbiton.priya, now=LATER)
    usage.reopen(by=orbiton.priya, now=LATER)

    undone(played.undo())

    usage.refresh_from_db()
    assert usage.status == "cancelled"


def test_a_cta_somebody_archived_is_kept_as_gone(orbiton: Workspace, harbour: Account) -> None:
    played, cta, _tasks = opened(harbour)
    cta.archive(by=orbiton.priya, now=LATER)

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


def test_a_gone_account_is_kept_as_gone(harbour: Account) -> None:
    played, _cta, _tasks = opened(harbour)
    Account.objects.filter(pk=harbour.pk).update(archived_at=LATER)

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


# Undo of a CTA it only joined


def test_joined_only_its_own_untouched_tasks_are_archived(orbiton: Workspace, harbour: Account) -> None:
    mine = by_hand(harbour, orbiton.maya)
    mine.add_task(title="Mine", by=orbiton.maya, now=MONDAY)
    before = visible()
    played = play("create_cta", renewal("Pull usage", duplicates="update"), harbour)

    (says,) = undone(played.undo())

    assert "the CTA was open before and stays" in says
    assert visible() == before


def test_joined_a_completed_task_stays_and_the_cta_stays_open(orbiton: Workspace, harbour: Account) -> None:
    mine = by_hand(harbour, orbiton.maya)
    played = play("create_cta", renewal("Pull usage", "Draft order", duplicates="update"), harbour)
    Task.objects.get(title="Pull usage").complete(by=orbiton.priya, now=LATER)

    assert [code for code, _says in kept(played.undo())] == ["completed"]

    mine.refresh_from_db()
    assert mine.status == "open"
    assert tasks_of(mine) == [("Pull usage", "done")]


def test_joined_an_edited_task_is_cancelled_in_place(orbiton: Workspace, harbour: Account) -> None:
    mine = by_hand(harbour, orbiton.maya)
    played = play("create_cta", renewal("Pull usage", duplicates="update"), harbour)
    Task.objects.get(title="Pull usage").edit(description="Ask Ben", by=orbiton.priya, now=LATER)

    undone(played.undo())

    assert tasks_of(mine) == [("Pull usage", "cancelled")]


def test_joined_without_tasks_there_is_nothing_to_take_back(orbiton: Workspace, harbour: Account) -> None:
    by_hand(harbour, orbiton.maya)
    before = visible()

    played = play("create_cta", renewal("Pull usage"), harbour)

    assert [code for code, _says in kept(played.undo())] == ["joined"]
    assert visible() == before


def test_tasks_another_playbook_added_keep_the_cta_open_until_that_one_stops_too(harbour: Account) -> None:
    first = play("create_cta", renewal("Pull usage"), harbour, playbook=1)
    second = play("create_cta", renewal("Draft order", duplicates="update"), harbour, playbook=2)

    assert [code for code, _says in kept(first.undo())] == ["worked_on"]
    assert tasks_of(Cta.objects.get()) == [("Draft order", "open")]
    undone(second.undo())
    assert tasks_of(Cta.objects.get()) == []


def test_a_later_step_that_added_tasks_goes_first_and_leaves_nothing(harbour: Account) -> None:
    before = visible()
    first = play("create_cta", renewal("Pull usage"), harbour)
    second = play("create_cta", renewal("Draft order", duplicates="update"), harbour)

    undone(second.undo())
    undone(first.undo())

    assert visible() == before


# What its form refuses


def test_problems_name_their_place_and_say_what_to_do(orbiton: Workspace) -> None:
    config = renewal(
        name="{{ account.nmae }}",
        owner="boss",
        priority="extreme",
        due_in_days=-1,
        tasks=[{"title": "{{ user.name }}"}, {"title": "Fine", "owner": "member:ghost@orbiton.example"}],
    )

    with pytest.raises(ActionErrors) as refused:
        clean_config(action_for("create_cta"), config, audience=Audience.ACCOUNTS)

    errors = {error.path: error.message for error in refused.value.errors}
    assert set(errors) == {
        "config.name",
        "config.owner",
        "config.priority",
        "config.due_in_days",
        "config.tasks[0].title",
        "config.tasks[1].owner",
    }
    assert "Did you mean {{ account.name }}?" in errors["config.name"]
    assert (
        errors["config.tasks[1].owner"] == "ghost@orbiton.example is not an active team member. Choose somebody who is."
    )


@pytest.mark.parametrize(
    "tasks", ["Pull usage", [{"title": ""}], ["Pull usage"], [{"title": "a", "due": 1}], [{}] * 31]
)
def test_tasks_that_are_none_are_refused(orbiton: Workspace, tasks: Any) -> None:
    with pytest.raises(ActionErrors):
        clean_config(action_for("create_cta"), renewal(tasks=tasks))


def test_objectives_belong_to_success_plans(orbiton: Workspace) -> None:
    with pytest.raises(ActionErrors, match="objective"):
        clean_config(action_for("create_cta"), renewal(type="objective"))


def test_owners_are_told_once_however_many_ctas_are_opened_for_them(
    orbiton: Workspace, harbour: Account, yarrow: Account
) -> None:
    play("create_cta", renewal(owner="csm"), harbour, yarrow, world.account("Third", csm=orbiton.tom))

    told = Notification.objects.filter(kind="assignment").order_by("member__name")
    assert [(one.member, one.text, one.actor) for one in told] == [
        (orbiton.priya, "Prepare renewal is yours now", "playbook:1"),
        (orbiton.tom, "2 CTAs are yours now, the first: Prepare renewal", "playbook:1"),
    ]


# Days on which nobody works, and whose it becomes


def test_what_is_due_on_a_weekend_or_holiday_is_due_on_the_next_working_day(
    orbiton: Workspace, harbour: Account
) -> None:
    saturday, monday = MONDAY.date() + timedelta(days=5), MONDAY.date() + timedelta(days=7)
    add_holiday(on=monday, name="Founders", by=orbiton.priya, now=MONDAY)
    tasks = [{"title": "Call", "due_in_days": 6}, {"title": "Write", "due_in_days": 3}]
    play("create_cta", renewal(due_in_days=5, tasks=tasks), harbour)
    play("create_task", {"title": "Alone", "due_in_days": 5}, harbour)

    due = monday + timedelta(days=1)
    assert Cta.objects.get(name="Prepare renewal").due_on == due
    assert dict(Task.objects.values_list("title", "due_on")) == {
        "Call": due,
        "Write": saturday - timedelta(days=2),
        "Alone": due,
    }


def test_unless_it_says_that_this_is_fine(harbour: Account) -> None:
    saturday = MONDAY.date() + timedelta(days=5)
    play("create_cta", renewal(due_in_days=5, on_weekends=True), harbour)
    play("create_task", {"title": "Alone", "due_in_days": 5, "on_weekends": True}, harbour)

    assert (Cta.objects.get(name="Prepare renewal").due_on, Task.objects.get().due_on) == (saturday, saturday)


def test_the_history_says_to_whom_it_fell_and_why(orbiton: Workspace) -> None:
    lonely = world.account("Lonely", csm=orbiton.priya)
    cta = play("create_cta", renewal(owner="ae"), lonely)
    task = play("create_task", {"title": "Alone", "owner": "ae"}, lonely)

    fell = "it fell to Priya Raman, as the account’s AE is nobody active"
    assert action_for("create_cta").tell(cta.batch.config, cta.receipts[0]) == f"CTA opened: Prepare renewal; {fell}"
    assert action_for("create_task").tell(task.batch.config, task.receipts[0]) == f"Task created: Alone; {fell}"


def test_a_snoozed_cta_is_a_duplicate(orbiton: Workspace, harbour: Account) -> None:
    mine = by_hand(harbour, orbiton.priya)
    mine.snooze(until=MONDAY.date() + timedelta(days=30), by=orbiton.priya, now=MONDAY)
    play("create_cta", renewal(), harbour)

    assert Cta.objects.get() == mine
