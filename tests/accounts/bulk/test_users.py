"""A bulk edit of users: what one edit does, at every account they belong to, and back."""

from typing import Any

import pytest

from accounts.bulk.kind import start_bulk_edit
from accounts.bulk.selection import Selection
from accounts.bulk.verbs import bulk_verbs
from accounts.exports import start_export
from accounts.models import Account, EndUser, Segment, SegmentMembership, TimelineEntry, TraitChange
from accounts.table.lists import USERS
from cs_platform.jobs.models import Job, JobError, JobFile
from playbooks.models import Enrollment
from tests.accounts.bulk.test_verbs import run, undo
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, live, playbook_json, tick, trait, user


def edit(home: Workspace, verb: str, config: dict[str, Any], *users: EndUser, query: str | None = None) -> Job:
    form = bulk_verbs(USERS)[verb].form(config)
    assert form.is_valid(), form.errors
    selection = Selection(tuple(one.pk for one in users), query, USERS)
    job = start_bulk_edit(selection, bulk_verbs(USERS)[verb], form.config(), by=home.priya, now=MONDAY)
    run()
    return Job.objects.get(pk=job.pk)


@pytest.fixture
def two(inside: Workspace) -> tuple[EndUser, EndUser]:
    """One at two accounts, one at none."""
    trait("mood", scope="user")
    return user("Ada", account("Harbourline"), account("Calyx"), role="admin"), user("Bob")


def test_a_trait_is_set_told_at_every_account_and_taken_back(inside: Workspace, two: tuple[EndUser, EndUser]) -> None:
    ada, bob = two
    job = edit(inside, "set_trait", {"trait": "mood", "value": "good"}, query="")

    assert (job.state, job.title, job.done) == ("done", "Set Mood to good", 2)
    assert set(EndUser.objects.values_list("t01", flat=True)) == {"good"}
    assert set(TraitChange.objects.values_list("end_user_id", flat=True)) == {ada.pk, bob.pk}
    assert TimelineEntry.objects.filter(end_user=ada, kind="trait.changed").count() == 2

    undo(job, inside)
    assert set(EndUser.objects.values_list("t01", flat=True)) == {None}


def test_users_come_into_a_segment_and_leave_it(inside: Workspace, two: tuple[EndUser, EndUser]) -> None:
    segment = Segment.objects.create(scope="user", name="Champions", created_at=MONDAY)
    Segment.objects.create(scope="account", name="Companies", created_at=MONDAY)
    members = SegmentMembership.objects.filter(segment=segment, left_at=None)
    job = edit(inside, "add_to_segment", {"segment": segment.pk}, *two)
    assert members.count() == 2

    edit(inside, "remove_from_segment", {"segment": segment.pk}, two[0])
    assert [one.end_user_id for one in members.all()] == [two[1].pk]

    undo(job, inside)
    assert not members.all().exists()
    assert [name for _pk, name in bulk_verbs(USERS)["add_to_segment"].form().fields["segment"].choices] == ["Champions"]


def test_a_playbook_begins_at_each_account_of_a_user_and_stops_for_all(
    inside: Workspace, two: tuple[EndUser, EndUser]
) -> None:
    playbook = live(playbook_json(audience="users"))
    live(playbook_json("for-accounts"))
    job = edit(inside, "apply_playbook", {"playbook": playbook.pk}, *two)

    assert set(Enrollment.objects.values_list("account__name", "end_user__name")) == {
        ("Harbourline", "Ada"),
        ("Calyx", "Ada"),
    }
    assert JobError.objects.values_list("subject", "message").get() == ("Bob", "They belong to no account.")

    undo(job, inside)
    tick(now=MONDAY)
    assert set(Enrollment.objects.values_list("state", flat=True)) == {"stopped"}


def test_the_list_is_written_to_a_file_with_the_accounts_of_each(
    inside: Workspace, two: tuple[EndUser, EndUser]
) -> None:
    job = start_export(
        "sort=name&column=accounts&column=trait:mood",
        bom=False,
        tenant=inside.tenant,
        by=inside.maya,
        now=MONDAY,
        listing=USERS,
    )
    run()
    written = b"".join(bytes(part.content) for part in JobFile.objects.filter(job=job).order_by("pk")).decode()

    assert written.splitlines()[0] == "External id,User,Accounts,Mood"
    assert '"Harbourline (admin), Calyx (admin)"' in written


def test_the_dialog_reviews_what_is_ticked(inside: Workspace, two: tuple[EndUser, EndUser]) -> None:
    priya, foreign = Visitor(inside.priya), Account.objects.latest("pk")
    form = {"ids": f"{two[0].pk},{two[1].pk}", "verb": "set_trait", "bulk-trait": "mood", "bulk-value": "good"}

    assert "Edit 2 users" in text(priya.page(f"users/bulk/?ids={two[0].pk}&ids={two[1].pk}"))
    assert "Set Mood to good on 2 users?" in text(priya.submit("users/bulk/", **form, step="review"))
    assert "None of these users is here any more." in text(priya.page(f"users/bulk/?ids={foreign.pk + 10_000}"))
