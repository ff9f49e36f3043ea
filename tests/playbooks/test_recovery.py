"""What a crash, a freeze, an outage or a neighbour's trouble must not do."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from threading import Event
from typing import Any, Self
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connection
from django.test import override_settings

from accounts.models import Conversation, EndUser, Indicator
from actions.base import Applied, DeliveryOutcome, ExternalAction, Refused
from actions.types.start_conversation import StartConversation
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import WorkDue
from playbooks import delivery, leases, pump, reviews
from playbooks.enrollment import apply_by_hand
from playbooks.failures import retry
from playbooks.models import ActionRun, Enrollment, LedgerEntry, Playbook
from playbooks.undo import request_stop
from playbooks.versions import pause, resume, set_live
from tests.world import (
    MONDAY,
    Workspace,
    account,
    days,
    evaluate,
    live,
    on,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
)

LEASE = timedelta(seconds=61)


def write_mail(day: int = 1, *, key: str = "mail", review_hours: int = 0) -> dict[str, Any]:
    config = {"sender": "csm", "subject": "Hello", "body": "How are you?", "review_hours": review_hours}
    return {"key": key, "day": day, "action": "start_conversation", "config": config}


def enroll(workspace: Workspace, *steps: dict[str, Any], name: str = "Harbourline", key: str = "rescue") -> Enrollment:
    return apply_to(live(playbook_json(key, steps=list(steps))), name, workspace)


def apply_to(playbook: Playbook, name: str, workspace: Workspace) -> Enrollment:
    at = account(name, csm=workspace.priya)
    user(f"Ada {name}", at, role="owner")
    return apply_by_hand(playbook=playbook, account=at, by="person:1", now=MONDAY)


class Post:
    """Takes every letter, and counts them."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def __call__(self, action: ExternalAction, payload: Any) -> DeliveryOutcome:
        self.sent.append(payload)
        return Applied(payload.receipt)


class Inline:
    """In place of a pool of threads: the calls are made here and now, on this connection."""

    def __init__(self, _workers: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call(*arguments))
        return done


def states(enrollment: Enrollment) -> list[str]:
    return list(enrollment.runs.order_by("position").values_list("state", flat=True))


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_lease_is_counted_from_the_claim_not_from_the_start_of_a_long_turn(inside: Workspace) -> None:
    """Else, after a slow step, the claims of the next ones would be anybody's from the first moment."""
    enroll(inside, raise_risk(1), raise_risk(1, key="two", title="Two"))
    ticks = iter(MONDAY + timedelta(seconds=50 * n) for n in range(100))
    claimed: list[tuple[datetime, datetime]] = []
    claim_due = leases.claim_due

    def watch(*, now: datetime, **kwargs: Any) -> Any:
        claimed.append((now, leases.lease_end(now)))
        return claim_due(now=now, **kwargs)

    with patch("playbooks.runner.claim_due", watch):
        pump.pump("apply", clock=lambda: next(ticks))

    moments = [now for now, _until in claimed]
    assert moments == sorted(set(moments))


def test_a_frozen_worker_that_wakes_before_its_marker_sends_nothing(inside: Workspace) -> None:
    """Its lease ended while it looked at the draft, and another worker may be sending it by now."""
    enrollment, post = enroll(inside, write_mail()), Post()
    load = StartConversation.load

    def frozen(action: StartConversation, batch: Any) -> Any:
        loaded = load(action, batch)
        leases.reclaim_expired(tenant_id=inside.tenant.pk, external=True, now=MONDAY + LEASE)
        return loaded

    with patch.object(StartConversation, "load", frozen):
        tick(now=MONDAY, deliver=post)
    assert post.sent == []

    tick(now=MONDAY + LEASE, deliver=post)
    assert (states(enrollment), len(post.sent)) == (["applied"], 1)


@override_settings(LEASE_SECONDS=0)
def test_no_call_begins_when_the_lease_may_end_before_it_does(inside: Workspace) -> None:
    enrollment = enroll(inside, write_mail())
    post = Post()

    tick(now=MONDAY, deliver=post)

    assert post.sent == []
    run = enrollment.runs.get()
    assert (run.state, run.attempt, run.sent_marker_at) == ("scheduled", 0, None)


