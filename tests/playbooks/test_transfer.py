"""Playbooks leave and come in as files; versions are compared, and an earlier one comes back as a draft."""

import json
from datetime import UTC, datetime

import pytest

from playbooks import drafts
from playbooks.comparing import differences
from playbooks.models import Playbook
from playbooks.transfer import plan_import
from playbooks.versions import exported, import_playbook, publish
from tests.visitor import Visitor, text
from tests.world import Workspace, live, playbook_json, raise_risk

NOW = datetime.now(UTC)


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    return Visitor(inside.maya)


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return live(playbook_json(steps=[raise_risk(1), raise_risk(9, key="late")]), by=inside.jonah, now=NOW)


def changed() -> dict[str, object]:
    steps = [raise_risk(4, note="Look here"), raise_risk(9, key="new")]
    return playbook_json(rules={"account": {"field": "plan", "op": "is", "value": "Max"}}, steps=steps)


def test_differences_are_told_in_sentences(rescue: Playbook) -> None:
    before, after = playbook_json(steps=[raise_risk(1), raise_risk(9, key="late")]), changed()
    found = {one.what: (one.before, one.after) for one in differences(before, after)}

    assert found["Rules"] == ("Plan is Pro", "Plan is Max")
    assert found["Action risk"] == ("Day 1: Raise the risk “At risk”", "Day 4: Raise the risk “At risk”")
    assert found["Action new"][0] == "–"
    assert found["Action late"][1] == "–"
    assert "Name" not in found


def test_a_setting_that_no_sentence_tells_is_a_difference_too(inside: Workspace) -> None:
    step = raise_risk()
    noted = {**step, "config": {**step["config"], "note": "Look here"}}
    found = differences(playbook_json(), playbook_json(steps=[noted]))

    assert [(one.what, one.after) for one in found] == [("Action risk: note", "Look here")]


def test_lists_and_conditions_are_told_in_words_and_their_order_in_the_database_is_no_difference(
    inside: Workspace,
) -> None:
    tasks = [{"title": "Call them", "owner": "csm", "due_in_days": 5}]
    only_if = {"field": "health", "op": "less", "value": 50}
    steps = [{"key": "cta", "day": 1, "action": "create_cta", "config": {"name": "Rescue", "tasks": tasks}}]
    data = playbook_json(steps=[steps[0] | {"condition": only_if}])
    playbook = live(data)
    assert playbook.version
    drafts.revise(playbook, by=inside.maya, now=NOW)
    assert [one.change for one in plan_import([exported(playbook, playbook.version)])] == ["same"]

    config = {"name": "Rescue", "tasks": [tasks[0] | {"title": "Write to them", "due_in_days": 2}]}
    changed = playbook_json(steps=[steps[0] | {"config": config, "condition": only_if | {"value": 40}}])
    [planned] = plan_import([changed])
    assert {one.what: (one.before, one.after) for one in planned.differences} == {
        "Action cta: tasks": ("Call them (due in days 5, owner csm)", "Write to them (due in days 2, owner csm)"),
        "Action cta: only if": ("Health is less than 50", "Health is less than 40"),
    }


def test_an_import_says_what_it_would_change_before_it_writes(maya: Visitor, rescue: Playbook) -> None:
    sent = json.dumps([changed(), playbook_json("fresh"), {"key": "odd"}])
    shown = text(maya.submit("playbooks/import/", text=sent, step="plan"))

    assert "Revises Rescue" in shown
    assert "New" in shown
    assert "Enter a name" in shown
    assert "Import as draft" not in shown
    assert Playbook.objects.count() == 1


def test_an_import_is_written_whole_or_not_at_all(maya: Visitor, rescue: Playbook) -> None:
    maya.submit("playbooks/import/", text=json.dumps([playbook_json("fresh"), {"key": "odd"}]), step="import")
    assert Playbook.objects.count() == 1

    maya.submit("playbooks/import/", text=json.dumps([playbook_json("fresh"), changed()]), step="import")
    assert Playbook.objects.count() == 2
    assert drafts.open_draft(rescue) is not None


def test_what_is_exported_changes_nothing_when_it_comes_back(maya: Visitor, rescue: Playbook) -> None:
    file = maya.page(f"playbooks/{rescue.pk}/export/")

    assert file["Content-Disposition"] == 'attachment; filename="rescue.json"'
    assert plan_import([json.loads(file.content)])[0].change == "same"


@pytest.mark.parametrize("odd", ["", "{", "[]", "[" * 100_000])
def test_what_is_no_file_of_playbooks_is_refused_in_words(maya: Visitor, odd: str) -> None:
    assert maya.submit("playbooks/import/", text=odd, step="plan").status_code == 422


def test_versions_stand_side_by_side_and_an_earlier_one_comes_back_as_a_draft(
    maya: Visitor, inside: Workspace, rescue: Playbook
) -> None:
    import_playbook(changed(), by=inside.maya, now=NOW)
    publish(rescue, by=inside.jonah, now=NOW)
    shown = text(maya.page(f"playbooks/{rescue.pk}/versions/?compare=1"))
    assert "Version 1 and version 2" in shown
    assert "Plan is Max" in shown

    maya.submit(f"playbooks/{rescue.pk}/restore/", version="1")
    draft = drafts.open_draft(rescue)
    assert draft is not None
    assert draft.number == 3
    assert [step["key"] for step in (draft.draft or {})["steps"]] == ["risk", "late"]


def test_a_duplicate_says_the_same_under_a_key_of_its_own(maya: Visitor, rescue: Playbook) -> None:
    maya.submit(f"playbooks/{rescue.pk}/duplicate/")

    copy = Playbook.objects.get(key="copy-of-rescue")
    draft = drafts.open_draft(copy)
    assert (copy.status, copy.name) == ("draft", "Copy of Rescue")
    assert draft is not None
    assert [step["key"] for step in (draft.draft or {})["steps"]] == ["risk", "late"]
