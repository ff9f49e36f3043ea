"""A CTA on each of many accounts: whose it is, when it is due, and what the undo takes back."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.bulk.verbs import bulk_verbs
from accounts.models import TimelineEntry
from cs_platform.jobs.models import JobError
from cs_platform.workspace.holidays import add_holiday
from cs_platform.workspace.models import Notification
from ctas.bulk.opening import NOBODY, WORKED_ON
from ctas.lists import Kind, edit_entry
from ctas.models import Cta
from ctas.opening import comment_on
from tests.accounts.bulk.test_verbs import edit, undo
from tests.world import MONDAY, Workspace, account, on

CALL = {"name": "Call about the outage", "type": "risk", "priority": "high", "owner": "csm", "days": "3"}


def errors(config: dict[str, Any]) -> dict[str, Any]:
    return dict(bulk_verbs()["open_cta"].form(config).errors)


def test_each_account_gets_one_that_is_its_csms_and_due_counted_from_today(space: Workspace) -> None:
    one, two = account("A", csm=space.tom), account("B")
    job = edit(space, "open_cta", CALL, one, two)
    made = Cta.objects.get(account=one)

    assert (job.title, job.result) == ("Create the CTA “Call about the outage”", {"changed": 2})
    assert (made.owner, made.type, made.priority, made.status) == (space.tom, "risk", "high", "open")
    assert made.due_on == MONDAY.date() + timedelta(days=3)
    assert made.created_by == f"job:{job.pk}"
    assert Cta.objects.get(account=two).owner is None
    told = TimelineEntry.objects.get(account=one)
    assert (told.kind, told.text, told.subject) == ("cta.opened", f"CTA opened: {made.name}", f"cta:{made.pk}")


@pytest.mark.parametrize(("more", "due_on"), [({}, on(10)), ({"on_weekends": "on"}, on(7))])
def test_it_is_due_on_a_working_day_unless_any_day_will_do(
    space: Workspace, more: dict[str, str], due_on: date
) -> None:
    """Five days after Monday is a Saturday, and the Monday after it is a holiday."""
    add_holiday(on=on(9), name="Founders' day", by=space.jonah, now=MONDAY)
    edit(space, "open_cta", CALL | {"days": "5"} | more, account("A"))

    assert Cta.objects.get().due_on == due_on


def test_whoever_owns_some_of_them_is_told_once_and_whoever_asked_for_them_is_not(space: Workspace) -> None:
    for name in ("A", "B"):
        account(name, csm=space.tom)
    account("C", csm=space.priya)
    edit(space, "open_cta", CALL, query="")

    notice = Notification.objects.exclude(subject__startswith="job:").get()
    assert (notice.member, notice.text) == (space.tom, "2 CTAs are yours now, the first: Call about the outage")


def test_an_account_that_has_an_open_one_of_this_name_can_be_left_out(space: Workspace) -> None:
    one = account("A")
    edit(space, "open_cta", CALL, one)
    again = edit(space, "open_cta", CALL | {"skip": "on"}, one, account("B"))
    twice = edit(space, "open_cta", CALL, one)

    assert [again.result, twice.result] == [{"changed": 1}, {"changed": 1}]
    assert Cta.objects.filter(account=one).count() == 2


def test_of_accounts_it_reads_who_they_belong_to_and_no_more(space: Workspace) -> None:
    accounts = [account(name, csm=space.tom) for name in "AB"]
    with CaptureQueriesContext(connection) as asked:
        edit(space, "open_cta", CALL, *accounts)

    read = [one["sql"] for one in asked if one["sql"].startswith("SELECT") and '"csm_id"' in one["sql"]]
    assert len(read) == 1
    assert '"accounts_account"."name"' not in read[0]
    assert "traits" not in read[0]


def test_the_undo_archives_those_nobody_has_begun_with(space: Workspace) -> None:
    untouched, edited, closed, tasked, discussed = (account(name) for name in "ABCDE")
    job = edit(space, "open_cta", CALL, untouched, edited, closed, tasked, discussed)
    ctas = {cta.account_id: cta for cta in Cta.objects.select_related("account")}
    Cta.objects.filter(account=edited).update(touched_at=MONDAY)
    ctas[closed.pk].close(status="won", by=space.tom, now=MONDAY)
    ctas[tasked.pk].add_task(title="Dial", by=space.tom, now=MONDAY)
    comment_on(ctas[discussed.pk], body="Wait", by=space.tom, now=MONDAY)
    undone = undo(job, space)

    assert set(Cta.objects.present().values_list("account__name", flat=True)) == set("BCDE")
    assert undone.failed == 4
    assert set(JobError.objects.filter(job=undone).values_list("message", flat=True)) == {WORKED_ON}
    assert TimelineEntry.objects.filter(account=untouched, kind="cta.archived").exists()


def test_archived_accounts_and_those_without_the_owner_a_type_needs_are_refused(space: Workspace) -> None:
    edit_entry(Kind.TYPE, "risk", to_create=["owner"], by=space.jonah, now=MONDAY)
    job = edit(space, "open_cta", CALL, account("A", archived_at=MONDAY), account("B"))

    assert not Cta.objects.exists()
    refused = JobError.objects.filter(job=job).order_by("position").values_list("message", flat=True)
    assert list(refused) == ["The account is archived.", NOBODY.format(role="CSM")]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"type": "unheard-of"}, "type"),
        ({"owner": "999999"}, "owner"),
        ({"days": "-1"}, "days"),
        ({"reason": "unheard-of"}, "reason"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(space: Workspace, wrong: dict[str, Any], field: str) -> None:
    assert list(errors(CALL | wrong)) == [field]


def test_what_a_type_asks_for_is_asked_for_here_too(space: Workspace) -> None:
    edit_entry(Kind.TYPE, "risk", to_create=["due_on", "comment"], by=space.jonah, now=MONDAY)

    assert set(errors(CALL | {"days": ""})) == {"days", "comment"}