def test_only_what_can_be_on_the_wire_at_once_is_marked_as_sent(inside: Workspace) -> None:
    """Of all steps together; what comes next is marked as soon as something has been answered."""
    playbooks = [enroll(inside, write_mail(), name=key, key=key).playbook for key in ("first", "second")]
    for n in range(delivery.AT_ONCE):
        for playbook in playbooks:
            apply_to(playbook, f"Customer {n} of {playbook.key}", inside)
    out: set[UUID] = set()
    most: list[int] = []
    full = Event()
    mark, record = delivery._mark_sent, delivery._record

    def marking(tenant_id: int, token: Any, run_ids: list[UUID], now: datetime) -> None:
        mark(tenant_id, token, run_ids, now)
        out.update(run_ids)
        most.append(len(out))
        if len(out) == delivery.AT_ONCE:
            full.set()

    def recording(tenant: Any, claim: Any, outcomes: Any, now: datetime) -> None:
        record(tenant, claim, outcomes, now)
        out.difference_update(outcomes)

    def slow(action: ExternalAction, payload: Any) -> DeliveryOutcome:
        full.wait(10)
        return Applied(payload.receipt)

    with patch("playbooks.delivery._mark_sent", marking), patch("playbooks.delivery._record", recording):
        tick(now=MONDAY, deliver=slow)

    assert max(most) == delivery.AT_ONCE
    assert ActionRun.objects.filter(state="applied").count() == 2 * (delivery.AT_ONCE + 1)


def test_drafts_are_written_many_at_a_time(inside: Workspace) -> None:
    playbook = enroll(inside, write_mail()).playbook
    for n in range(delivery.AT_ONCE + 5):
        apply_to(playbook, f"Customer {n}", inside)
    drafted: list[int] = []
    prepare = StartConversation.prepare

    def watch(action: StartConversation, batch: Any) -> Any:
        drafted.append(len(batch.runs))
        return prepare(action, batch)

    with patch.object(StartConversation, "prepare", watch):
        tick(now=MONDAY, deliver=Post())

    assert drafted == [delivery.AT_ONCE + 6]


def test_a_step_with_many_messages_does_not_keep_those_of_another_waiting(inside: Workspace) -> None:
    many = enroll(inside, write_mail(), name="First", key="first").playbook
    for n in range(2 * delivery.AT_ONCE):
        apply_to(many, f"Customer {n}", inside)
    enroll(inside, write_mail(), name="Second", key="second")
    post = Post()

    with patch("playbooks.delivery.ThreadPoolExecutor", Inline):
        tick(now=MONDAY, deliver=post)

    assert [payload.letter.to_name for payload in post.sent].index("Ada Second") <= delivery.SHARE


# --- the pump ---------------------------------------------------------------------------------------------------------


def test_work_announced_while_a_worker_finds_none_stays_announced(inside: Workspace) -> None:
    """The worker found no row to lock, so it must not delete one that was written meanwhile."""
    WorkDue.objects.filter(queue="apply").delete()

    def announced_meanwhile(**_: Any) -> None:
        WorkDue.announce(tenant_id=inside.tenant.pk, queue="apply", due_at=MONDAY)

    with patch("playbooks.pump.next_due", announced_meanwhile):
        pump._look_again(inside.tenant, "apply")
        announced_meanwhile()

    assert WorkDue.objects.filter(queue="apply").exists()


def test_one_workspace_in_trouble_does_not_keep_the_others_waiting(orbiton: Workspace, halyard: Workspace) -> None:
    enrolled = {}
    for workspace in (orbiton, halyard):
        with tenant_context(workspace.tenant.pk):
            enrolled[workspace.tenant.pk] = enroll(workspace, raise_risk())
    apply_round = pump.apply_round

    def broken(tenant: Any, turn: Any) -> int:
        if tenant == orbiton.tenant:
            raise RuntimeError("this workspace's data is broken")
        return apply_round(tenant, turn)

    with patch("playbooks.pump.apply_round", broken):
        pump.pump("apply", clock=lambda: MONDAY)

    with tenant_context(halyard.tenant.pk):
        assert states(enrolled[halyard.tenant.pk]) == ["applied"]
    assert WorkDue.objects.filter(queue="apply", tenant=orbiton.tenant, due_at__lte=MONDAY).exists()


