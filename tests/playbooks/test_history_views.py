"""The history drawer: what was done, what is to come, what was kept and why, and what a person may settle."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import Ability, Role, allows
from playbooks.history import load_history
from playbooks.models import ActionRun, Enrollment
from playbooks.undo import request_stop
from tests.playbooks.test_conversations import enroll, writing
from tests.visitor import Visitor, is_whole, text
from tests.world import (
    MONDAY,
    Workspace,
    account,
    apply_now,
    live,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
)

NOW = datetime.now(UTC)
DESCRIPTION = "{{ account.name }} pays {{ account.mrr }}.\n{{ csm.name }} leads; <b>bold</b>."


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    trait("stage")
    return account("Harbourline", mrr_cents=123_400)


@pytest.fixture
def runway(harbourline: Account, inside: Workspace) -> Enrollment:
    """Applied ten days ago: two actions done, one due in twenty days."""
    steps = [raise_risk(1), set_trait_step("Proposal", day=5), raise_risk(31, key="far", title="Far away")]
    playbook = live(playbook_json("runway", description=DESCRIPTION, steps=steps), by=inside.jonah, now=NOW)
    return apply_now(playbook, harbourline, now=NOW - timedelta(days=10), until=NOW)


def drawer(visitor: Visitor, enrollment: Enrollment) -> str:
    return text(visitor.fragment(f"playbooks/enrollments/{enrollment.pk}/", "drawer"))


def test_without_a_description_none_is_shown(priya: Visitor, harbourline: Account, inside: Workspace) -> None:
    later = raise_risk(31, key="far", title="Renewal of {{ account.name }}")
    playbook = live(playbook_json(steps=[raise_risk(1), later]), by=inside.jonah, now=NOW)
    shown = drawer(priya, apply_now(playbook, harbourline, now=NOW))

    assert "Renewal of Harbourline" in shown
    assert "filled in for this account" not in shown


def test_its_own_address_leads_to_the_account_with_the_drawer_open(priya: Visitor, runway: Enrollment) -> None:
    answer = priya.page(f"playbooks/enrollments/{runway.pk}/")

    assert answer["Location"] == f"/w/orbiton/accounts/{runway.account_id}/?history={runway.pk}"
    assert "Playbook history" in text(priya.client.get(answer["Location"]))


def test_progress_and_days(priya: Visitor, runway: Enrollment) -> None:
    shown = drawer(priya, runway)

    assert "66%" in shown
    assert "2 of 3 actions done" in shown
    assert f"day {11 + (datetime.now(UTC).date() - NOW.date()).days} of 31" in shown  # a run may go on past midnight
    assert all(f"<b>Day {day}</b>" in shown for day in (1, 5, 31))
    assert shown.count('<li class="done">') == 2
    assert shown.count('<li class="next">') == 1


def test_what_was_done_is_told_in_the_past_and_what_comes_as_planned(priya: Visitor, runway: Enrollment) -> None:
    shown = drawer(priya, runway)

    assert "Risk raised: At risk" in shown
    assert "Create an indicator · active</small>" in shown
    assert "Raise the risk “Far away”" in shown


def test_what_comes_is_told_with_this_accounts_values_where_they_are_known(
    priya: Visitor, harbourline: Account
) -> None:
    mail = {"sender": "csm", "subject": "Hello {{ user.first_name }}", "body": "-"}
    steps = [
        raise_risk(31, title="Talk to {{ account.name }}"),
        {"key": "mail", "day": 40, "action": "start_conversation", "config": mail},
    ]
    enrollment = apply_now(live(playbook_json("known", steps=steps), now=NOW), harbourline, now=NOW)
    shown = drawer(priya, enrollment)
    dialog = text(priya.fragment(f"playbooks/enrollments/{enrollment.pk}/stop/", "dialog"))

    for said in (shown, dialog):
        assert "Talk to Harbourline" in said
        assert 'Hello <span class="var">user.first_name</span>' in said


def test_a_day_that_was_over_before_day_one_is_shown_by_its_date(priya: Visitor, harbourline: Account) -> None:
    renewal = NOW.date() + timedelta(days=10)
    Account.objects.filter(pk=harbourline.pk).update(renewal_on=renewal)
    harbourline.refresh_from_db()
    early = {**raise_risk(key="early"), "day": None, "anchor": {"field": "renewal_on", "days": -60}}
    playbook = live(playbook_json("late", steps=[raise_risk(1), early]), now=NOW)
    shown = drawer(priya, apply_now(playbook, harbourline, now=NOW))

    assert f"<b>{renewal - timedelta(days=60):%-d %b}" in shown
    assert "<small>before day 1</small>" in shown
    assert "Day -" not in shown


def test_the_description_is_filled_in_and_stays_text(priya: Visitor, runway: Enrollment) -> None:
    shown = drawer(priya, runway)

    assert "<p><b>Harbourline</b> pays <b>1,234</b>.<br><b>–</b> leads; &lt;b&gt;bold&lt;/b&gt;.</p>" in shown
    assert "Description by Jonah Weiss" in shown


def test_after_a_stop_it_says_what_was_undone_what_was_kept_and_why(
    priya: Visitor, inside: Workspace, runway: Enrollment
) -> None:
    risk = ActionRun.objects.get(enrollment=runway, step__key="risk")
    request_stop(runway, by=inside.tom, note="Terms agreed", keep=[risk.pk], now=NOW)
    shown = drawer(priya, runway)

    assert "by Tom Lindqvist" in shown
    assert "“Terms agreed”" in shown
    assert "kept: Kept when the playbook was stopped." in shown
    assert "undone: “Stage” goes back from Proposal to not set" in shown
    assert "did not run" in shown
    assert "Stop playbook" not in shown


def test_a_skipped_action_says_why(priya: Visitor, harbourline: Account) -> None:
    never = {"field": "plan", "op": "is", "value": "Never"}
    playbook = live(playbook_json("careful", steps=[raise_risk(1, condition=never)]), now=NOW)
    shown = drawer(priya, apply_now(playbook, harbourline, now=NOW))

    assert "skipped: Its condition was not met" in shown
    assert '<li class="done skipped">' in shown
    assert '#minus"></use></svg></span>' in shown


@pytest.mark.parametrize(
    ("review_hours", "says"), [(0, "leaves tomorrow, 08:00"), (24, "in review, leaves 4 Nov, 08:00")]
)
def test_a_message_that_waits_says_when_it_leaves(
    priya: Visitor, inside: Workspace, harbourline: Account, review_hours: int, says: str
) -> None:
    night = MONDAY.replace(hour=22)
    user("Ana Harbour", harbourline, role="admin")
    Account.objects.update(csm=inside.priya)
    enrollment = enroll(writing(review_hours=review_hours, subject="News"), harbourline, now=night)
    tick(now=night)
    [day] = load_history(enrollment, now=night).days

    assert [line.outcome for line in day.lines] == [says]
    assert f"· {says.partition(' ')[0]}" in drawer(priya, enrollment)


def test_a_user_playbook_names_the_user(priya: Visitor, harbourline: Account) -> None:
    rules = {"user": {"field": "name", "op": "set"}}
    playbook = live(playbook_json("nps", audience="users", rules=rules), now=NOW)
    enrollment = apply_now(playbook, harbourline, user=user("Ines Falk", harbourline), now=NOW)

    assert "for Ines Falk on" in drawer(priya, enrollment)


def test_previous_and_next_walk_through_the_account(priya: Visitor, harbourline: Account, runway: Enrollment) -> None:
    later = apply_now(live(playbook_json("later"), now=NOW), harbourline, now=NOW)
    shown = text(priya.fragment(f"accounts/?q=x&history={runway.pk}", "drawer"))

    assert f'href="/w/orbiton/accounts/?q=x&amp;history={later.pk}"' in shown
    assert 'href="/w/orbiton/accounts/?q=x"' in shown  # close


def test_the_number_of_queries_does_not_grow_with_the_actions(
    priya: Visitor, harbourline: Account, django_assert_max_num_queries: Any
) -> None:
    steps = [raise_risk(n, key=f"k{n}", title=f"Risk {n}") for n in range(1, 20)]
    enrollment = apply_now(live(playbook_json("long", steps=steps), now=NOW), harbourline, now=NOW)

    with django_assert_max_num_queries(20):
        drawer(priya, enrollment)


# --- settling ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(runway: Enrollment) -> ActionRun:
    run = ActionRun.objects.get(enrollment=runway, step__key="far")
    ActionRun.objects.filter(pk=run.pk).update(state="running", lease_token=run.pk, lease_until=NOW)
    ActionRun.objects.filter(pk=run.pk).update(
        state="dead", lease_token=None, lease_until=None, reason="The server said no."
    )
    run.refresh_from_db()
    return run


def test_a_failed_action_says_why_and_offers_what_to_do(priya: Visitor, runway: Enrollment, failed: ActionRun) -> None:
    shown = drawer(priya, runway)

    assert "failed: The server said no." in shown
    assert all(f"/actions/{failed.pk}/{verb}/" in shown for verb in ("retry", "skip", "done"))


@pytest.mark.parametrize(("verb", "state"), [("retry", "scheduled"), ("skip", "skipped"), ("done", "applied")])
def test_a_failed_action_is_settled_once(priya: Visitor, failed: ActionRun, verb: str, state: str) -> None:
    first, second = (priya.send(f"playbooks/actions/{failed.pk}/{verb}/") for _ in range(2))

    failed.refresh_from_db()
    assert failed.state == state
    assert first.status_code == second.status_code == 204
    assert "before you" in second["HX-Trigger"]


def test_an_action_marked_as_done_reads_so(priya: Visitor, runway: Enrollment, failed: ActionRun) -> None:
    priya.submit(f"playbooks/actions/{failed.pk}/done/")

    assert "marked as done by hand" in drawer(priya, runway)


@pytest.mark.parametrize("role", Role)
def test_who_may_settle_actions(inside: Workspace, failed: ActionRun, role: Role) -> None:
    somebody = next(person for person in inside.people.values() if person.role == role)
    answer = Visitor(somebody).submit(f"playbooks/actions/{failed.pk}/skip/")

    assert (answer.status_code != 403) == allows(role, Ability.RUN_PLAYBOOKS)


def test_another_workspaces_history_is_not_there(priya: Visitor, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        foreign = apply_now(live(playbook_json(), now=NOW), account("Foreign"), now=NOW)
        run = foreign.runs.get()

    assert priya.page(f"playbooks/enrollments/{foreign.pk}/").status_code == 404
    assert priya.fragment(f"playbooks/enrollments/{foreign.pk}/", "drawer").status_code == 404
    assert priya.submit(f"playbooks/actions/{run.pk}/skip/").status_code == 404


def test_a_drawer_is_no_page(priya: Visitor, runway: Enrollment) -> None:
    assert not is_whole(priya.fragment(f"playbooks/enrollments/{runway.pk}/", "drawer"))
