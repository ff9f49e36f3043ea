"""The comparison of tasks, playbooks, CTAs and success plans, sentence by sentence: what it says of the product is true
of it, with a test named for each.

One sentence holds in other words: setting up tasks is the only function of a *CTA playbook*; a playbook for accounts or
users does more (docs/playbooks.md).
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from ctas.models import Cta, Task
from playbooks.models import Enrollment, Playbook
from success_plans import sharing
from success_plans.models import SuccessPlan
from success_plans.planning import activate, add_objective, create_plan, join_plan
from success_plans.sharing import offered_parts
from tests.success_plans.world import named, plan_type, states, template
from tests.visitor import Visitor, text
from tests.world import Workspace, account, days, evaluate, live, playbook_json, task_list_json, tick

TODAY = datetime.now(UTC).replace(hour=12)
NOW = TODAY - days({0: 3, 6: 2}.get(TODAY.weekday(), 1))  # the last working day


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    return account("Harbourline", plan="Pro", csm=inside.priya, ae=inside.tom)


@pytest.fixture
def priya(inside: Workspace, harbourline: Account) -> Visitor:
    return Visitor(inside.priya)


def cta_step(**parts: Any) -> dict[str, Any]:
    config = {"name": "Rescue {{ account.name }}", "type": "risk", "priority": "high", "owner": "csm", "tasks": []}
    return {"key": "cta", "day": 1, "action": "create_cta", "config": config | parts}


def ruled(*steps: dict[str, Any], at: Account) -> None:
    """A playbook whose rules the account meets, looked at as every night, and what is due of it done."""
    live(playbook_json(steps=list(steps)), now=NOW)
    evaluate(at.tenant, now=NOW)
    tick(now=NOW)


def opened(by: Visitor, **more: Any) -> Cta:
    """By hand, in the dialog."""
    facts = {"name": "Call them", "account": "Harbourline", "type": "risk", "priority": "high"} | more
    by.submit("ctas/new/", **facts)
    return Cta.objects.get(name=facts["name"])


def titles(cta: Cta) -> list[str]:
    return list(cta.tasks.present().order_by("position", "pk").values_list("title", flat=True))


# --- four features ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("ctas/", "<h1>Cockpit"),
        ("ctas/?tab=tasks", 'aria-current="page">My tasks'),
        ("playbooks/", "<h1>Playbooks"),
        ("plans/", "<h1>Success plans"),
    ],
)
def test_ctas_tasks_playbooks_and_success_plans_are_distinct_features(priya: Visitor, path: str, heading: str) -> None:
    assert heading in text(priya.page(path))


def test_they_are_closely_related_and_a_cta_is_what_the_other_three_have_in_common(
    inside: Workspace, priya: Visitor, harbourline: Account
) -> None:
    live(task_list_json(), now=NOW)
    cta = opened(priya, playbook="kickoff")
    plan = create_plan(account=harbourline, name="Grow with them", by=inside.priya, now=NOW)
    join_plan(plan, cta, by=inside.priya, now=NOW)
    drawer = text(priya.fragment(f"ctas/{cta.pk}/", "drawer"))

    assert all(words in drawer for words in ("Prepare", "Kickoff", "Grow with them"))


# --- CTAs and tasks ---------------------------------------------------------------------------------------------------


def test_a_cta_is_a_to_do_that_a_user_creates_manually(priya: Visitor) -> None:
    cta = opened(priya, owner=priya.member.pk)

    assert "Call them" in text(priya.page("ctas/"))
    assert cta.created_by == priya.member.actor


def test_a_cta_is_created_automatically_by_rules(priya: Visitor, harbourline: Account) -> None:
    account("Calyx", plan="Basic")
    ruled(cta_step(), at=harbourline)

    cta = Cta.objects.get()
    assert (cta.name, cta.account, cta.owner) == ("Rescue Harbourline", harbourline, priya.member)
    assert "Rescue Harbourline" in text(priya.page("ctas/"))


def test_tasks_add_detail_and_plan_the_steps_in_a_cta(inside: Workspace, priya: Visitor) -> None:
    cta = opened(priya)
    details = {"due_on": TODAY.date(), "description": "Their number is in the notes"}
    priya.submit(f"ctas/{cta.pk}/tasks/", title="Dial", owner=inside.tom.pk, **details)
    priya.submit(f"ctas/{cta.pk}/tasks/", title="Write it down")

    assert titles(cta) == ["Dial", "Write it down"]
    dial = cta.tasks.get(title="Dial")
    assert (dial.due_on, dial.description, dial.owner) == (*details.values(), inside.tom)


def test_a_task_must_live_within_a_cta(inside: Workspace) -> None:
    with pytest.raises(IntegrityError, match="cta_id"):
        Task.objects.create(title="Alone", created_at=NOW, created_by=inside.priya.actor)


# --- playbooks --------------------------------------------------------------------------------------------------------


def test_a_playbook_is_a_pre_set_list_of_tasks_that_is_ready_the_minute_a_cta_is_created(priya: Visitor) -> None:
    live(task_list_json(), now=NOW)

    assert titles(opened(priya, playbook="kickoff")) == ["Prepare", "Call Harbourline"]


def test_a_playbook_is_for_one_particular_type_of_cta_that_comes_up_often(priya: Visitor) -> None:
    live(task_list_json(types=["lifecycle"]), now=NOW)
    refused = priya.submit(
        "ctas/new/", name="No", account="Harbourline", type="risk", priority="high", playbook="kickoff"
    )

    assert "not for CTAs of this type" in text(refused)
    assert titles(opened(priya, type="lifecycle", playbook="kickoff")) == ["Prepare", "Call Harbourline"]


def test_setting_up_tasks_is_the_only_function_of_a_cta_playbook(inside: Workspace) -> None:
    made = live(task_list_json(steps=[cta_step()]), now=NOW)  # the rest is not looked at

    assert made.version is not None
    assert [step.action for step in made.version.steps.all()] == ["set_up_tasks"]


def test_a_user_applies_a_playbook_to_a_cta_manually(priya: Visitor) -> None:
    playbook, cta = live(task_list_json(), now=NOW), opened(priya)
    priya.send(f"playbooks/ctas/{cta.pk}/apply/", playbook=playbook.pk)

    assert titles(cta) == ["Prepare", "Call Harbourline"]


def test_rules_apply_the_playbook_as_they_create_a_cta(harbourline: Account) -> None:
    live(task_list_json(), now=NOW)
    ruled(cta_step(cta_playbook="kickoff"), at=harbourline)

    assert titles(Cta.objects.get()) == ["Prepare", "Call Harbourline"]
    assert Enrollment.objects.get(cta__isnull=False).parent_run_id is not None


# --- success plans ----------------------------------------------------------------------------------------------------


@pytest.fixture
def plan(inside: Workspace, harbourline: Account) -> SuccessPlan:
    """One with an objective, Go live, that has two tasks."""
    made = create_plan(account=harbourline, name="Roll-out", owner=inside.priya, by=inside.priya, now=NOW)
    objective = add_objective(made, name="Go live", owner=inside.priya, by=inside.priya, now=NOW)
    for title in ("Print labels", "Move users"):
        objective.cta.add_task(title=title, by=inside.priya, now=NOW)
    activate(made, by=inside.priya, now=NOW)
    return made


def test_a_success_plan_captures_key_goals_as_ctas_of_type_objective_with_their_tasks(
    priya: Visitor, plan: SuccessPlan
) -> None:
    priya.submit(f"plans/{plan.pk}/objectives/", name="Cut costs by half", weight=1)
    goal = named(plan, "Cut costs").cta
    priya.submit(f"ctas/{goal.pk}/tasks/", title="Measure them first")

    assert (goal.type, titles(goal)) == ("objective", ["Measure them first"])
    shown = text(priya.page(f"plans/{plan.pk}/"))
    assert all(words in shown for words in ("Cut costs by half", "Measure them first", "Go live", "Print labels"))


def test_a_success_plan_tracks_activity(priya: Visitor, plan: SuccessPlan) -> None:
    task = Task.objects.get(title="Print labels")
    priya.send(f"ctas/tasks/{task.pk}/complete/")

    assert "50% <small>by finished tasks" in text(priya.page(f"plans/{plan.pk}/"))
    timeline = text(priya.page(f"plans/{plan.pk}/?tab=timeline"))
    assert all(words in timeline for words in ("Task completed: Print labels", "Plan begun: Roll-out"))


def test_a_success_plan_shares_progress_with_the_customer(priya: Visitor, plan: SuccessPlan) -> None:
    Task.objects.get(title="Print labels").complete(by=priya.member, now=NOW)
    parts = [key for key, _label in offered_parts(plan)]
    _link, token = sharing.make_link(plan, name="Ines", parts=parts, by=priya.member, now=TODAY)
    shown = text(Client().get(reverse("shared:plan", args=[token])))

    assert all(words in shown for words in ("Roll-out", "1 of 2 tasks", "Go live"))


def test_a_success_plan_is_created_manually(priya: Visitor) -> None:
    priya.submit("plans/new/", name="Grow", account="Harbourline", start_on=TODAY.date())

    assert SuccessPlan.objects.get().created_by == priya.member.actor


def test_a_success_plan_is_created_through_rules(inside: Workspace, harbourline: Account) -> None:
    chosen = template(inside)
    config = {"template": chosen.key, "name": "Onboarding of {{ account.name }}", "owner": "csm", "begin": True}
    ruled({"key": "plan", "day": 1, "action": "start_success_plan", "config": config}, at=harbourline)

    made = SuccessPlan.objects.get()
    assert (made.name, made.owner, made.template) == ("Onboarding of Harbourline", inside.priya, chosen)
    assert Playbook.objects.get().actor == made.created_by


def test_a_success_plan_groups_together_ctas_for_a_project(priya: Visitor, plan: SuccessPlan) -> None:
    for cta in (opened(priya), opened(priya, name="Renew them", type="lifecycle")):
        priya.send(f"plans/ctas/{cta.pk}/join/", plan=plan.pk)

    joined = plan.objectives.order_by("position").values_list("cta__name", "cta__type")
    assert list(joined) == [("Go live", "objective"), ("Call them", "risk"), ("Renew them", "lifecycle")]


def test_the_work_is_managed_in_custom_fields(inside: Workspace, priya: Visitor, plan: SuccessPlan) -> None:
    SuccessPlan.objects.filter(pk=plan.pk).update(type=plan_type(inside))
    priya.submit(f"plans/{plan.pk}/edit/", name=plan.name, **{"value-sites": "12", "value-phase": "Pilot"})

    plan.refresh_from_db()
    assert (plan.values["sites"], plan.values["phase"]) == (12, "Pilot")
    assert "Pilot" in text(priya.page(f"plans/{plan.pk}/?tab=info"))


def test_a_template_sets_up_a_project_that_happens_often_in_the_same_way_each_time(
    inside: Workspace, priya: Visitor, harbourline: Account
) -> None:
    chosen = template(inside)
    for name in ("First", "Second"):
        facts = {"name": name, "account": "Harbourline", "start_on": TODAY.date()}
        priya.submit("plans/new/", template=chosen.pk, **facts)

    first, second = SuccessPlan.objects.order_by("pk")
    assert states(first) == ["draft", "draft"]
    assert outline(first) == outline(second)
    assert ("Move the pilot sites", "Install scanners") in outline(first)


def outline(plan: SuccessPlan) -> list[tuple[Any, ...]]:
    rows = plan.objectives.order_by("position", "cta__tasks__position")
    return list(rows.values_list("cta__name", "cta__tasks__title"))
