"""Home: what needs somebody today, and how their book is doing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, Conversation, HealthReading
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from ctas.opening import open_cta
from playbooks.models import ActionRun
from tests.visitor import Visitor, text
from tests.world import Workspace, account, apply_now, live, playbook_json, raise_risk, user, workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def calyx(orbiton: Workspace) -> Account:
    soon = timezone.localdate() + timedelta(days=20)
    return account("Calyx", csm=orbiton.priya, mrr_cents=100_000, renewal_on=soon, health=40.0)


def test_it_says_what_needs_me_today(orbiton: Workspace, calyx: Account) -> None:
    now, today = database_now(), timezone.localdate()
    made = {"account": calyx, "type": "risk", "owner": orbiton.priya, "by": orbiton.priya, "now": now}
    open_cta(name="Call them", due_on=today - timedelta(days=1), **made)
    open_cta(name="Not yet", due_on=today + timedelta(days=1), **made)
    done = open_cta(name="Undated", **made).add_task(title="Ring", by=orbiton.priya, now=now, owner=orbiton.priya)
    done.complete(by=orbiton.priya, now=now)
    person = user("Ines", calyx)
    draft = {"subject": "Your order", "body": "Hi", "to_email": "ines@customer.example", "sender": orbiton.priya}
    Conversation.objects.create(account=calyx, end_user=person, send_at=now, created_at=now, **draft)
    page = text(Visitor(orbiton.priya).page(""))

    assert "1 CTA needs you today, 1 renewal closes within a month, and 1 conversation waits for your review." in page
    assert "Call them" in page
    assert "Not yet" not in page
    assert "Your order" in page
    assert "<dt>Tasks done this week</dt><dd>1 <small>of 1</small></dd>" in page
    assert "<dt>ARR</dt><dd>$12k</dd>" in page
    assert "Health of my book" in page
    assert '<span class="count" id="tally-cockpit">3</span>' in page
    assert '<span class="count" id="tally-conversations">1</span>' in page
    anew = text(Visitor(orbiton.priya).fragment("notifications/count/", "bell-count"))
    assert '<hx-partial hx-target="#tally-cockpit">3</hx-partial>' in anew
    assert 'id="tally-cockpit"></span>' in text(Visitor(orbiton.tom).page(""))


def test_playbooks_show_on_renewals_and_failures_can_be_tried_again(orbiton: Workspace, calyx: Account) -> None:
    playbook = live(playbook_json(name="Renewal runway", steps=[raise_risk(1), raise_risk(5, key="later")]))
    now = database_now()
    enrollment = apply_now(playbook, calyx, now=now)
    run = ActionRun.objects.get(enrollment=enrollment, step__key="later")
    rows: Any = ActionRun.objects.filter(pk=run.pk)
    rows.update(state="running", lease_token=run.pk, lease_until=now)
    rows.update(state="dead", lease_token=None, lease_until=None, settled_at=now, reason="It failed.")
    priya = Visitor(orbiton.priya)
    page = text(priya.page(""))

    assert 'aria-label="Renewal runway: ' in page
    assert "failed on Calyx" in page
    assert f"history={enrollment.pk}" in page
    retry = f"playbooks/actions/{run.pk}/retry/"
    assert f"/w/orbiton/{retry}" in page
    assert priya.send(retry).status_code == 204
    assert "failed on Calyx" not in text(priya.page(""))


def test_a_renewal_shows_what_was_gone_through_for_it_unless_something_is_under_way(
    orbiton: Workspace, calyx: Account
) -> None:
    now, priya = database_now(), Visitor(orbiton.priya)
    begun = now - timedelta(days=100)
    long_ago = live(playbook_json("kickoff", steps=[raise_risk(1)]), now=begun)
    apply_now(long_ago, calyx, now=begun)
    assert "No playbook" in text(priya.page(""))

    apply_now(live(playbook_json("quick-look", steps=[raise_risk(1)])), calyx, now=now)
    assert 'aria-label="Quick look: 1 of 1 done"' in text(priya.page(""))
    apply_now(live(playbook_json("runway", steps=[raise_risk(1), raise_risk(9, key="later")])), calyx, now=now)
    assert 'aria-label="Runway: 1 of 2 done"' in text(priya.page(""))


def test_a_book_is_ones_own_or_the_teams(orbiton: Workspace, calyx: Account) -> None:
    account("Drumlin", csm=orbiton.tom)
    priya, omar = Visitor(orbiton.priya), Visitor(orbiton.omar)

    assert "<dt>Accounts</dt><dd>1</dd>" in text(priya.page(""))
    assert "<dt>Accounts</dt><dd>2</dd>" in text(priya.page("?book=team"))
    assert "<dt>Accounts</dt><dd>2</dd>" in text(omar.page("")), "who looks after none sees all"


def test_the_figures_say_how_far_they_moved(orbiton: Workspace, calyx: Account) -> None:
    today = timezone.localdate()
    Account.objects.filter(pk=calyx.pk).update(created_at=timezone.now() - timedelta(days=200))
    account("New", csm=orbiton.priya, mrr_cents=50_000, now=timezone.now())
    for days, value in ((30, 80.0), (1, 40.0)):
        on, is_current = today - timedelta(days=days), days == 1
        HealthReading.objects.create(account=calyx, on=on, value=value, is_current=is_current)
    page = text(Visitor(orbiton.priya).page(""))

    assert '<dt>ARR</dt><dd>$18k <small class="ok-text">+$6,000 this quarter</small></dd>' in page
    assert '<dt>At risk</dt><dd>$12k <small class="bad-text">+1 this week</small></dd>' in page


def test_an_empty_workspace_has_a_calm_page(orbiton: Workspace) -> None:
    page = text(Visitor(orbiton.olga).page(""))

    assert "Nothing needs you today." in page
    assert "Nothing is due." in page
    assert "No account renews in the next 90 days." in page


def test_a_full_page_takes_few_queries(orbiton: Workspace, calyx: Account, django_assert_max_num_queries: Any) -> None:
    playbook, now = live(playbook_json()), database_now()
    for n in range(8):
        one = account(f"Account {n}", csm=orbiton.priya, renewal_on=calyx.renewal_on, health=30.0 + n)
        apply_now(playbook, one, now=now)
        open_cta(
            account=one,
            name=f"Call {n}",
            type="risk",
            owner=orbiton.priya,
            due_on=timezone.localdate(),
            by=orbiton.priya,
            now=now,
        )
    priya = Visitor(orbiton.priya)
    priya.page("")

    with django_assert_max_num_queries(31):
        assert priya.page("").status_code == 200
