"""Trying a draft on one account: what it would do, with nothing of it kept."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import Account, Indicator, TimelineEntry
from ctas.models import Cta, Task
from playbooks import drafts
from playbooks.dry_runs import start_dry_run
from playbooks.enrollment import apply_by_hand
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.trying import Tried, try_on
from playbooks.versions import NotPossible
from tests.visitor import Visitor, text
from tests.world import Workspace, account, live, playbook_json, trait

NOW = datetime.now(UTC)
RISK = {"key": "risk", "day": 1, "action": "create_indicator", "config": {"title": "Quiet"}}
ONLY_BASIC = {"condition": {"field": "plan", "op": "is", "value": "Basic"}}
TASK = {"key": "call", "day": 3, "action": "create_task", "config": {"title": "Call {{ account.name }}"}}
NOTE = {"key": "note", "anchor": {"field": "renewal_on", "days": -30}, "action": "add_note", "config": {"body": "Soon"}}


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    return account("Harbourline", plan="Pro", csm=inside.maya)


def begun(by: Workspace, **parts: Any) -> Playbook:
    return drafts.begin(name="Ready", by=by.maya, now=NOW, content=playbook_json(**parts)).playbook


def tried_on(one: Account, playbook: Playbook, inside: Workspace) -> dict[str, Tried]:
    return {found.icon: found for found in try_on(playbook, one, None, by=inside.maya, now=NOW)}


def test_each_action_says_what_would_come_of_it(inside: Workspace, harbourline: Account) -> None:
    found = tried_on(harbourline, begun(inside, steps=[RISK | ONLY_BASIC, TASK, NOTE]), inside)

    assert (found["triangle-alert"].became, found["triangle-alert"].why) == ("skipped", "Its condition was not met.")
    assert found["list-checks"].became == "applied"
    assert "Call Harbourline" in found["list-checks"].why
    assert found["notebook-pen"].became == "waiting"


def test_nothing_of_it_is_kept(inside: Workspace, harbourline: Account) -> None:
    playbook = begun(inside, steps=[RISK, TASK])
    told = TimelineEntry.objects.count()
    tried_on(harbourline, playbook, inside)

    for model in (Indicator, Cta, Task, Enrollment, ActionRun):
        assert not model.objects.exists()
    assert TimelineEntry.objects.count() == told
    assert drafts.open_draft(playbook) is not None
    assert Playbook.objects.get(pk=playbook.pk).status == "draft"


def test_a_later_action_sees_what_an_earlier_one_did(inside: Workspace, harbourline: Account) -> None:
    trait("stage")
    stage = {"trait": "stage", "mode": "set", "value": "Early"}
    first = {"key": "first", "day": 1, "action": "update_trait", "config": stage}
    only_early = {"condition": {"field": "trait:stage", "op": "is", "value": "Early"}}
    found = tried_on(harbourline, begun(inside, steps=[first, TASK | only_early]), inside)

    assert found["list-checks"].became == "applied"


def test_what_runs_there_already_is_left_alone(inside: Workspace, harbourline: Account) -> None:
    playbook = live(playbook_json("rescue", steps=[RISK]))
    apply_by_hand(playbook=playbook, account=harbourline, by="test", now=NOW)
    drafts.revise(playbook, by=inside.maya, now=NOW)

    assert tried_on(harbourline, playbook, inside)["triangle-alert"].became == "applied"
    assert Enrollment.objects.get().state == "active"


def test_an_unfinished_draft_is_not_tried(inside: Workspace, harbourline: Account) -> None:
    maya = Visitor(inside.maya)
    playbook = begun(inside, steps=[])
    shown = text(maya.submit(f"playbooks/{playbook.pk}/draft/try/", on=str(harbourline.pk)))

    assert "Mend first what stands in its way" in shown


def test_review_offers_it_and_shows_it_by_day(inside: Workspace, harbourline: Account) -> None:
    maya = Visitor(inside.maya)
    playbook = begun(inside, steps=[RISK, TASK])
    assert "Try it first" in text(maya.page(f"playbooks/{playbook.pk}/draft/review/"))

    shown = text(maya.submit(f"playbooks/{playbook.pk}/draft/try/", on=str(harbourline.pk)))
    assert "Ready on Harbourline" in shown
    assert "Nothing was sent or changed" in shown
    assert "Call Harbourline" in shown
    assert Visitor(inside.priya).submit(f"playbooks/{playbook.pk}/draft/try/").status_code == 403


def test_where_a_dry_run_has_recorded_it_that_is_said(inside: Workspace, harbourline: Account) -> None:
    playbook = begun(inside, steps=[RISK])
    start_dry_run(playbook, by=inside.jonah, now=NOW)
    playbook.refresh_from_db()
    apply_by_hand(playbook=playbook, account=harbourline, by="test", now=NOW)
    drafts.revise(playbook, by=inside.maya, now=NOW)

    with pytest.raises(NotPossible, match="has it on Harbourline already"):
        tried_on(harbourline, playbook, inside)
