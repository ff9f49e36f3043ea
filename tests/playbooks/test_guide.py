"""The guide to playbooks, sentence by sentence: what it says of the product is true of it, with a test named for each.

Its own example, built in the wizard and run to its end, is in tests/browser/test_wizard.py. One sentence holds in other
words: the "3rd day" of that example is our day 4 (docs/playbooks.md).
"""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.ingest.draining import drain
from accounts.models import (
    Account,
    Conversation,
    DataSource,
    EventCount,
    Indicator,
    NpsSurvey,
    Segment,
    TimelineEntry,
)
from accounts.nps.eligibility import may_be_asked
from actions.registry import ACTIONS
from cs_platform.chaos.hooks import TAKE, MoodyHooks
from cs_platform.connectors.managing import connect
from cs_platform.demo.days import deliver_to_nobody
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from ctas.models import Task
from playbooks.models import Enrollment, Playbook
from playbooks.undo import request_stop
from tests.visitor import Visitor, text
from tests.world import (
    Workspace,
    account,
    apply_now,
    days,
    enrolled,
    evaluate,
    live,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
)

TODAY = datetime.now(UTC).replace(hour=12)
NOW = TODAY - days({0: 3, 6: 2}.get(TODAY.weekday(), 1))  # the last working day, at an hour at which messages leave
PRO = {"field": "plan", "op": "is", "value": "Pro"}
MAIL = {"sender": "csm", "subject": "Hello {{ user.first_name }}", "body": "From {{ csm.name }} to {{ account.name }}"}


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    found = account("Harbourline", plan="Pro", csm=inside.priya, mrr_cents=100_00)
    user("Ines Falk", found, role="owner")
    return found


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


def step(action: str, day: int = 1, *, key: str = "", **config: Any) -> dict[str, Any]:
    return {"key": key or action.replace("_", "-"), "day": day, "action": action, "config": config}


def played(*steps: dict[str, Any], at: Account, until: int = 0, **parts: Any) -> Enrollment:
    """Applied now by its rules, and everything done that is due in so many days."""
    playbook = live(playbook_json(steps=list(steps), **parts), now=NOW)
    evaluate(at.tenant, now=NOW)
    tick(now=NOW, deliver=deliver_to_nobody)
    if until:
        tick(now=NOW + days(until), deliver=deliver_to_nobody)
    return enrolled(playbook, at)


# --- overview ---------------------------------------------------------------------------------------------------------


def test_a_series_of_actions_is_performed_on_accounts_that_meet_certain_requirements(harbourline: Account) -> None:
    calyx = account("Calyx", plan="Basic")
    task, mail = step("create_task", title="Call them", owner="csm"), step("start_conversation", **MAIL)
    played(raise_risk(), task, mail, at=harbourline)

    assert Indicator.objects.filter(account=harbourline).exists()
    assert Task.objects.filter(cta__account=harbourline, title="Call them").exists()
    assert Conversation.objects.filter(account=harbourline).exists()
    assert not Enrollment.objects.filter(account=calyx).exists()


def test_actions_are_performed_on_users_that_meet_certain_requirements(harbourline: Account) -> None:
    user("Tom Other", harbourline)
    rules = {"user": {"field": "role", "op": "is", "value": "owner"}}
    live(playbook_json(audience="users", rules=rules, steps=[step("start_conversation", **MAIL)]), now=NOW)
    evaluate(harbourline.tenant, now=NOW)
    tick(now=NOW)

    assert [one.to_email for one in Conversation.objects.all()] == ["ines.falk@customer.example"]


def test_each_action_is_applied_on_a_schedule_counted_from_when_the_playbook_was_first_activated(
    harbourline: Account,
) -> None:
    enrollment = played(raise_risk(1), raise_risk(3, key="later"), raise_risk(10, key="last"), at=harbourline)

    due = [run.due_on - enrollment.activated_on for run in enrollment.runs.order_by("position") if run.due_on]
    assert due == [days(0), days(2), days(9)]