# --- after an outage --------------------------------------------------------------------------------------------------


def test_a_mail_more_than_a_day_late_waits_for_a_person_who_can_still_send_it(inside: Workspace) -> None:
    enrollment, post = enroll(inside, write_mail()), Post()
    late = MONDAY + days(3)

    tick(now=late, deliver=post)
    run = enrollment.runs.get()
    assert (run.state, run.reason_code, post.sent) == ("held", "late", [])

    assert retry(run, by=inside.priya.actor, now=late)
    tick(now=late, deliver=post)
    assert (states(enrollment), len(post.sent)) == (["applied"], 1)


@pytest.mark.parametrize("verb", ["send_now", "cancel"])
def test_a_reviewed_draft_that_is_late_waits_too_and_its_review_decides(inside: Workspace, verb: str) -> None:
    enrollment, post = enroll(inside, write_mail(review_hours=24)), Post()
    tick(now=MONDAY, deliver=post)
    late = MONDAY + days(4)
    tick(now=late, deliver=post)
    assert (states(enrollment), post.sent) == (["held"], [])

    assert getattr(reviews, verb)(Conversation.objects.get(), by=inside.priya, now=late)
    tick(now=late, deliver=post)

    sent = verb == "send_now"
    assert (states(enrollment), len(post.sent)) == (["applied" if sent else "skipped"], int(sent))
    moves = LedgerEntry.objects.filter(run_id=enrollment.runs.get().pk).values_list("from_state", "to_state")
    assert ("held", "scheduled") in set(moves)


def test_indicators_are_never_too_late(inside: Workspace) -> None:
    enrollment = enroll(inside, raise_risk())

    tick(now=MONDAY + days(30))

    assert states(enrollment) == ["applied"]
    assert Indicator.objects.count() == 1


def test_a_refused_mail_can_be_tried_again(inside: Workspace) -> None:
    enrollment, post = enroll(inside, write_mail()), Post()
    tick(now=MONDAY, deliver=lambda action, payload: Refused("550 no such user"))
    assert states(enrollment) == ["dead"]

    assert retry(enrollment.runs.get(), by=inside.priya.actor, now=MONDAY + days(1))
    tick(now=MONDAY + days(1), deliver=post)

    assert (states(enrollment), len(post.sent)) == (["applied"], 1)
    assert Conversation.objects.get().state == "sent"


# --- pausing, and enrollments that have nothing to do -----------------------------------------------------------------


def test_what_fell_due_during_a_pause_runs_after_it(inside: Workspace) -> None:
    enrollment = enroll(inside, raise_risk(2))
    pause(enrollment.playbook, by=inside.jonah, now=MONDAY)
    tick(now=MONDAY + days(3))
    assert states(enrollment) == ["scheduled"]

    resume(enrollment.playbook, by=inside.jonah, now=MONDAY + days(3))
    tick(now=MONDAY + days(3))

    assert states(enrollment) == ["applied"]
    moves = list(LedgerEntry.objects.filter(run_id=None).order_by("id").values_list("to_state", "actor"))
    assert moves[1:3] == [("paused", inside.jonah.actor), ("active", inside.jonah.actor)]


def test_setting_a_paused_playbook_live_again_lets_what_waits_go_on(inside: Workspace) -> None:
    enrollment = enroll(inside, raise_risk(2))
    pause(enrollment.playbook, by=inside.jonah, now=MONDAY)

    set_live(enrollment.playbook, by=inside.jonah, now=MONDAY + days(1))
    tick(now=MONDAY + days(1))

    assert states(enrollment) == ["applied"]


