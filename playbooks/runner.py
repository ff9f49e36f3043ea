"""Applying what is due: claim a batch, commit; do it, write it down and settle it in one fenced transaction.

A batch that fails is split until the failing run stands alone. Internal actions only; see delivery for what leaves.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import OperationalError

from accounts.fields import workspace_fields
from accounts.models import Account
from accounts.rules import grammar
from accounts.rules.compile import predicate
from accounts.rules.fields import Subject
from accounts.rules.grammar import RuleErrors
from accounts.rules.sql import Clock
from actions.base import Applied, ApplyOutcome, Held, Skipped
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks import ledger
from playbooks.asking import ask_first
from playbooks.batches import Claimed, Work, load
from playbooks.leases import Claim, LeaseLost, claim_due, due_steps, reclaim_expired
from playbooks.on_ctas import Opened, enroll_opened
from playbooks.rehearsing import recorded_failure, rehearse
from playbooks.schedule import zone_info
from playbooks.settlement import Settled, count_progress, settle
from playbooks.turns import Turn

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 10
FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=6)
LOCK_RETRIES = 3  # deadlocks and serialization failures are nobody's fault and no attempt


def apply_round(tenant: Tenant, turn: Turn) -> int:
    """One batch of every due step of one workspace. Returns how many runs were worked on."""
    with tenant_context(tenant.pk):
        now = turn.now()
        reclaim_expired(tenant_id=tenant.pk, external=False, now=now)
        steps = due_steps(tenant_id=tenant.pk, external=False, now=now)
    return sum(apply_step(tenant, step_id, now=turn.now()) for step_id in steps if not turn.is_over)


def apply_step(tenant: Tenant, step_id: int, *, now: datetime) -> int:
    with tenant_context(tenant.pk):
        claim = claim_due(tenant_id=tenant.pk, step_id=step_id, external=False, now=now)
    if claim is None:
        return 0
    in_halves(
        claim.run_ids,
        lambda ids: _apply(tenant, claim, ids, now),
        lambda id, why: fail_run(tenant, claim, id, why, now),
    )
    return len(claim.run_ids)


def in_halves(
    run_ids: Sequence[UUID], work: Callable[[Sequence[UUID]], None], give_up: Callable[[UUID, str], None]
) -> None:
    """Do the work for all; on an error for each half alone, down to the one run that cannot be done."""
    try:
        _with_lock_retries(lambda: work(run_ids))
    except LeaseLost:
        log.info("lease lost for %s runs; their new holder goes on", len(run_ids))
    except Exception as error:
        if len(run_ids) == 1:
            log.exception("run %s failed", run_ids[0])
            give_up(run_ids[0], str(error) or type(error).__name__)
            return
        middle = len(run_ids) // 2
        for half in (run_ids[:middle], run_ids[middle:]):
            in_halves(half, work, give_up)


def _with_lock_retries(work: Callable[[], None]) -> None:
    for left in range(LOCK_RETRIES, -1, -1):
        try:
            work()
            return
        except OperationalError:
            if not left:
                raise
            time.sleep(random.uniform(0.01, 0.1))


def _apply(tenant: Tenant, claim: Claim, run_ids: Sequence[UUID], now: datetime) -> None:
    with tenant_context(tenant.pk):
        work = load(tenant, claim.step_id, run_ids, token=claim.token, now=now)
        active, settled = split_by_enrollment(work)
        active, unmet = meet_condition(work, active)
        dry, active = [one for one in active if one.is_dry], [one for one in active if not one.is_dry]
        active, asked = ask_first(work, active)
        outcomes = work.action.apply(work.batch(active)) if active else {}
        settled += [*unmet, *asked, *rehearse(work, dry), *(_settled(one, outcomes[one.run.id]) for one in active)]
        settle(settled, tenant_id=tenant.pk, token=claim.token, from_state="running", now=now)
        tell_applied(work, outcomes, active)
        _apply_to_ctas(work, outcomes)
        count_progress((one.run.enrollment_id for one in work.claimed), tenant_id=tenant.pk, now=now)


def _apply_to_ctas(work: Work, outcomes: Mapping[UUID, object]) -> None:
    """What an action has opened may be given its tasks by a CTA playbook: its receipt names both."""
    opened = [
        Opened(one["cta_id"], one["playbook"], run_id)
        for run_id, outcome in outcomes.items()
        if isinstance(outcome, Applied)
        for one in outcome.receipt.get("cta_playbooks", ())
    ]
    if opened:
        enroll_opened(opened, tenant=work.tenant, by=work.step.version.playbook.actor, now=work.now)


def split_by_enrollment(work: Work) -> tuple[list[Claimed], list[Settled]]:
    """Under the lock: runs of active enrollments go on, a stop cancels the others, a pause puts them back."""
    active = [one for one in work.claimed if one.enrollment_state == "active"]
    paused = [one for one in work.claimed if one.enrollment_state == "paused"]
    ended = [one for one in work.claimed if one.enrollment_state not in ("active", "paused")]
    back = [Settled(one.run.id, "scheduled") for one in paused]
    return active, back + [
        Settled(one.run.id, "cancelled", reason_code="stopped", reason="The playbook was stopped.") for one in ended
    ]


def meet_condition(work: Work, claimed: Sequence[Claimed]) -> tuple[list[Claimed], list[Settled]]:
    """An action's own condition is asked when it falls due: not met is skipped, for good."""
    if not work.step.condition or not claimed:
        return list(claimed), []
    try:
        rule = grammar.parse(work.step.condition, fields=workspace_fields(), subject=Subject.ACCOUNT)
    except RuleErrors as errors:
        return [], [
            Settled(one.run.id, "held", reason_code="condition_gone", reason=f"Its condition cannot be asked: {errors}")
            for one in claimed
        ]
    clock = Clock.at(work.now, zone_info(work.tenant.timezone))
    asked = Account.objects.filter(pk__in={one.run.account_id for one in claimed})
    met = set(asked.where(predicate(rule, tenant_id=work.tenant.pk, clock=clock)).values_list("pk", flat=True))
    unmet = [one for one in claimed if one.run.account_id not in met]
    return [one for one in claimed if one.run.account_id in met], [
        Settled(one.run.id, "skipped", reason_code="condition", reason="Its condition was not met.") for one in unmet
    ]