def test_a_renewal_playbook_is_applied_ten_days_before_and_acts_on_its_days(harbourline: Account) -> None:
    Account.objects.filter(pk=harbourline.pk).update(renewal_on=NOW.date() + days(10))
    rules = {"account": {"field": "renewal_on", "op": "within_next_days", "value": 10}}
    mail, task = step("start_conversation", **MAIL), step("create_task", 4, title="Review their usage", owner="csm")

    played(mail, task, at=harbourline, rules=rules)
    assert Conversation.objects.filter(account=harbourline, to_email="ines.falk@customer.example").exists()
    assert not Task.objects.exists()
    tick(now=NOW + days(4), deliver=deliver_to_nobody)
    assert Task.objects.get().owner == harbourline.csm
    states = list(Enrollment.objects.get().runs.order_by("position").values_list("state", "reason"))
    assert states == [("applied", ""), ("applied", "")]


# --- creating ---------------------------------------------------------------------------------------------------------


def test_playbooks_are_found_under_settings(jonah: Visitor) -> None:
    assert 'href="/w/orbiton/playbooks/"' in text(jonah.page("settings/"))
    assert "New playbook" in text(jonah.page("playbooks/"))


def test_playbooks_are_found_via_quick_jump(jonah: Visitor) -> None:
    found = text(jonah.fragment("jump/?q=playbooks", "jump-list"))
    assert 'href="/w/orbiton/playbooks/"' in found


def test_creating_is_broken_up_into_four_steps(jonah: Visitor) -> None:
    address = jonah.submit("playbooks/new/", name="Mine")["Location"]
    shown = text(jonah.client.get(address))

    at = [shown.index(f"<b>{title}</b><small>") for title in ("Overview", "Rules", "Actions", "Review")]
    assert at == sorted(at)


def test_one_moves_through_the_steps_by_back_and_next_or_by_clicking_one(jonah: Visitor) -> None:
    jonah.submit("playbooks/new/", name="Mine")
    at = f"playbooks/{Playbook.objects.get().pk}/draft"
    shown = text(jonah.page(f"{at}/rules/"))

    assert all(f'href="/w/orbiton/{at}/{part}/"' in shown for part in ("overview", "rules", "actions", "review"))
    assert 'name="go" value="overview"' in shown
    assert jonah.submit(f"{at}/rules/", go="overview")["Location"] == f"/w/orbiton/{at}/overview/"
    assert 'name="next" value="rules"' in text(jonah.page(f"{at}/overview/"))
    onward = jonah.submit(f"{at}/overview/", name="Mine", target="tracked", audience="accounts", next="rules")
    assert onward["Location"] == f"/w/orbiton/{at}/rules/"


def test_a_name_identifies_it_and_a_category_keeps_it_organized(jonah: Visitor) -> None:
    live(playbook_json(name="Rescue them", category="Adoption"), now=NOW)
    shown = text(jonah.page("playbooks/"))

    assert shown.index("Adoption <span") < shown.index("Rescue them")


