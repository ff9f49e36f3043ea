"""What Review says of a draft and the live playbooks beside it, and of the work it would bring."""

from typing import Any

from accounts.fields import workspace_fields
from accounts.models import Segment, TraitDefinition
from ctas.opening import open_cta
from ctas.working import add_task
from playbooks.ahead import Ahead, look_ahead
from playbooks.conflicts import Finding, find_conflicts
from playbooks.definition import Definition, parse
from playbooks.models import Playbook
from playbooks.versions import import_playbook
from success_plans.defining import save_template
from tests.success_plans.world import plan_type
from tests.world import (
    MONDAY,
    Workspace,
    account,
    live,
    on,
    playbook_json,
    raise_risk,
    set_trait_step,
    task_list_json,
    trait,
)

ON_STAGE = {"account": {"field": "trait:stage", "op": "is", "value": "Early"}}
ON_PRO = {"account": {"field": "plan", "op": "is", "value": "Pro"}}
ON_RISK = {"account": {"field": "indicator:At risk", "op": "active"}}


def drafted(key: str = "draft", **parts: Any) -> tuple[Definition, Playbook]:
    written = playbook_json(key, **parts)
    definition = parse(written, fields=workspace_fields())
    assert isinstance(definition, Definition)
    return definition, import_playbook(written, by=None, now=MONDAY)


def findings(inside: Workspace, **parts: Any) -> list[Finding]:
    definition, playbook = drafted(**parts)
    return find_conflicts(definition, playbook, tenant=inside.tenant, fields=workspace_fields(), now=MONDAY)


def codes(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.code, one.tone, one.playbook.key if one.playbook else "") for one in found]


def segment_step(segment: Segment, do: str, key: str = "segment") -> dict[str, Any]:
    return {"key": key, "day": 1, "action": "change_segment", "config": {"do": do, "segment": segment.pk}}


def assign_step(**config: Any) -> dict[str, Any]:
    given = {"role": "csm", "method": "round_robin", "keep_present": False} | config
    return {"key": "assign", "day": 1, "action": "assign", "config": given}


def test_alone_in_the_workspace_nothing_is_found(inside: Workspace) -> None:
    assert findings(inside) == []


def test_an_outcome_that_its_own_actions_reach_is_said(inside: Workspace) -> None:
    trait("stage")
    signed = {"name": "Signed", "rule": {"field": "trait:stage", "op": "is", "value": "Signed"}, "days": 30}
    [own] = findings(inside, steps=[set_trait_step("Signed")], outcome=signed)
    assert (own.code, own.tone, own.part) == ("reaches_itself", "warn", "rules")
    assert own.says == "It writes what its outcome asks about: Stage"
    assert findings(inside, key="other", outcome=signed) == []


def test_what_may_stop_itself_is_said_and_what_merely_writes_is_not(inside: Workspace) -> None:
    trait("stage")
    step = set_trait_step("Proposal")
    every = {"policy": "every_match"}

    assert findings(inside, key="calm", rules=ON_STAGE, steps=[step]) == []
    stops = {"rules": ON_STAGE, "steps": [step], "on_unmatch": "stop"}
    [once] = findings(inside, key="once", **stops)
    assert (once.code, once.tone) == ("feeds_itself", "warn")
    assert once.says == "It writes what its own rules ask about: Stage"
    [again] = findings(inside, key="again", reenrollment=every, **stops)
    assert "night after night" in again.detail
    [anew] = findings(inside, key="anew", rules=ON_STAGE, steps=[step], reenrollment=every)
    assert anew.tone == "info"


def test_a_trait_that_feeds_a_column_is_that_column(inside: Workspace) -> None:
    TraitDefinition.objects.create(scope="account", key="tier", label="Tier", type="text", column="plan")

    [found] = findings(inside, rules=ON_PRO, steps=[set_trait_step("Basic", trait="tier")], on_unmatch="stop")
    assert found.says == "It writes what its own rules ask about: Plan"


