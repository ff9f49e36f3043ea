"""What a playbook is for, and whom it leaves out to compare, as parts of its definition."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.fields import workspace_fields
from playbooks import drafts
from playbooks.comparing import differences
from playbooks.definition import Definition, DefinitionErrors, Outcome, parse
from playbooks.gallery import templates
from playbooks.models import PlaybookVersion
from playbooks.overview import overview
from playbooks.transfer import plan_import
from playbooks.versions import exported, import_playbook, publish
from tests.world import Workspace, live, playbook_json

NOW = datetime.now(UTC)
GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 30}
GROWS = "Grown, when MRR is more than $1,000"


def read(**parts: Any) -> Definition:
    found = parse(playbook_json(**parts), fields=workspace_fields())
    assert isinstance(found, Definition)
    return found


def problems(**parts: Any) -> dict[str, str]:
    with pytest.raises(DefinitionErrors) as refused:
        read(**parts)
    return {one.path: one.message for one in refused.value.problems}


def test_an_outcome_is_a_name_a_rule_and_the_days_in_which_it_counts(inside: Workspace) -> None:
    found = read(outcome=GROWN, holdout=10)

    assert (found.outcome, found.holdout) == (Outcome("Grown", GROWN["rule"], 30), 10)
    again = parse(found.exported(), fields=workspace_fields())
    assert again == found


def test_without_one_nothing_is_compared(inside: Workspace) -> None:
    found = read(outcome=None)

    assert (found.outcome, found.holdout) == (None, 0)
    assert {"outcome": None, "holdout": 0}.items() <= found.stored().items()


def test_a_playbook_about_users_has_an_outcome_about_users(inside: Workspace) -> None:
    back = {"name": "Back", "rule": {"field": "email", "op": "set"}, "days": 7}
    about = {"audience": "users", "steps": [{"key": "nps", "day": 1, "action": "show_nps", "config": {}}]}

    assert read(**about, outcome=back).outcome == Outcome("Back", back["rule"], 7)
    assert set(problems(**about, outcome=GROWN)) == {"outcome.rule.field"}
    assert set(problems(outcome=back)) == {"outcome.rule.field"}


def test_everything_that_is_wrong_is_found_at_once_with_its_place(inside: Workspace) -> None:
    odd = {"name": "", "rule": {"all": [{"field": "plan", "op": "more", "value": 3}]}, "days": 366}
    assert set(problems(outcome=odd, holdout=51)) == {
        "outcome.name",
        "outcome.rule.all[0].op",
        "outcome.days",
        "holdout",
    }
    assert set(problems(outcome={"name": "x" * 81})) == {"outcome.name", "outcome.rule", "outcome.days"}
    assert set(problems(outcome=["Renewed"])) == {"outcome"}
    assert set(problems(outcome=GROWN | {"days": 0}, holdout=-1)) == {"outcome.days", "holdout"}
    assert set(problems(outcome=GROWN, holdout=True)) == {"holdout"}


def test_nobody_is_left_out_where_there_is_nothing_to_compare_by(inside: Workspace) -> None:
    assert "Choose an outcome" in problems(holdout=10)["holdout"]


def test_both_are_mended_on_the_page_of_rules() -> None:
    assert {drafts.part_of(path) for path in ("outcome.rule.all[0]", "outcome.name", "holdout")} == {drafts.RULES}


def test_a_version_published_before_either_could_be_said_reads_as_none(inside: Workspace) -> None:
    playbook = live(playbook_json(), now=NOW)
    assert playbook.version
    older = {name: value for name, value in playbook.version.definition.items() if name not in ("outcome", "holdout")}
    older_version = PlaybookVersion(definition=older, published_at=NOW, playbook=playbook, pk=playbook.version.pk)

    assert {"outcome": None, "holdout": 0}.items() <= exported(playbook, older_version).items()
    told = overview(older_version)
    assert (str(told.outcome), told.holdout) == ("None chosen", "Nobody")


def test_both_are_told_in_words_and_compared(inside: Workspace) -> None:
    playbook = live(playbook_json(outcome=GROWN, holdout=10), now=NOW)
    assert playbook.version
    told = overview(playbook.version)
    assert str(told.outcome) == f"{GROWS}, within 30 days"
    assert told.holdout == "10% of those who match go without it"

    found = differences(playbook_json(outcome=GROWN, holdout=10), playbook_json(outcome=GROWN | {"days": 1}))
    assert {one.what: (one.before, one.after) for one in found} == {
        "Outcome": (
            f"{GROWS}, within 30 days",
            "Grown, when MRR is more than $1,000, within 1 day",
        ),
        "Left out to compare": ("10% of those who match go without it", "Nobody"),
    }


def test_they_leave_with_an_export_and_come_back_with_an_import(inside: Workspace) -> None:
    playbook = live(playbook_json(outcome=GROWN, holdout=10), now=NOW)
    assert playbook.version
    data = exported(playbook, playbook.version)
    assert [one.change for one in plan_import([data])] == ["same"]

    [planned] = plan_import([data | {"holdout": 20}])
    assert [one.what for one in planned.differences] == ["Left out to compare"]
    version = publish(import_playbook(data | {"holdout": 20}, by=inside.jonah, now=NOW), by=inside.jonah, now=NOW)
    assert (version.definition["outcome"], version.definition["holdout"]) == (GROWN, 20)


def test_templates_say_what_they_are_for_and_leave_nobody_out() -> None:
    """Whether somebody became a reference is in no field that every workspace has."""
    without = {one.key for one in templates() if not one.content.get("outcome")}
    assert without == {"nps-promoter"}
    assert not any(one.content.get("holdout") for one in templates())