def test_a_category_is_optional(jonah: Visitor) -> None:
    playbook = live(playbook_json(category="", name="Without one"), now=NOW)

    assert playbook.status == "live"
    assert "Without one" in text(jonah.page("playbooks/"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [("tracked", {"Paying", "Trying"}), ("subscribed", {"Paying"}), ("trialing", {"Trying"})],
)
def test_it_applies_to_all_tracked_accounts_that_match_or_just_subscribed_or_trialing_ones(
    inside: Workspace, target: str, expected: set[str]
) -> None:
    for name, lifecycle in (("Paying", "subscribed"), ("Trying", "trialing"), ("Gone", "churned")):
        account(name, plan="Pro", lifecycle=lifecycle)
    live(playbook_json(target=target), now=NOW)
    evaluate(inside.tenant, now=NOW)

    assert set(Enrollment.objects.values_list("account__name", flat=True)) == expected


@pytest.mark.parametrize("audience", ["accounts", "users"])
def test_only_actions_that_are_valid_for_the_audience_are_offered(jonah: Visitor, audience: str) -> None:
    """The guide says that many are valid for accounts only. Here they are done on the user's account."""
    jonah.submit("playbooks/new/", name="Mine")
    at = f"playbooks/{Playbook.objects.get().pk}/draft"
    jonah.submit(f"{at}/overview/", name="Mine", target="tracked", audience=audience)
    shown = text(jonah.page(f"{at}/actions/"))

    offered = [action for action in ACTIONS if f'name="action" value="{action.key}"' in shown]
    assert offered == [action for action in ACTIONS if audience in action.audiences]
    assert "set_up_tasks" not in [action.key for action in offered]


def test_variables_are_added_from_the_toolbar_of_the_description(jonah: Visitor, harbourline: Account) -> None:
    jonah.submit("playbooks/new/", name="Mine")
    at = f"playbooks/{Playbook.objects.get().pk}/draft"
    assert 'data-variables-for="id_description"' in text(jonah.page(f"{at}/overview/"))

    offered = text(jonah.fragment(f"{at}/variables/", "variables"))
    assert 'data-insert="{{ account.name }}"' in offered
    assert 'data-insert="{{ csm.first_name }}"' in offered
    jonah.submit(f"{at}/overview/", name="Mine", target="tracked", audience="users")
    assert 'data-insert="{{ user.first_name }}"' in text(jonah.fragment(f"{at}/variables/", "variables"))


def test_the_description_is_compiled_with_the_matching_account_wherever_it_is_shown(
    jonah: Visitor, harbourline: Account
) -> None:
    enrollment = played(raise_risk(), at=harbourline, description="Talk to {{ account.name }}, {{ csm.first_name }}.")
    places = ("accounts/", f"accounts/{harbourline.pk}/", f"playbooks/{enrollment.playbook_id}/enrollments/")

    for place in places:
        shown = text(jonah.page(f"{place}?history={enrollment.pk}"))
        assert "Talk to <b>Harbourline</b>, <b>Priya</b>." in shown


def test_the_description_is_compiled_with_the_matching_user(jonah: Visitor, harbourline: Account) -> None:
    rules = {"user": {"field": "role", "op": "is", "value": "owner"}}
    parts = {"audience": "users", "rules": rules, "description": "Thank {{ user.first_name }} at {{ account.name }}."}
    enrollment = played(step("start_conversation", **MAIL), at=harbourline, **parts)

    shown = text(jonah.fragment(f"playbooks/enrollments/{enrollment.pk}/", "drawer"))
    assert "Thank <b>Ines</b> at <b>Harbourline</b>." in shown


# --- rules ------------------------------------------------------------------------------------------------------------


def test_it_is_auto_applied_only_when_the_conditions_are_met(harbourline: Account) -> None:
    calyx = account("Calyx", plan="Basic")
    playbook = live(playbook_json(), now=NOW)
    evaluate(harbourline.tenant, now=NOW)
    assert set(playbook.enrollments.values_list("account_id", flat=True)) == {harbourline.pk}

    Account.objects.filter(pk=calyx.pk).update(plan="Pro")
    evaluate(harbourline.tenant, now=NOW + days(1))
    assert playbook.enrollments.count() == 2


def test_targeting_accounts_any_user_at_the_account_that_matches_the_user_rules_makes_a_match(
    harbourline: Account,
) -> None:
    calyx = account("Calyx", plan="Pro")
    user("Lena Ruiz", calyx, role="member")
    user("Ann Second", harbourline, role="member")
    rules = {"account": PRO, "user": {"field": "role", "op": "is", "value": "owner"}}

    playbook = played(raise_risk(), at=harbourline, rules=rules).playbook
    assert set(playbook.enrollments.values_list("account_id", flat=True)) == {harbourline.pk}


def test_targeting_users_account_rules_are_asked_of_the_account_and_user_rules_of_the_user(
    harbourline: Account,
) -> None:
    calyx = account("Calyx", plan="Basic")
    user("Lena Ruiz", calyx, role="owner")
    user("Ann Second", harbourline, role="member")
    rules = {"account": PRO, "user": {"field": "role", "op": "is", "value": "owner"}}
    playbook = live(playbook_json(audience="users", rules=rules), now=NOW)
    evaluate(harbourline.tenant, now=NOW)

    assert [str(one.end_user) for one in playbook.enrollments.all()] == ["Ines Falk"]


def test_actions_happen_on_a_set_schedule_once_the_rules_match(harbourline: Account) -> None:
    second = {**MAIL, "subject": "And again"}
    played(
        step("start_conversation", **MAIL),
        step("create_task", 3, title="Call them", owner="csm"),
        step("start_conversation", 10, key="again", **second),
        at=harbourline,
        until=8,
    )
    assert (Conversation.objects.count(), Task.objects.count()) == (1, 1)

    tick(now=NOW + days(9), deliver=deliver_to_nobody)
    assert Conversation.objects.filter(subject="And again").exists()


# --- seeing where it is active ----------------------------------------------------------------------------------------


def test_the_column_of_a_playbook_is_enabled_sorted_by_filtered_by_or_both(
    jonah: Visitor, harbourline: Account
) -> None:
    account("Calyx", plan="Basic")
    early = account("Early", plan="Pro")
    playbook = live(playbook_json(steps=[raise_risk(1), raise_risk(30, key="far")]), now=NOW)
    apply_now(playbook, early, now=NOW - days(3), until=NOW)
    apply_now(playbook, harbourline, now=NOW)
    column = f"playbook:{playbook.pk}"
    assert f'value="{column}"' in text(jonah.fragment("accounts/columns/", "columns"))

    def listed(query: str) -> list[str]:
        shown = text(jonah.page(f"accounts/?column=name&column={column}&{query}"))
        found = {name: shown.find(f">{name}<") for name in ("Harbourline", "Early", "Calyx")}
        return sorted((name for name in found if found[name] >= 0), key=lambda name: found[name])

    assert listed(f"sort={column}.applied")[:2] == ["Early", "Harbourline"]
    assert listed(f"sort=-{column}.applied")[:2] == ["Harbourline", "Early"]
    assert sorted(listed(f"{column}=active")) == ["Early", "Harbourline"]
    assert listed(f"{column}=active&sort={column}.applied") == ["Early", "Harbourline"]


def test_the_column_shows_the_date_applied_and_the_progress_in_per_cent(jonah: Visitor, harbourline: Account) -> None:
    enrollment = played(raise_risk(1), raise_risk(30, key="far"), at=harbourline)

    shown = text(jonah.page(f"accounts/?column=playbook:{enrollment.playbook_id}"))
    assert "50%" in shown
    assert f"{enrollment.activated_on:%-d %b}" in shown


def test_clicking_the_percentage_shows_the_history_of_actions_and_the_description(
    jonah: Visitor, harbourline: Account
) -> None:
    enrollment = played(raise_risk(title="Look at them"), at=harbourline, description="Why we do this")
    shown = text(jonah.page(f"accounts/?column=playbook:{enrollment.playbook_id}"))
    assert f"history={enrollment.pk}" in shown

    drawer = text(jonah.page(f"accounts/?history={enrollment.pk}"))
    assert "Risk raised: Look at them" in drawer
    assert "Why we do this" in drawer


def test_the_account_page_shows_active_playbooks_first_then_past_ones_each_with_its_history(
    jonah: Visitor, inside: Workspace, harbourline: Account
) -> None:
    past = apply_now(live(playbook_json("past", name="Past one"), now=NOW), harbourline, now=NOW)
    waiting = live(playbook_json("active", name="Active one", steps=[raise_risk(9)]), now=NOW)
    active = apply_now(waiting, harbourline, now=NOW)
    shown = text(jonah.page(f"accounts/{harbourline.pk}/"))

    assert "Active one" in shown
    assert "Past one" in shown
    assert shown.index(f"history={active.pk}") < shown.index(f"history={past.pk}")
    assert "Risk raised: At risk" in text(jonah.page(f"accounts/{harbourline.pk}/?history={past.pk}"))


# --- closing ----------------------------------------------------------------------------------------------------------


def test_stop_playbook_stands_below_the_progress(jonah: Visitor, harbourline: Account) -> None:
    enrollment = played(raise_risk(1), raise_risk(9, key="later"), at=harbourline)
    shown = text(jonah.page(f"accounts/?history={enrollment.pk}"))

    assert shown.index("actions done") < shown.index("Stop playbook")


def test_closing_undoes_what_was_applied(inside: Workspace, harbourline: Account) -> None:
    """Active indicators are ended, pending messages are not sent."""
    enrollment = played(raise_risk(), step("start_conversation", **MAIL, review_hours=48), at=harbourline)
    request_stop(enrollment, by=inside.jonah, now=NOW + days(1))
    tick(now=NOW + days(5))

    assert Indicator.objects.get().state == "ended"
    assert Conversation.objects.get().state == "cancelled"


def test_after_closing_nothing_further_is_applied_unless_the_whole_playbook_is_reapplied(
    inside: Workspace, harbourline: Account
) -> None:
    enrollment = played(raise_risk(1), raise_risk(5, key="later", title="Later"), at=harbourline)
    request_stop(enrollment, by=inside.jonah, now=NOW + days(1))
    evaluate(inside.tenant, now=NOW + days(2))
    tick(now=NOW + days(9))
    assert not Indicator.objects.filter(title="Later").exists()

    apply_now(enrollment.playbook, harbourline, now=NOW + days(10), until=NOW + days(20))
    assert Indicator.objects.filter(title="Later", state="active").exists()


def test_a_note_left_when_closing_is_visible_to_the_entire_team(
    jonah: Visitor, inside: Workspace, harbourline: Account
) -> None:
    enrollment = played(raise_risk(1), raise_risk(9, key="later"), at=harbourline)
    jonah.submit(f"playbooks/enrollments/{enrollment.pk}/stop/", note="They moved house")

    for member in inside.people.values():
        assert "They moved house" in text(Visitor(member).page(f"accounts/?history={enrollment.pk}"))


def test_the_note_is_optional(jonah: Visitor, harbourline: Account) -> None:
    enrollment = played(raise_risk(1), raise_risk(9, key="later"), at=harbourline)
    jonah.submit(f"playbooks/enrollments/{enrollment.pk}/stop/", note="")

    enrollment.refresh_from_db()
    assert enrollment.state == "stopped"


# --- actions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "chosen"), [("least_accounts", "tom"), ("least_revenue", "priya")])
@pytest.mark.parametrize("role", ["csm", "ae"])
def test_csms_and_aes_are_assigned_to_whoever_manages_the_fewest_accounts_or_the_least_revenue(
    inside: Workspace, role: str, method: str, chosen: str
) -> None:
    """Tom has one account that pays much; Priya has two that pay little."""
    account("Big", mrr_cents=9_000_00, **{role: inside.tom})
    for name in ("Small", "Smaller"):
        account(name, mrr_cents=50_00, **{role: inside.priya})
    fresh = account("Fresh", plan="Pro")
    members = [one.email for one in (inside.priya, inside.tom)]
    played(step("assign", role=role, method=method, members=members), at=fresh)

    fresh.refresh_from_db()
    assert getattr(fresh, role) == getattr(inside, chosen)


def test_in_round_robin_whoever_was_not_assigned_an_account_for_longest_is_next(inside: Workspace) -> None:
    """Whatever they have: Priya got the first, so Tom is next, and Priya again after him."""
    account("Big", mrr_cents=9_000_00, csm=inside.tom), account("Bigger", mrr_cents=9_000_00, csm=inside.tom)
    members = [one.email for one in (inside.priya, inside.tom)]
    playbook = live(playbook_json(steps=[step("assign", role="csm", method="round_robin", members=members)]), now=NOW)
    got = []
    for at, name in enumerate(("First", "Second", "Third", "Fourth")):
        one = account(name)
        apply_now(playbook, one, now=NOW + days(at))
        one.refresh_from_db()
        got.append(one.csm)

    assert got[:2] in ([inside.priya, inside.tom], [inside.tom, inside.priya])
    assert got[2:] == got[:2]


def test_a_conversation_is_sent_from_the_accounts_csm_with_personal_variables(harbourline: Account) -> None:
    played(step("start_conversation", **MAIL), at=harbourline)

    mail = Conversation.objects.get()
    assert (mail.sender, mail.subject, mail.body) == (harbourline.csm, "Hello Ines", "From Priya Raman to Harbourline")


@pytest.mark.parametrize("channel", ["gmail", "intercom"])
def test_an_email_is_sent_via_gmail_or_intercom(inside: Workspace, harbourline: Account, channel: str) -> None:
    """How they are spoken to is in tests/connectors."""
    if channel == "intercom":
        connect(kind="intercom", key="talk", name="Intercom", secret="dG9rOmludGVyY29t", by=inside.olga, now=NOW)
    config = {**MAIL, "channel": channel, **({"connector": "talk"} if channel == "intercom" else {})}
    played(step("start_conversation", **config), at=harbourline)

    assert Conversation.objects.get().channel == channel


def test_a_conversation_can_start_on_a_delay_so_that_the_team_reviews_and_edits_it(
    jonah: Visitor, harbourline: Account
) -> None:
    played(step("start_conversation", **MAIL, review_hours=48), at=harbourline)
    mail = Conversation.objects.get()
    assert mail.state == "pending"

    jonah.submit(f"playbooks/conversations/{mail.pk}/", subject="Better", body="Words", verb="save")
    mail.refresh_from_db()
    assert (mail.state, mail.subject) == ("pending", "Better")


def test_an_indicator_is_assigned_to_a_teammate_and_silenced_by_marking_it_as_addressed(
    inside: Workspace, harbourline: Account
) -> None:
    played(step("create_indicator", kind="risk", title="At risk", assignee="csm"), at=harbourline)
    indicator = Indicator.objects.get()
    assert indicator.assignee == inside.priya

    indicator.address(by=inside.priya, now=NOW)
    indicator.refresh_from_db()
    assert indicator.state == "addressed"


def test_accounts_are_added_to_segments(inside: Workspace, harbourline: Account) -> None:
    segment = Segment.objects.create(scope="account", name="Renewal", created_at=NOW)
    enrollment = played(step("change_segment", do="add", segment=segment.pk), at=harbourline)
    assert segment.memberships.filter(account=harbourline, left_at=None).exists()

    request_stop(enrollment, by=inside.jonah, now=NOW + days(1))
    assert not segment.memberships.filter(account=harbourline, left_at=None).exists()


def test_accounts_are_removed_from_segments(inside: Workspace, harbourline: Account) -> None:
    segment = Segment.objects.create(scope="account", name="Onboarding", created_at=NOW)
    steps = [step("change_segment", do="add", segment=segment.pk)]
    apply_now(live(playbook_json("join", steps=steps), now=NOW), harbourline, now=NOW)
    assert segment.memberships.filter(account=harbourline, left_at=None).exists()

    played(step("change_segment", do="remove", segment=segment.pk), at=harbourline)
    assert not segment.memberships.filter(account=harbourline, left_at=None).exists()


def test_tasks_are_created_for_accounts_and_assigned_to_teammates(inside: Workspace, harbourline: Account) -> None:
    played(step("create_task", title="Call {{ account.name }}", owner=f"member:{inside.tom.email}"), at=harbourline)

    task = Task.objects.get()
    assert (task.title, task.owner, task.cta.account) == ("Call Harbourline", inside.tom, harbourline)


def test_a_custom_trait_is_set_and_plan_names_are_mapped_to_their_monthly_cost(harbourline: Account) -> None:
    trait("stage")
    trait("monthly_cost", "currency")
    mapping = {"trait": "monthly_cost", "mode": "map", "source": "account.plan", "mapping": {"Pro": "250"}}
    played(set_trait_step("Hot"), step("update_trait", key="cost", **mapping), at=harbourline)

    harbourline.refresh_from_db()
    assert harbourline.traits == {"stage": "Hot", "monthly_cost": 25_000}


def test_the_nps_survey_is_only_shown_to_users_at_matching_accounts(harbourline: Account) -> None:
    calyx = account("Calyx", plan="Basic")
    lena = user("Lena Ruiz", calyx)
    played(step("show_nps", show_to="everybody"), at=harbourline)
    survey = NpsSurvey(is_on=True, requires_playbook=True, min_user_age_days=0)
    ines = harbourline.account_users.get().end_user

    asked = {"survey": survey, "now": NOW, "today": NOW.date()}
    assert may_be_asked(ines.pk, account_id=harbourline.pk, **asked)
    assert not may_be_asked(lena.pk, account_id=calyx.pk, **asked)


def test_the_survey_is_shown_to_accounts_on_an_annual_deal_that_renew_within_30_days(inside: Workspace) -> None:
    trait("contract")
    soon, late, monthly = (
        account(name, renewal_on=NOW.date() + days(ahead), traits={"contract": contract}, t01=contract)
        for name, ahead, contract in (("Soon", 20, "annual"), ("Late", 60, "annual"), ("Monthly", 20, "monthly"))
    )
    rules = {
        "account": {
            "all": [
                {"field": "trait:contract", "op": "is", "value": "annual"},
                {"field": "renewal_on", "op": "within_next_days", "value": 30},
            ]
        }
    }
    people = {one.pk: user(f"Ann {one.name}", one) for one in (soon, late, monthly)}
    played(step("show_nps", show_to="everybody"), at=soon, rules=rules)

    survey = NpsSurvey(is_on=True, requires_playbook=True, min_user_age_days=0)
    asked = {"survey": survey, "now": NOW, "today": NOW.date()}
    shown = {one.name: may_be_asked(people[one.pk].pk, account_id=one.pk, **asked) for one in (soon, late, monthly)}
    assert shown == {"Soon": True, "Late": False, "Monthly": False}


def test_groups_identifies_and_tracks_of_segment_are_synced(orbiton: Workspace) -> None:
    """As a destination of Segment, whose calls come by HTTP."""
    with tenant_context(orbiton.tenant.pk):
        _source, key = DataSource.open(name="Segment", by=orbiton.olga, now=NOW)
        write_key = {"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"}
        calls = {
            "group": {"userId": "u-1", "groupId": "acme", "traits": {"name": "Acme"}},
            "identify": {"userId": "u-1", "traits": {"name": "Ann Acme", "email": "ann@acme.example"}},
            "track": {"userId": "u-1", "event": "Signed In", "context": {"groupId": "acme"}},
        }
        for kind, body in calls.items():
            sent = Client().post(f"/v1/{kind}", body, content_type="application/json", headers=write_key)
            assert sent.status_code == 200
        drain(clock=database_now)
        tie = Account.objects.get(external_id="acme").account_users.get()
        assert tie.end_user.email == "ann@acme.example"
        assert EventCount.objects.filter(account__external_id="acme", event_type__name="Signed In").exists()


@pytest.mark.parametrize("audience", ["accounts", "users"])
def test_a_segment_track_has_the_event_the_group_and_the_playbook(
    inside: Workspace, harbourline: Account, settings: Settings, audience: str
) -> None:
    """The example: who becomes a customer is recorded in other systems, by an event whose name one defines."""
    server = MoodyHooks(hang_seconds=0.3)
    server.mood = TAKE
    settings.OUTBOUND_TRUSTED = [server.host]
    server.start()
    try:
        out = {"url": server.url, "secret": "write-key-0001"}
        connect(kind="segment", key="out", name="Segment", by=inside.olga, now=NOW, **out)
        track = step("segment_track", connector="out", event="New Vitally customer")
        rules = (
            {"account": PRO} if audience == "accounts" else {"user": {"field": "role", "op": "is", "value": "owner"}}
        )
        live(playbook_json(name="New customer playbook", audience=audience, rules=rules, steps=[track]), now=NOW)
        evaluate(inside.tenant, now=NOW)
        tick(now=NOW)
        (call,) = server.arrivals
    finally:
        server.stop()

    said = call.message
    assert (call.path, said["event"], said["groupId"]) == ("/v1/track", "New Vitally customer", harbourline.external_id)
    assert said["context"]["groupId"] == harbourline.external_id
    assert said["properties"] == {"playbook": "New customer playbook"}
    ines = harbourline.account_users.get().end_user
    assert said.get("userId") == (ines.external_id if audience == "users" else None)


def test_everything_it_does_is_told_on_the_accounts_timeline(harbourline: Account) -> None:
    played(raise_risk(), at=harbourline, name="Rescue them")

    told = TimelineEntry.objects.filter(account=harbourline).values_list("text", flat=True)
    assert "Rescue them applied" in told