def test_two_that_want_different_things_in_one_place_disagree(inside: Workspace) -> None:
    trait("stage")
    group = Segment.objects.create(scope="account", name="Renewal", created_at=MONDAY)
    account("Ada", plan="Pro")
    account("Bo", plan="Pro", lifecycle="trialing")
    live(playbook_json("taker", target="subscribed", steps=[segment_step(group, "remove")]))
    live(playbook_json("setter", rules=ON_RISK, steps=[set_trait_step("Early")]))
    live(playbook_json("likeminded", steps=[set_trait_step("Proposal")]))

    found = findings(inside, steps=[segment_step(group, "add"), set_trait_step("Proposal")])
    assert codes(found) == [("against", "info", "setter"), ("against", "warn", "taker")]
    assert found[0].detail == "No account matches both now."
    assert (
        found[1].says
        == "“Taker” does otherwise: “Remove from the segment “Renewal””. Here: “Add to the segment “Renewal””"
    )
    assert found[1].detail == "1 account matches both now; the later action wins."


def test_two_that_assign_one_role_disagree_unless_both_give_way(inside: Workspace) -> None:
    live(playbook_json("owner", steps=[assign_step()]))
    live(playbook_json("gentle", steps=[assign_step(keep_present=True)]))

    assert codes(findings(inside, key="new", steps=[assign_step()])) == [
        ("against", "info", "gentle"),
        ("against", "info", "owner"),
    ]
    assert codes(findings(inside, key="kind", steps=[assign_step(keep_present=True)])) == [("against", "info", "owner")]


def test_circles_are_found_however_long_and_neighbours_are_named(inside: Workspace) -> None:
    """draft → second → third → draft; and one who only listens, one who only speaks, one that is archived."""
    trait("stage")
    group = Segment.objects.create(scope="account", name="Renewal", created_at=MONDAY)
    in_group = {"account": {"field": "segments", "op": "contains_any", "value": [str(group.pk)]}}
    live(playbook_json("second", rules=ON_STAGE, steps=[segment_step(group, "add")]))
    live(playbook_json("third", rules=in_group, steps=[raise_risk()]))
    listener = {"account": {"field": "playbook:draft", "op": "is", "value": "finished"}}
    definition, playbook = drafted(rules=ON_RISK, steps=[set_trait_step("Early")])
    live(playbook_json("listener", rules=listener, steps=[raise_risk(title="Else")]))
    live(playbook_json("speaker", steps=[raise_risk()]))

    found = find_conflicts(definition, playbook, tenant=inside.tenant, fields=workspace_fields(), now=MONDAY)
    assert codes(found) == [
        ("circle", "warn", "second"),
        ("feeds", "info", "listener"),
        ("fed_by", "info", "speaker"),
        ("fed_by", "info", "third"),
    ]
    assert found[0].says == "A circle: This playbook → “Second” → “Third” → this playbook"
    Playbook.objects.exclude(pk=playbook.pk).update(status=Playbook.Status.ARCHIVED)
    assert find_conflicts(definition, playbook, tenant=inside.tenant, fields=workspace_fields(), now=MONDAY) == []


# --- work and cost ----------------------------------------------------------------------------------------------------


def ahead(inside: Workspace, **parts: Any) -> Ahead:
    definition, playbook = drafted(**parts)
    found = look_ahead(definition, playbook, tenant=inside.tenant, fields=workspace_fields(), now=MONDAY)
    assert found is not None
    return found