def _settled(one: Claimed, outcome: ApplyOutcome) -> Settled:
    match outcome:
        case Applied(receipt):
            return Settled(one.run.id, "applied", receipt)
        case Skipped(reason):
            return Settled(one.run.id, "skipped", reason_code="skipped", reason=reason)
        case Held(code, reason):
            return Settled(one.run.id, "held", reason_code=code, reason=reason)


def tell_applied(work: Work, outcomes: Mapping[UUID, object], claimed: Iterable[Claimed]) -> None:
    lines = [
        ledger.Told(
            one.run.account_id,
            one.run.end_user_id,
            work.action.tell(work.step.config, outcome.receipt),
            f"enrollment:{one.run.enrollment_id}",
        )
        for one in claimed
        if isinstance(outcome := outcomes[one.run.id], Applied)
    ]
    actor = work.step.version.playbook.actor
    ledger.tell(lines, tenant_id=work.tenant.pk, kind="action.applied", actor=actor, now=work.now)


def fail_run(tenant: Tenant, claim: Claim, run_id: UUID, why: str, now: datetime) -> None:
    """One run that raised while alone: try again later, ten times in all, then leave it to a person."""
    try:
        with tenant_context(tenant.pk):
            work = load(tenant, claim.step_id, [run_id], token=claim.token, now=now)
            [one] = work.claimed
            outcome = recorded_failure(one, why) if one.is_dry else retry_or_dead(one, why, now=now)
            outcome = as_far_as_known(one, outcome, now=now)
            settle([outcome], tenant_id=tenant.pk, token=claim.token, from_state="running", now=now)
            count_progress([one.run.enrollment_id], tenant_id=tenant.pk, now=now)
    except LeaseLost:
        log.info("lease lost for run %s", run_id)


def retry_or_dead(one: Claimed, why: str, *, now: datetime, not_before: datetime | None = None) -> Settled:
    attempt = one.attempt + 1
    if attempt >= MAX_ATTEMPTS:
        return Settled(one.run.id, "dead", reason_code="failed", reason=why, attempt=attempt)
    try_at = max(not_before or now, now + backoff(one.attempt))
    return Settled(one.run.id, "scheduled", reason_code="retry", reason=why, attempt=attempt, try_at=try_at)


def as_far_as_known(one: Claimed, settled: Settled, *, now: datetime) -> Settled:
    """An earlier call may have done it: only a yes answers that, and giving up leaves the question to a person."""
    if one.marked_at is None or one.marked_at >= now:
        return settled
    if settled.state in ("scheduled", "held"):
        return replace(settled, is_open=True)
    if settled.state in ("skipped", "dead", "cancelled"):
        reason = f"{settled.reason} An earlier try may have arrived."
        return replace(settled, state="uncertain", reason_code="uncertain", reason=reason)
    return settled


def backoff(attempt: int) -> timedelta:
    """30 s, 90 s, … up to 6 hours, each shortened by chance so that many failures do not come back as one."""
    return min(LONGEST_DELAY, FIRST_DELAY * 3**attempt) * random.uniform(0.5, 1)
