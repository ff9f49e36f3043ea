"""Drafts, the objectives of plans that have not begun, are in no list, no count and no rule, until they begin."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.http import QueryDict

from accounts.models import Account
from actions.base import Applied
from cs_platform.tenancy.context import tenant_context
from ctas.cockpit import Asked, Tab, load_counts, load_page
from ctas.columns import CtaColumns
from ctas.models import Cta, Task
from ctas.own_days import OwnDays
from tests import world
from tests.actions.world import play
from tests.ctas.test_fields import matching
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace

NOW = MONDAY
YESTERDAY = NOW.date() - timedelta(days=1)


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def draft(orbiton: Workspace) -> Cta:
    return draft_of(world.account(csm=orbiton.priya), orbiton)


def draft_of(account: Account, space: Workspace) -> Cta:
    made = {"created_at": NOW, "created_by": space.priya.actor, "owner": space.priya, "due_on": YESTERDAY}
    cta = Cta.objects.create(account=account, name="Route planning live", type="objective", status="draft", **made)
    Task.objects.create(cta=cta, title="Agree the depots", **made)
    return cta


def test_a_draft_is_neither_open_nor_closed(draft: Cta) -> None:
    for rows in (
        Cta.objects.open(),
        Cta.objects.closed(),
        Cta.objects.awake(NOW.date()),
        Cta.objects.snoozed(YESTERDAY),
    ):
        assert not rows.exists()
    assert list(Cta.objects.draft()) == [draft]


def test_no_tab_of_the_cockpit_lists_or_counts_a_draft_or_its_tasks(orbiton: Workspace, draft: Cta) -> None:
    for tab in set(Tab) - {Tab.CONVERSATIONS}:
        asked = Asked.of(QueryDict(f"tab={tab}&q=a"))
        assert load_page(asked, member=orbiton.priya, today=OwnDays(NOW.date())).groups == [], tab
    assert set(load_counts(Asked(), member=orbiton.priya, today=OwnDays(NOW.date())).values()) == {0}


def test_pages_and_columns_of_accounts_do_not_show_a_draft(orbiton: Workspace, draft: Cta) -> None:
    columns = CtaColumns()

    assert draft.name not in text(Visitor(orbiton.priya).page(f"accounts/{draft.account_id}/"))
    assert columns.cells(columns.columns(), [draft.account], now=NOW, here="") == {}


@pytest.mark.parametrize("field", ["open_ctas", "open_ctas:objective", "overdue_ctas"])
def test_rules_count_no_draft(orbiton: Workspace, draft: Cta, field: str) -> None:
    assert matching(orbiton, {"field": field, "op": "more", "value": 0}) == set()

    Cta.objects.begin()
    assert matching(orbiton, {"field": field, "op": "more", "value": 0}) == {draft.account.name}


def test_rules_know_no_next_date_from_a_draft(orbiton: Workspace, draft: Cta) -> None:
    assert matching(orbiton, {"field": "next_cta_due_on", "op": "set"}) == set()


def test_a_draft_is_no_duplicate_of_what_a_playbook_opens(orbiton: Workspace, draft: Cta) -> None:
    Cta.objects.update(type="lifecycle", reason="Renewal")

    played = play("create_cta", {"name": draft.name, "type": "lifecycle", "reason": "Renewal"}, draft.account)

    (result,) = played.results
    assert isinstance(result, Applied)
    assert (result.receipt["joined"], Cta.objects.open().count()) == (False, 1)


def test_a_draft_is_worked_on_in_its_drawer_but_neither_closed_nor_snoozed(orbiton: Workspace, draft: Cta) -> None:
    drawer = text(Visitor(orbiton.priya).fragment(f"ctas/{draft.pk}/", "drawer"))

    assert "Add a task to this CTA" in drawer
    assert not any(word in drawer for word in ("Close CTA", "Reopen CTA", "Snooze"))
    assert not draft.close(status="won", by=orbiton.priya, now=NOW)
    assert not draft.reopen(by=orbiton.priya, now=NOW)
    assert not draft.snooze(until=NOW.date() + timedelta(days=1), by=orbiton.priya, now=NOW)
    assert draft.edit(due_on=NOW.date(), by=orbiton.priya, now=NOW)


def test_nobody_closes_a_cta_as_a_draft(draft: Cta, orbiton: Workspace) -> None:
    with pytest.raises(ValueError, match="won, lost or cancelled"):
        draft.close(status="draft", by=orbiton.priya, now=NOW)
    assert 'value="draft"' not in text(Visitor(orbiton.priya).fragment(f"ctas/{draft.pk}/close/", "dialog"))


def test_beginning_and_withdrawing_is_work_of_nobody(orbiton: Workspace, draft: Cta) -> None:
    assert (Cta.objects.begin(), Cta.objects.begin()) == (1, 0)
    assert (Cta.objects.get().status, Cta.objects.get().touched_at) == ("open", None)

    Cta.objects.get().snooze(until=NOW.date() + timedelta(days=9), by=orbiton.priya, now=NOW)
    assert (Cta.objects.withdraw(), Cta.objects.withdraw()) == (1, 0)
    assert (Cta.objects.get().status, Cta.objects.get().snoozed_until) == ("draft", None)
