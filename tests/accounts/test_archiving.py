"""What somebody archives leaves lists and rules, its playbooks by choice, and comes back whole."""

import pytest

from accounts.archiving import archive, restore
from accounts.ingest.upsert import Item, upsert_accounts
from accounts.models import Account, EndUser, Indicator, TimelineEntry
from accounts.table.lists import ACCOUNTS, USERS
from playbooks.models import ActionRun, Enrollment
from tests.accounts.bulk.test_verbs import edit, undo
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, days, live, playbook_json, raise_risk, tick, user


def put_away(one: Account | EndUser, home: Workspace, *, stop: bool = False) -> list[int]:
    listing = ACCOUNTS if isinstance(one, Account) else USERS
    return archive(listing, [one.pk], stop=stop, tenant=home.tenant, by=home.priya.actor, now=MONDAY)


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account("Harbourline", plan="Pro")


@pytest.fixture
def under_way(inside: Workspace, harbour: Account) -> Enrollment:
    steps = [raise_risk(1), raise_risk(2, key="later", title="Later")]
    return apply_now(live(playbook_json(steps=steps)), harbour, now=MONDAY)


def test_it_leaves_the_list_and_its_page_says_who_put_it_away(priya: Visitor, harbour: Account) -> None:
    answer = priya.submit(f"accounts/{harbour.pk}/archive/")
    shown = text(priya.page(f"accounts/{harbour.pk}/"))

    assert answer["Location"] == priya.at("accounts/")
    assert "Harbourline</a>" not in text(priya.page("accounts/?view=all"))
    assert "by Priya Raman." in shown
    assert "Account archived" in shown
    assert "Harbourline</a>" in text(priya.page("accounts/?archived=yes"))


def test_restored_it_is_there_with_all_it_had(priya: Visitor, inside: Workspace, harbour: Account) -> None:
    user("Ben Novak", harbour)
    put_away(harbour, inside)
    priya.submit(f"accounts/{harbour.pk}/restore/")

    assert "Ben Novak" in text(priya.page(f"accounts/{harbour.pk}/"))
    harbour.refresh_from_db()
    assert (harbour.archived_at, harbour.archived_by) == (None, "")
    assert [one.kind for one in TimelineEntry.objects.order_by("pk")] == ["account.archived", "account.restored"]


def test_twice_is_once(inside: Workspace, harbour: Account) -> None:
    assert [put_away(harbour, inside), put_away(harbour, inside)] == [[harbour.pk], []]
    by = inside.tom.actor
    assert [restore(ACCOUNTS, [harbour.pk], by=by, now=MONDAY) for _ in range(2)] == [[harbour.pk], []]


def test_a_user_leaves_their_list_and_is_told_of_at_their_accounts(priya: Visitor, harbour: Account) -> None:
    ben = user("Ben Novak", harbour)
    priya.submit(f"users/{ben.pk}/archive/")

    assert "Ben Novak</a>" not in text(priya.page("users/?view=all"))
    assert "Ben Novak archived" in text(priya.page(f"accounts/{harbour.pk}/"))
    assert "Restore" in text(priya.page(f"users/{ben.pk}/"))


def test_an_observer_can_do_neither(inside: Workspace, harbour: Account) -> None:
    omar = Visitor(inside.omar)

    assert [omar.submit(f"accounts/{harbour.pk}/{verb}/").status_code for verb in ("archive", "restore")] == [403, 403]


# --- playbooks --------------------------------------------------------------------------------------------------------


def test_what_becomes_of_playbooks_is_asked_where_there_are_any(
    priya: Visitor, harbour: Account, under_way: Enrollment
) -> None:
    asked = text(priya.fragment(f"accounts/{harbour.pk}/archive/", "dialog"))
    unanswered = priya.submit(f"accounts/{harbour.pk}/archive/")

    assert "1 playbook is under way here: Rescue." in asked
    assert (unanswered.status_code, "Say what becomes of the playbooks" in text(unanswered)) == (422, True)


def test_stopped_they_take_back_what_they_did(priya: Visitor, harbour: Account, under_way: Enrollment) -> None:
    priya.submit(f"accounts/{harbour.pk}/archive/", playbooks="stop")
    under_way.refresh_from_db()

    assert (under_way.state, under_way.stop_note) == ("stopped", "Archived")
    assert not Indicator.objects.filter(state=Indicator.State.ACTIVE).exists()


def test_left_alone_they_skip_what_comes_due_meanwhile(priya: Visitor, harbour: Account, under_way: Enrollment) -> None:
    priya.submit(f"accounts/{harbour.pk}/archive/", playbooks="leave")
    tick(now=MONDAY + days(1))
    later = ActionRun.objects.get(step__key="later")

    assert (later.state, later.reason) == ("skipped", "The account is archived.")
    assert Indicator.objects.get(state=Indicator.State.ACTIVE).title == "At risk"


def test_no_rule_finds_it(inside: Workspace, harbour: Account) -> None:
    put_away(harbour, inside)
    live(playbook_json())
    tick(now=MONDAY + days(1))

    assert not Enrollment.objects.exists()


# --- what else touches it ---------------------------------------------------------------------------------------------


def test_what_integrations_tell_of_it_is_kept_and_it_stays_away(inside: Workspace, harbour: Account) -> None:
    put_away(harbour, inside)
    item = Item(harbour.external_id, {"plan": "Scale"})
    upsert_accounts([item], tenant=inside.tenant, by=inside.priya, now=MONDAY)
    harbour.refresh_from_db()

    assert (harbour.plan, harbour.archived_by) == ("Scale", inside.priya.actor)
    assert harbour.archived_at is not None


@pytest.mark.parametrize("playbooks", ["stop", "leave"])
def test_many_are_archived_by_a_job_and_its_undo_restores_them(
    inside: Workspace, harbour: Account, under_way: Enrollment, playbooks: str
) -> None:
    calyx = account("Calyx")
    job = edit(inside, "archive", {"playbooks": playbooks}, harbour, calyx)
    under_way.refresh_from_db()
    assert (job.result, Account.objects.present().count()) == ({"changed": 2}, 0)
    assert under_way.state == ("stopped" if playbooks == "stop" else "active")

    restore(ACCOUNTS, [calyx.pk], by=inside.tom.actor, now=MONDAY)
    undone = undo(job, inside)
    assert (undone.failed, Account.objects.present().count()) == (1, 2)


def test_those_of_the_list_of_archived_ones_are_restored_together(inside: Workspace, harbour: Account) -> None:
    account("Calyx")
    put_away(harbour, inside)
    job = edit(inside, "restore", {}, query="archived=yes")
    assert (job.result, Account.objects.present().count()) == ({"changed": 1}, 2)

    undo(job, inside)
    assert Account.objects.exclude(archived_at=None).get() == harbour