def test_the_work_of_the_next_days_goes_to_whoever_would_be_given_it(inside: Workspace) -> None:
    """By role, fallback and anchor; what lies beyond thirty days, or is held back by a known cause, is not counted.

    What leaves the house is, whenever.
    """
    live(task_list_json("kickoff"))
    first = account("Ada", plan="Pro", csm=inside.priya, ae=inside.tom, renewal_on=on(20))
    account("Bo", plan="Pro", csm=inside.priya, renewal_on=on(28, 12))
    account("Cy", plan="Pro", renewal_on=on(3))
    account("Di", plan="Pro", csm=inside.tom, known_cause="Outage", known_cause_until=on(30))
    own = open_cta(account=first, name="Own", type="risk", due_on=on(9), by=inside.priya, now=MONDAY)
    add_task(own, title="Call", due_on=on(9), owner=inside.priya, by=inside.priya, now=MONDAY)
    mail = {"subject": "Hello", "body": "Hi", "sender": "csm", "fallback_sender": "member:maya@orbiton.example"}
    cta = {
        "name": "Review",
        "type": "lifecycle",
        "owner": "csm",
        "tasks": [{"title": "Usage"}, {"title": "Order form", "owner": "ae"}],
        "cta_playbook": "kickoff",
    }
    task = {"title": "Call", "owner": "ae"}
    steps = [
        {"key": "mail", "day": 1, "action": "start_conversation", "config": mail},
        {"key": "again", "day": 60, "action": "start_conversation", "config": mail},
        {"key": "cta", "day": 30, "action": "create_cta", "config": cta},
        {"key": "late", "day": 31, "action": "create_task", "config": task},
        {"key": "near", "anchor": {"field": "renewal_on", "days": -10}, "action": "create_task", "config": task},
    ]

    found = ahead(inside, steps=steps, respects_known_cause=True)
    assert (found.matched, found.fresh) == (4, 3)
    assert [one.name for one in found.examples] == ["Ada", "Bo", "Cy"]
    given = {one.member.name if one.member else "": one for one in found.loads}
    assert {name: (one.conversations, one.ctas, one.tasks) for name, one in given.items()} == {
        "Priya Raman": (2, 2, 6),  # usage and kickoff's first of both; of Bo, who has no AE, the others too
        "Tom Lindqvist": (0, 0, 3),  # as AE of Ada: the order form, the second task of kickoff, the call
        "Maya Osei": (1, 0, 0),
        "": (0, 1, 4),
    }
    assert given["Priya Raman"].already == 1
    assert [(cost.label, cost.count) for cost in found.costs] == [("Start a conversation", 6)]


def test_a_plan_that_begins_at_once_is_work_for_whoever_its_template_says(inside: Workspace) -> None:
    """Objectives are CTAs, with the tasks of the CTA playbooks they name; without a role they are the plan owner's."""
    live(task_list_json("kickoff"))
    account("Ada", plan="Pro", csm=inside.priya, ae=inside.tom)
    account("Bo", plan="Pro", csm=inside.priya)
    tasks = [{"title": "Book it"}, {"title": "Sign it", "owner": "csm"}]
    objectives = [{"name": "Pilot", "owner": "ae", "tasks": tasks}, {"name": "Launch", "playbook": "kickoff"}]
    type = plan_type(inside)
    save_template(None, name="Roll-out", type=type, definition={"objectives": objectives}, by=inside.jonah, now=MONDAY)
    plan = {"template": "roll-out", "name": "Roll-out", "owner": "member:maya@orbiton.example"}
    begun = {"key": "plan", "day": 1, "action": "start_success_plan", "config": plan | {"begin": True}}
    drafted = {"key": "draft", "day": 2, "action": "start_success_plan", "config": plan}

    given = {one.member.name if one.member else "": one for one in ahead(inside, steps=[begun, drafted]).loads}

    assert {name: (one.ctas, one.tasks) for name, one in given.items()} == {
        "Tom Lindqvist": (1, 2),  # as AE of Ada: the pilot, its first task, the second of kickoff
        "Priya Raman": (0, 3),  # as CSM: what is hers by role, and the second task of kickoff where there is no AE
        "Maya Osei": (3, 3),  # as owner of the plans: both launches with kickoff's first task, and Bo's pilot
    }
