"""What a crash, a freeze, an outage or a neighbour's trouble must not do."""

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings

from accounts.models import Conversation, Indicator
from actions.base import Applied, DeliveryOutcome, ExternalAction
from actions.types.start_conversation import StartConversation
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import WorkDue
from playbooks import delivery, leases, pump, reviews
from playbooks.enrollment import apply_by_hand
from playbooks.failures import retry
from playbooks.models import ActionRun, Enrollment, LedgerEntry
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, raise_risk, tick, user

LEASE = timedelta(seconds=61)


def write_mail(day: int = 1, *, key: str = "mail", review_hours: int = 0) -> dict[str, Any]:
    config = {"sender": "csm", "subject": "Hello", "body": "How are you?", "review_hours": review_hours}
    return {"key": key, "day": day, "action": "start_conversation", "config": config}


def enroll(workspace: Workspace, *steps: dict[str, Any], name: str = "Harbourline", key: str = "rescue") -> Enrollment:
    at = account(name, csm=workspace.priya)
    user(f"Ada {name}", at, role="owner")
    return apply_by_hand(playbook=live(playbook_json(key, steps=list(steps))), account=at, by="person:1", now=MONDAY)


class Post:
    """Takes every letter, and counts them."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def __call__(self, action: ExternalAction, payload: Any) -> DeliveryOutcome:
        self.sent.append(payload)
        return Applied(payload.receipt)


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
    playbook = enroll(inside, write_mail()).playbook
    for n in range(delivery.AT_ONCE + 5):
        at = account(f"Customer {n}", csm=inside.priya)
        user(f"Ada {n}", at, role="owner")
        apply_by_hand(playbook=playbook, account=at, by="person:1", now=MONDAY)
    marked: list[int] = []
    mark = delivery._mark_sent

    def watch(tenant_id: int, token: Any, run_ids: list[Any], now: datetime) -> None:
        marked.append(len(run_ids))
        mark(tenant_id, token, run_ids, now)

    with patch("playbooks.delivery._mark_sent", watch):
        tick(now=MONDAY, deliver=Post())

    assert max(marked) == delivery.AT_ONCE
    assert ActionRun.objects.filter(state="applied").count() == delivery.AT_ONCE + 6


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