def test_an_enrollment_whose_last_action_was_settled_during_a_pause_is_finished_by_resuming(inside: Workspace) -> None:
    """The mail was on the wire when the pause began."""
    enrollment = enroll(inside, write_mail())

    def pausing(action: ExternalAction, payload: Any) -> DeliveryOutcome:
        pause(enrollment.playbook, by=inside.jonah, now=MONDAY)
        return Applied(payload.receipt)

    with patch("playbooks.delivery.ThreadPoolExecutor", Inline):
        tick(now=MONDAY, deliver=pausing)
    enrollment.refresh_from_db()
    assert (states(enrollment), enrollment.state) == (["applied"], "paused")

    resume(enrollment.playbook, by=inside.jonah, now=MONDAY)
    enrollment.refresh_from_db()
    assert enrollment.state == "completed"


def test_an_enrollment_whose_every_day_is_over_is_finished_at_once(inside: Workspace) -> None:
    at = account(renewal_on=on(1))
    step = raise_risk(key="early", title="Early")
    del step["day"]
    playbook = live(playbook_json(steps=[step | {"anchor": {"field": "renewal_on", "days": -30}}]))

    enrollment = apply_by_hand(playbook=playbook, account=at, by="person:1", now=MONDAY)

    assert (states(enrollment), enrollment.state, enrollment.progress) == (["skipped"], "completed", 100)


# --- evaluation -------------------------------------------------------------------------------------------------------


def test_the_first_night_after_a_playbook_is_set_live_evaluates(inside: Workspace) -> None:
    """Without anybody having to evaluate by hand first."""
    account(plan="Pro")
    playbook = live(playbook_json())

    pump.pump("evaluate", clock=lambda: MONDAY + timedelta(hours=17))
    assert not playbook.enrollments.exists()
    pump.pump("evaluate", clock=lambda: MONDAY + timedelta(hours=18, minutes=1))
    assert playbook.enrollments.count() == 1


def test_looks_at_one_workspace_take_turns(inside: Workspace) -> None:
    held: list[int] = []

    def look(*_: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            held.extend(row[0] for row in cursor.fetchall())
        return 0

    with patch("playbooks.evaluation.follow_anchors", lambda **_: look()):
        evaluate(inside.tenant, now=MONDAY)

    assert held == [inside.tenant.pk]


# --- undo -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_out", [0, 1])
def test_a_user_of_two_accounts_keeps_no_residue_whichever_enrollment_stops_first(
    inside: Workspace, first_out: int
) -> None:
    trait("stage", scope="user")
    one, two = account("One"), account("Two")
    ada = user("Ada", one, two)
    step = set_trait_step("Invited")
    step["config"]["scope"] = "user"
    playbook = live(playbook_json(audience="users", steps=[step]))
    enrollments = []
    for n, at in enumerate((one, two)):
        now = MONDAY + days(n)
        enrollments.append(apply_by_hand(playbook=playbook, account=at, end_user=ada, by="person:1", now=now))
        tick(now=now)

    request_stop(enrollments[first_out], by=inside.priya, now=MONDAY + days(3))
    request_stop(enrollments[1 - first_out], by=inside.priya, now=MONDAY + days(4))

    after = EndUser.objects.get()
    assert (after.traits, after.trait_writers, after.t01) == ({}, {}, None)


def test_a_failed_action_of_an_earlier_enrollment_is_not_tried_again_under_a_new_one(inside: Workspace) -> None:
    enrollment = enroll(inside, write_mail())
    tick(now=MONDAY, deliver=lambda action, payload: Refused("550 no such user"))
    apply_by_hand(playbook=enrollment.playbook, account=enrollment.account, by="person:1", now=MONDAY + days(1))

    assert not retry(enrollment.runs.get(), by=inside.priya.actor, now=MONDAY + days(1))
    assert states(enrollment) == ["dead"]


def test_a_finished_enrollment_can_be_taken_back_while_the_playbook_is_applied_again(inside: Workspace) -> None:
    first = enroll(inside, raise_risk())
    tick(now=MONDAY)
    again = apply_by_hand(playbook=first.playbook, account=first.account, by="person:1", now=MONDAY + days(1))

    assert request_stop(first, by=inside.priya, now=MONDAY + days(1))

    assert states(first) == ["undone"]
    tick(now=MONDAY + days(1))
    again.refresh_from_db()
    assert (states(again), again.state) == (["applied"], "completed")
