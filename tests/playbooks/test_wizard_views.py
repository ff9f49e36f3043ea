"""The wizard page by page: what is typed is kept, what is wrong is told where it is mended, and who may what."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Segment
from actions.registry import action_for
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.holidays import working_day
from cs_platform.workspace.models import Holiday
from ctas.lists import Kind, add_entry
from playbooks import drafts
from playbooks.holdout import draw
from playbooks.models import Playbook, PlaybookVersion
from playbooks.views.wizard import schedule_words
from tests.actions.controls import sent
from tests.visitor import Visitor, text
from tests.world import Workspace, account, live, playbook_json, raise_risk, trait

NOW = datetime.now(UTC)


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    """A manager: drafts, but does not publish."""
    return Visitor(inside.maya)


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


@pytest.fixture
def begun(maya: Visitor) -> Playbook:
    maya.submit("playbooks/new/", name="Low adoption")
    return Playbook.objects.get(key="low-adoption")


def draft_of(playbook: Playbook) -> PlaybookVersion:
    found = drafts.open_draft(playbook)
    assert found is not None
    return found


def content(playbook: Playbook) -> dict[str, Any]:
    return draft_of(playbook).draft or {}


def at(playbook: Playbook, part: str) -> str:
    return f"playbooks/{playbook.pk}/draft/{part}"


def test_a_new_playbook_is_begun_by_its_name_and_opens_at_overview(maya: Visitor) -> None:
    answer = maya.submit("playbooks/new/", name="Low adoption")

    begun = Playbook.objects.get(key="low-adoption")
    assert answer["Location"].endswith(f"/playbooks/{begun.pk}/draft/overview/")
    assert (begun.status, begun.created_by) == ("draft", maya.member)
    assert "Low adoption" in text(maya.page(at(begun, "overview/")))


def test_its_icon_is_chosen_and_shown_wherever_it_is_listed(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "overview/"), name="Renewals", icon="rocket", target="tracked", audience="accounts")

    assert (content(begun)["icon"], Playbook.objects.get(pk=begun.pk).icon) == ("rocket", "rocket")
    assert '#rocket"' in text(maya.page("playbooks/?tab=drafts"))
    assert "#rocket" in text(maya.page("jump/?q=renewals"))


def test_an_icon_that_is_none_of_them_is_told_on_its_page(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "overview/"), name="Renewals", icon="skull")

    assert "Choose one of: workflow" in text(maya.page(at(begun, "overview/?check=1")))


def test_two_playbooks_of_one_name_have_keys_of_their_own(maya: Visitor, begun: Playbook) -> None:
    maya.submit("playbooks/new/", name="Low adoption")

    assert set(Playbook.objects.values_list("key", flat=True)) == {"low-adoption", "low-adoption-2"}


def test_every_page_opens_at_any_time_on_an_empty_draft(maya: Visitor, begun: Playbook) -> None:
    for part in ("overview/", "rules/", "actions/", "review/"):
        assert maya.page(at(begun, part)).status_code == 200

    assert "Add at least one condition" in text(maya.page(at(begun, "review/")))


def test_what_a_page_shows_reads_back_as_it_is_stored(maya: Visitor, inside: Workspace) -> None:
    trait("seats", "number")
    condition = {"field": "plan", "op": "is", "value": "Pro"}
    steps = [raise_risk(3, condition={"any": [condition, {"field": "trait:seats", "op": "set"}]}, keep_on_stop=True)]
    rules = {"account": {"all": [condition, {"any": [condition, condition]}]}, "user": {"field": "email", "op": "set"}}
    whole = playbook_json(description="Call {{ account.name }}", target="trialing", rules=rules, steps=steps)
    playbook = live(whole, now=NOW)
    maya.submit(f"playbooks/{playbook.pk}/edit/")
    before = content(playbook)

    for part in ("overview/", "rules/", "actions/?step=risk"):
        shown = maya.page(at(playbook, part)).content.decode()
        data = {name: value for name, value in sent(shown).lists() if name not in ("q",)}
        maya.client.post(maya.at(at(playbook, part)), data | {"go": "review"})

    assert content(playbook) == before


def test_leaving_by_next_is_held_back_by_what_is_wrong_on_the_page(maya: Visitor, begun: Playbook) -> None:
    held = maya.submit(at(begun, "overview/"), name="", next="rules")
    assert held.status_code == 422
    assert "Enter a name" in text(held)

    assert maya.submit(at(begun, "overview/"), name="", go="rules").status_code == 302
    assert maya.submit(at(begun, "overview/"), name="Rescue", next="rules").status_code == 302


def test_saving_by_itself_says_when_and_renames_the_draft(maya: Visitor, begun: Playbook) -> None:
    answer = text(maya.send(at(begun, "overview/"), target="saved", name="Rescue", autosave="1", revision="0"))

    assert "Saved" in answer
    assert 'name="revision" value="1"' in answer
    begun.refresh_from_db()
    assert (begun.name, begun.key) == ("Rescue", "low-adoption")


def test_somebody_elses_change_is_never_written_over_unasked(maya: Visitor, jonah: Visitor, begun: Playbook) -> None:
    jonah.submit(at(begun, "overview/"), name="Theirs", revision="0", go="rules")

    refused = maya.submit(at(begun, "overview/"), name="Mine", revision="0", go="rules")
    assert refused.status_code == 409
    assert "Jonah Weiss changed this draft meanwhile" in text(refused)
    assert 'value="Mine"' in text(refused)
    assert content(begun)["name"] == "Theirs"

    maya.submit(at(begun, "overview/"), name="Mine", revision="0", over="1")
    assert content(begun)["name"] == "Mine"


def test_my_own_other_window_is_no_stranger(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "overview/"), name="Once", revision="0", go="rules")

    assert maya.submit(at(begun, "overview/"), name="Twice", revision="0", go="rules").status_code == 302


def test_rules_are_kept_unfinished_and_the_editors_buttons_work_without_scripts(maya: Visitor, begun: Playbook) -> None:
    shown = maya.submit(at(begun, "rules/"), **{"account:edit": "add ", "account:mode": "all"})
    assert "Search fields" in text(shown)

    maya.submit(
        at(begun, "rules/"), **{"account:mode": "all", "account:0:field": "mrr", "account:0:op": "at_least"}, go="exit"
    )
    assert content(begun)["rules"]["account"]["all"][0]["field"] == "mrr"


def test_applying_again_can_be_limited_and_an_odd_number_is_told_on_its_page(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "rules/"), policy="at_most", times="3", days="many", go="exit")

    assert content(begun)["reenrollment"] == {"policy": "at_most", "times": 3, "days": "many"}
    assert "Enter a whole number from 1 to 3,650" in text(maya.page(at(begun, "rules/?check=1")))


ASKED = {"approval": {"by": "csm", "within_days": 400, "otherwise": "skip"}}
RENEWED: dict[str, str] = {
    "outcome_name": "Renewed",
    "outcome:mode": "all",
    "outcome:0:field": "renewal_on",
    "outcome:0:op": "in_more_than_days",
    "outcome:0:value": "120",
    "outcome_days": "45",
}


def test_an_outcome_is_kept_with_those_left_out_to_compare_and_reads_back(maya: Visitor, begun: Playbook) -> None:
    assert not is_unfolded(maya.page(at(begun, "rules/")))
    maya.submit(at(begun, "rules/"), **RENEWED, holdout="10", go="exit")

    rule = {"all": [{"field": "renewal_on", "op": "in_more_than_days", "value": 120}]}
    assert content(begun)["outcome"] == {"name": "Renewed", "rule": rule, "days": 45}
    assert content(begun)["holdout"] == 10
    shown = maya.page(at(begun, "rules/"))
    assert is_unfolded(shown)
    data = dict(sent(shown.content.decode()).lists())
    before = content(begun)
    maya.client.post(maya.at(at(begun, "rules/")), data | {"go": "exit"})
    assert content(begun) == before


def is_unfolded(page: Any) -> bool:
    return 'id="outcome" open' in text(page)


def test_the_days_alone_are_no_outcome(maya: Visitor, begun: Playbook) -> None:
    assert 'name="outcome_days" value="30"' in text(maya.page(at(begun, "rules/")))
    maya.submit(at(begun, "rules/"), outcome_days="30", outcome_name=" ", holdout="0", go="exit")

    assert (content(begun)["outcome"], content(begun)["holdout"]) == (None, 0)


def test_what_is_wrong_with_an_outcome_is_said_at_its_field(maya: Visitor, begun: Playbook) -> None:
    odd = RENEWED | {"outcome_name": "", "outcome:0:value": "soon", "outcome_days": "400", "holdout": "60"}
    held = maya.submit(at(begun, "rules/"), **odd, next="actions")

    assert held.status_code == 422
    shown = text(held)
    assert is_unfolded(held)
    for id, message in (
        ("outcome-name-error", "Give the outcome a name"),
        ("outcome-days-error", "from 1 to 365"),
        ("holdout-error", "from 0 to 50"),
    ):
        assert message in shown.partition(f'id="{id}"')[2].partition("</span>")[0]
    assert "Write a" in shown.partition('id="id_outcome"')[2].partition("</section>")[0].partition('class="error"')[2]


def test_nobody_is_left_out_without_an_outcome_and_the_page_says_why(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "rules/"), holdout="10", go="exit")

    shown = text(maya.page(at(begun, "rules/?check=1")))
    assert "Choose an outcome to compare by" in shown.partition('id="holdout-error"')[2]
    assert "draft/rules/?check=1" in text(maya.page(at(begun, "review/")))


def test_the_editor_of_an_outcome_works_without_scripts_and_stays_unfolded(maya: Visitor, begun: Playbook) -> None:
    shown = maya.submit(at(begun, "rules/"), **{"outcome:edit": "add ", "outcome:mode": "all"})

    assert is_unfolded(shown)
    assert 'aria-label="Rules of the outcome"' in text(shown)
    emptied = {"outcome:edit": "remove 0", "outcome:mode": "all", "outcome:0:field": "renewal_on"}
    assert is_unfolded(maya.submit(at(begun, "rules/"), **emptied))


def test_an_outcome_is_about_whom_the_playbook_is_about(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "overview/"), name="Rescue", audience="users")
    back = {"outcome:mode": "all", "outcome:0:field": "last_seen_at", "outcome:0:op": "within_last_days"}
    back |= {"outcome:0:value": "7", "outcome_name": "Back", "outcome_days": "14"}
    maya.submit(at(begun, "rules/"), **back, go="exit")

    assert "subject=user&amp;named=Rules+of+the+outcome" in text(maya.page(at(begun, "rules/")))
    assert not [one for one in drafts.problems_of(content(begun)) if one.path.startswith("outcome")]


# --- actions ----------------------------------------------------------------------------------------------------------


def add(maya: Visitor, playbook: Playbook, action: str, day: int = 1) -> str:
    answer = maya.submit(at(playbook, "actions/add/"), action=action, day=str(day))
    return answer["Location"].partition("step=")[2]


def keys(playbook: Playbook) -> list[tuple[str, Any]]:
    return [(step["key"], step.get("day")) for step in content(playbook)["steps"]]


def test_actions_are_added_edited_duplicated_and_deleted(maya: Visitor, begun: Playbook) -> None:
    key = add(maya, begun, "create_indicator", 5)
    maya.submit(at(begun, f"actions/?step={key}"), title="At risk", kind="risk", assignee="csm", **{"step-day": "7"})
    assert content(begun)["steps"][0]["config"]["title"] == "At risk"
    assert "Raise the risk “At risk”" in text(maya.page(at(begun, "actions/")))

    maya.submit(at(begun, "actions/duplicate/"), step=key)
    assert keys(begun) == [("create-indicator", 7), ("create-indicator-2", 7)]
    maya.submit(at(begun, "actions/delete/"), step=key)
    assert keys(begun) == [("create-indicator-2", 7)]


def test_actions_move_past_each_other_and_from_day_to_day(maya: Visitor, begun: Playbook) -> None:
    first, second = add(maya, begun, "create_indicator"), add(maya, begun, "create_cta", 4)

    maya.submit(at(begun, "actions/up/"), step=second)
    assert keys(begun) == [(first, 1), (second, 1)]
    maya.submit(at(begun, "actions/up/"), step=second)
    assert keys(begun) == [(second, 1), (first, 1)]
    maya.submit(at(begun, "actions/move/"), step=second, day="9")
    assert keys(begun) == [(first, 1), (second, 9)]


def test_a_whole_day_moves_to_another_one(maya: Visitor, begun: Playbook) -> None:
    first, second = add(maya, begun, "create_indicator", 2), add(maya, begun, "create_cta", 2)
    third = add(maya, begun, "create_cta", 9)

    maya.submit(at(begun, "actions/day/"), **{"from": "2", "day": "12"})

    assert keys(begun) == [(third, 9), (first, 12), (second, 12)]


def test_only_actions_for_the_audience_are_offered(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "actions/add/"), action="unheard_of")
    assert content(begun)["steps"] == []
    assert "Start a conversation" in text(maya.page(at(begun, "actions/")))


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([1], "1 action in 1 day"),
        ([1, 4], "2 actions in 4 days"),
        ([2, None], "2 actions, 1 of them by a date"),
        ([None, None], "2 actions by a date"),
        ([], "What happens, and when"),
    ],
)
def test_the_schedule_is_told_in_a_few_words(days: list[int | None], words: str) -> None:
    anchor = {"anchor": {"field": "renewal_on", "days": -30}}
    steps = [{"key": f"s{n}", **({"day": day} if day else anchor)} for n, day in enumerate(days)]

    assert schedule_words(steps) == words


def test_texts_are_filled_in_for_whom_the_rules_are_about(maya: Visitor, begun: Playbook) -> None:
    account("Alder", plan="Basic"), account("Yarrow", plan="Pro"), account("Zinnia", plan="Pro", lifecycle="churned")
    offered = text(maya.page(at(begun, "overview/")))
    assert (">Alder<" in offered, ">Yarrow<" in offered, ">Zinnia<" in offered) == (True, True, False)

    rule = {"account:0:field": "plan", "account:0:op": "is", "account:0:value": "Pro", "account:mode": "all"}
    maya.submit(at(begun, "rules/"), **rule, **{"user:mode": "all", "on_unmatch": "finish"})
    offered = text(maya.page(at(begun, "overview/")))
    assert (">Alder<" in offered, ">Yarrow<" in offered) == (False, True)


def test_the_dates_beside_the_days_pass_over_weekends_and_holidays_where_that_is_ticked(
    maya: Visitor, begun: Playbook
) -> None:
    account("Harbourline")
    fourth = NOW.date() + timedelta(days=3)
    Holiday.objects.create(on=fourth, name="Our day")
    maya.submit(at(begun, "actions/add/"), action="create_indicator", day="4")
    assert f"{fourth:%-d %b}" in text(maya.page(at(begun, "actions/")))

    moved = working_day(fourth, {fourth})
    maya.submit(at(begun, "actions/weekends/"), skip_weekends="on", revision=str(draft_of(begun).revision))
    shown = text(maya.page(at(begun, "actions/")))
    assert f"{moved:%-d %b}" in shown
    assert f"{fourth:%-d %b}" not in shown


def test_an_action_can_hang_on_a_date_and_says_when_that_is(maya: Visitor, begun: Playbook) -> None:
    account("Harbourline", renewal_on=NOW.date().replace(year=NOW.year + 1, month=5, day=20))
    key = add(maya, begun, "create_indicator")
    given = {"step-anchor": "renewal_on", "step-day": "5", "step-side": "before"}
    maya.submit(at(begun, f"actions/?step={key}"), title="Soon", **given)

    assert content(begun)["steps"][0]["anchor"] == {"field": "renewal_on", "days": -5}
    shown = text(maya.page(at(begun, f"actions/?step={key}")))
    assert "5 days before" in shown
    assert "15 May" in shown


def test_texts_read_as_they_will_on_an_account(maya: Visitor, begun: Playbook) -> None:
    harbourline = account("Harbourline")
    key = add(maya, begun, "create_indicator")
    given = {"title": "Call {{ account.name }}", "autosave": "1", "on": str(harbourline.pk)}

    assert "Call <b>Harbourline</b>" in text(maya.send(at(begun, f"actions/?step={key}"), target="saved", **given))


def test_variables_are_listed_with_the_values_of_an_account(maya: Visitor, begun: Playbook) -> None:
    trait("seat limit")
    account("Harbourline", plan="Pro", traits={"seat limit": "12"})
    shown = text(maya.fragment(at(begun, "variables/?action=start_conversation"), "variables"))

    assert 'data-insert="{{ account.traits[&quot;seat limit&quot;] }}"' in shown
    assert "{{ sender.first_name }}" in shown
    assert "Pro" in shown
    assert '<span class="truncate">First name</span>' in shown
    assert "Account: " not in shown


# --- review -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ready(inside: Workspace) -> Playbook:
    harbourline = account("Harbourline", plan="Pro")
    account("Calyx", plan="Basic")
    assert harbourline.pk
    return drafts.begin(name="Ready", by=inside.maya, now=NOW, content=playbook_json()).playbook


def test_days_on_the_scale_stand_apart_in_their_order_and_between_the_same_ends(
    maya: Visitor, inside: Workspace
) -> None:
    note = {"action": "add_note", "config": {"body": "Soon."}}
    steps = [{"key": f"note-{day}", "day": day, **note} for day in (1, 2, 3, 30, 89, 90)]
    playbook = drafts.begin(name="Notes", by=inside.maya, now=NOW, content=playbook_json(steps=steps)).playbook
    shown = text(maya.page(at(playbook, "review/")))

    assert re.findall(r"--at: (\d+); --apart: (\d+)", shown) == [
        ("0", "0"), ("4", "8"), ("8", "16"), ("33", "33"), ("96", "92"), ("100", "100"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "reads"),
    [("assign", False), ("change_segment", False), ("update_trait", False), ("create_cta", True), ("add_note", True)],
)
def test_only_an_action_with_texts_says_how_they_read(maya: Visitor, ready: Playbook, action: str, reads: bool) -> None:
    added = maya.submit(at(ready, "actions/add/"), action=action, day="2", revision=draft_of(ready).revision)

    assert ("How it reads" in text(maya.client.get(added["Location"]))) is reads


def test_a_task_is_given_for_a_reason_the_workspace_lists(maya: Visitor, ready: Playbook) -> None:
    add_entry(Kind.REASON, name="Lost sponsor", by=maya.member, now=NOW)
    added = maya.submit(at(ready, "actions/add/"), action="create_task", day="2", revision=draft_of(ready).revision)

    assert ">Lost sponsor</option>" in text(maya.client.get(added["Location"]))


def test_review_reads_the_draft_out_and_counts_what_tonight_would_do(maya: Visitor, ready: Playbook) -> None:
    shown = text(maya.page(at(ready, "review/")))

    assert "Plan is Pro" in shown
    assert "Raise the risk “At risk”" in shown
    assert '<dt class="big-num">1</dt><dd>account gets the playbook</dd>' in shown
    assert "Harbourline" in shown
    assert "Calyx" not in shown


def test_review_says_where_a_text_lacks_a_value(maya: Visitor, inside: Workspace) -> None:
    account("Harbourline", plan="Pro", renewal_on=NOW.date())
    account("Calyx", plan="Pro")
    body = "{{ account.name }} renews on {{ account.renewal_on }}, as {{ account.trial_end_on | default: 'agreed' }}"
    note = {"key": "note", "day": 1, "action": "add_note", "config": {"body": body}}
    draft = drafts.begin(name="Notes", by=inside.maya, now=NOW, content=playbook_json(steps=[note]))

    shown = text(maya.page(at(draft.playbook, "review/")))
    assert "Account: Renewal date has no value on 1 of 2" in shown
    assert "Account: Name has no value" not in shown
    assert "Trial end" not in shown

    Account.objects.update(renewal_on=NOW.date())
    assert "All variables have a value" in text(maya.page(at(draft.playbook, "review/")))


def test_rules_say_who_has_it_and_who_gets_it_even_before_there_is_an_action(maya: Visitor, ready: Playbook) -> None:
    drafts.change(drafts.open_draft(ready), {"steps": []}, revision=None, by=ready.created_by, now=NOW)  # type: ignore[arg-type]

    shown = text(maya.page(at(ready, "rules/standing/")))

    assert '<b>0</b> <span class="muted">have or had it' in shown
    assert '<b>1</b> <span class="muted">get it at 06:00' in shown


def test_rules_say_of_how_many_they_choose_and_how_many_more_than_the_version_before(
    jonah: Visitor, ready: Playbook
) -> None:
    jonah.submit(at(ready, "publish/"), live="1", expected_count="1")
    jonah.submit(f"playbooks/{ready.pk}/edit/")
    assert "since version" not in text(jonah.page(at(ready, "rules/standing/")))

    of_any_plan = {"account": {"field": "plan", "op": "set"}, "user": None}
    drafts.change(draft_of(ready), {"rules": of_any_plan}, revision=None, by=jonah.member, now=NOW)
    shown = text(jonah.page(at(ready, "rules/standing/")))
    assert "of 2 tracked accounts" in shown
    assert "+1 since version 1" in shown


def of_pro() -> list[int]:
    return list(Account.objects.filter(plan="Pro").values_list("pk", flat=True))


def test_leaving_some_out_says_what_it_costs_even_while_the_outcome_is_unfinished(
    maya: Visitor, ready: Playbook
) -> None:
    for n in range(29):
        account(f"Pro {n}", plan="Pro")
    unfinished = {"outcome": {"name": "", "rule": None, "days": "soon"}, "holdout": 20}
    drafts.change(draft_of(ready), unfinished, revision=None, by=maya.member, now=NOW)

    assert (out := len(draw(ready, 20, [(pk, None) for pk in of_pro()]))) > 1
    shown = text(maya.page(at(ready, "rules/standing/")))
    assert f"As of now <b>{out} of 30</b> that match go without it" in shown
    assert f'<b>{30 - out}</b> <span class="muted">get it at 06:00' in shown
    drafts.change(draft_of(ready), {"holdout": "some"}, revision=None, by=maya.member, now=NOW)
    assert "nobody of the 30 that match is left out" in text(maya.page(at(ready, "rules/standing/")))
    drafts.change(draft_of(ready), {"holdout": 0}, revision=None, by=maya.member, now=NOW)
    assert '<hx-partial hx-target="#holdout-cost"></hx-partial>' in text(maya.page(at(ready, "rules/standing/")))


def test_review_says_what_it_is_for_and_whom_it_leaves_out(maya: Visitor, ready: Playbook) -> None:
    for n in range(29):
        account(f"Pro {n}", plan="Pro")
    assert "draft/rules/?outcome=1#outcome" in text(maya.page(at(ready, "review/")))
    assert is_unfolded(maya.page(at(ready, "rules/?outcome=1")))

    rule = {"field": "renewal_on", "op": "in_more_than_days", "value": 120}
    said = {"outcome": {"name": "Renewed", "rule": rule, "days": 30}, "holdout": 20}
    drafts.change(draft_of(ready), said, revision=None, by=maya.member, now=NOW)
    shown = text(maya.page(at(ready, "review/")))

    assert "Outcome: <b>Renewed</b>, when <b>renewal date is in more than 120 days</b>, within 30 days." in shown
    assert (out := len(draw(ready, 20, [(pk, None) for pk in of_pro()]))) > 1
    assert f"<b>20&nbsp;%</b> of matching accounts are left out, to compare: {out} of 30 today." in shown
    assert f'<dt class="big-num">{30 - out}</dt><dd>accounts get the playbook</dd>' in shown
    assert f'<dt class="big-num">{out}</dt><dd>are left out, to compare</dd>' in shown
    assert "Choose an outcome" not in shown


def test_unfinished_rules_say_nothing_of_who_gets_it(maya: Visitor, begun: Playbook) -> None:
    assert "get it" not in text(maya.page(at(begun, "rules/standing/")))


def test_problems_lead_to_the_page_that_mends_them(maya: Visitor, begun: Playbook) -> None:
    key = add(maya, begun, "create_indicator")
    shown = text(maya.page(at(begun, "review/")))

    assert f"draft/actions/?check=1&amp;step={key}" in shown
    assert "draft/rules/?check=1" in shown
    assert "This field is required" in text(maya.page(at(begun, f"actions/?check=1&step={key}")))


def test_every_problem_says_which_field_it_is_about(maya: Visitor, begun: Playbook) -> None:
    task = {"title": "Call", "due_in_days": "soon"}
    drafts.change(
        draft_of(begun),
        {
            "reenrollment": {"policy": "at_most", "days": "many"},
            "outcome": {"name": "Renewed", "rule": {"field": "mrr", "op": "more", "value": 1}, "days": 0},
            "holdout": 51,
            "brake_limit": "lots",
            "steps": [
                {"key": "nps", "day": 0, "action": "show_nps", "config": {"for_days": "a week"}},
                {"key": "cta", "day": 5, "action": "create_cta", "config": {"name": "Renew", "tasks": [task]}},
                {"key": "note", "anchor": {"field": "renewal_on", "days": "soon"}, "action": "add_note", "config": {}},
                {"key": "risk", "day": 9, "action": "create_indicator", "config": {"title": "Risk"}} | ASKED,
            ],
        },
        revision=None,
        by=maya.member,
        now=NOW,
    )

    shown = text(maya.page(at(begun, "review/")))
    for name in (
        "Applied again, once in this many days",
        "Outcome, within how many days",
        "Outcome, leave out",
        "Brake",
        "Day 0, Show an NPS survey: Day",
        "Day 0, Show an NPS survey: Days offered",
        "Day 5, Create a CTA: Tasks, 1, due in days",
        "Add a note: Days",
        "Day 9, Create an indicator: Days without an answer",
    ):
        assert f"<b>{name}.</b>" in shown, name
    assert text(maya.page(at(begun, "rules/?check=1"))).count('id="days-error"') == 1
    assert "<b>Days without an answer.</b>" in text(maya.page(at(begun, "actions/?check=1&step=risk")))


def test_the_brake_is_mended_where_it_is_asked_for(maya: Visitor, ready: Playbook) -> None:
    maya.submit(at(ready, "review/"), brake_limit="lots", autosave="1")

    shown = text(maya.page(at(ready, "review/?check=1")))
    assert f"/{at(ready, 'review/')}?check=1#id_brake_limit" in shown
    assert 'aria-invalid="true"' in shown
    onward = maya.submit(at(ready, "overview/"), name="Low adoption", next="rules")
    assert onward["Location"].endswith(at(ready, "rules/"))


def test_managers_draft_and_admins_set_live_with_the_number_they_saw(
    maya: Visitor, jonah: Visitor, ready: Playbook
) -> None:
    assert "An admin sets it live" in text(maya.page(at(ready, "review/")))
    assert maya.submit(at(ready, "publish/"), live="1", expected_count="1").status_code == 403

    jonah.submit(at(ready, "publish/"), live="1", expected_count="1", brake_limit="30")
    ready.refresh_from_db()
    assert (ready.status, ready.expected_count) == ("live", 1)
    assert ready.version is not None
    assert ready.version.definition["brake_limit"] == 30
    assert ready.version.draft is None


def test_an_unfinished_draft_cannot_go_live(jonah: Visitor, begun: Playbook) -> None:
    assert jonah.submit(at(begun, "publish/"), live="1", expected_count="0").status_code == 422

    begun.refresh_from_db()
    assert begun.status == "draft"


def test_a_live_playbook_is_edited_as_a_draft_and_stays_as_it_is_until_published(
    maya: Visitor, jonah: Visitor, inside: Workspace
) -> None:
    playbook = live(playbook_json(), by=inside.jonah, now=NOW)
    maya.submit(f"playbooks/{playbook.pk}/edit/")
    maya.submit(at(playbook, "overview/"), name="Renamed", revision="0", go="review")
    playbook.refresh_from_db()
    assert playbook.name == "Rescue"
    assert "Publish version 2" in text(jonah.page(at(playbook, "review/")))

    jonah.submit(at(playbook, "publish/"))
    playbook.refresh_from_db()
    assert playbook.version is not None
    assert (playbook.name, playbook.version.number, playbook.status) == ("Renamed", 2, "live")


def test_discarding_the_only_draft_takes_the_playbook_with_it(maya: Visitor, begun: Playbook) -> None:
    maya.submit(at(begun, "discard/"))

    assert not Playbook.objects.filter(pk=begun.pk).exists()


def test_who_only_works_with_playbooks_cannot_open_the_wizard(inside: Workspace, begun: Playbook) -> None:
    priya = Visitor(inside.priya)

    assert priya.page(at(begun, "overview/")).status_code == 403
    assert priya.submit("playbooks/new/", name="Mine").status_code == 403
    assert "New playbook" not in text(priya.page("playbooks/"))


def test_another_workspaces_draft_is_a_404(begun: Playbook, halyard: Workspace) -> None:
    stranger = Visitor(halyard.jonah)

    for part in ("overview/", "rules/", "actions/", "review/", "variables/"):
        assert stranger.page(at(begun, part)).status_code == 404
    with tenant_context(halyard.tenant.pk):
        assert not Playbook.objects.exists()


def test_conditions_inside_an_action_are_built_by_their_own_buttons_and_kept(maya: Visitor, begun: Playbook) -> None:
    key = add(maya, begun, "show_nps")
    path = at(begun, f"actions/?step={key}")
    shown = maya.submit(path, show_to="matching", **{"filters:mode": "all", "filters:edit": "add "})
    assert shown.status_code == 200
    assert "Search fields" in text(shown)

    given = {"filters:mode": "all", "filters:0:field": "role", "filters:0:op": "is", "filters:0:value": "owner"}
    maya.submit(path, show_to="matching", **given)
    assert content(begun)["steps"][0]["config"]["filters"] == {"all": [{"field": "role", "op": "is", "value": "owner"}]}
    assert 'value="owner"' in text(maya.page(path))


def test_the_number_of_queries_does_not_grow_with_the_actions(
    maya: Visitor, inside: Workspace, django_assert_max_num_queries: Any
) -> None:
    steps = [raise_risk(n, key=f"r-{n}", title="Call {{ account.name }}") for n in range(1, 31)]
    draft = drafts.begin(name="Long", by=inside.maya, now=NOW, content=playbook_json(steps=steps))

    with django_assert_max_num_queries(45):
        maya.page(at(draft.playbook, "actions/"))


@pytest.mark.parametrize("part", ["actions/", "review/"])
def test_what_several_actions_look_up_is_asked_for_once(maya: Visitor, inside: Workspace, part: str) -> None:
    trait("stage")
    Segment.objects.create(scope="account", name="Renewal", created_at=NOW)
    kinds = ("update_trait", "change_segment", "assign", "create_cta", "create_task", "start_conversation")

    def queries(copies: int) -> int:
        steps = [
            {"key": f"{kind}-{n}", "day": n, "action": kind, "config": action_for(kind).sample}
            for kind in kinds
            for n in range(1, copies + 1)
        ]
        draft = drafts.begin(name="Long", by=inside.maya, now=NOW, content=playbook_json(f"k{copies}", steps=steps))
        maya.page(at(draft.playbook, part))
        with CaptureQueriesContext(connection) as captured:
            maya.page(at(draft.playbook, part))
        return len(captured)

    assert queries(5) == queries(1)
