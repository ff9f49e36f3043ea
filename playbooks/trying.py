"""Trying a draft on one account: it is published, applied and carried out, and then all of it is taken back.

So what is told is no guess, and a later action sees what an earlier one did. Each is asked as things stand now: nobody
knows how the account will look on its day. What leaves the house is drafted and goes no further.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import F

from accounts.models import Account
from actions.base import Applied, ExternalAction, FanOut, Prepared
from actions.registry import action_for
from cs_platform.tenancy.models import Doer
from playbooks.batches import Claimed, Work, load
from playbooks.enrollment import Application, enroll
from playbooks.models import ActionRun, Playbook
from playbooks.overview import approval_words
from playbooks.rehearsing import words_of
from playbooks.runner import meet_condition
from playbooks.settlement import Settled, settle
from playbooks.versions import NotPossible, publish

LEASE = timedelta(minutes=1)
FAILED = "failed"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """What would come of one action. `became` is applied, skipped, held or failed, or waiting for a date."""

    on: date | None
    icon: str
    says: str
    became: str
    why: str
    approval: str


def try_on(
    playbook: Playbook, account: Account, end_user_id: int | None, *, by: Doer, now: datetime
) -> Sequence[Tried]:
    """In the order of days. Raises NotPossible, and DefinitionErrors where the draft is unfinished."""
    with transaction.atomic():
        publish(playbook, by=by, now=now)
        # Beside what runs there for real, which it must not meet.
        Playbook.objects.filter(pk=playbook.pk).update(status=Playbook.Status.DRY_RUN)
        published = Playbook.objects.select_related("tenant", "version").get(pk=playbook.pk)
        application = Application(published.tenant, published, applied_by=by.actor, now=now)
        ids = enroll(application, [(account.pk, _user_of(published, end_user_id))])
        if not ids:
            raise NotPossible(f"The dry run there is now has it on {account.name} already. See what it recorded.")
        runs = ActionRun.objects.filter(enrollment_id=ids[0]).select_related("step")
        tried = [_try(run, published, now=now) for run in runs.order_by(F("due_at").asc(nulls_last=True), "position")]
        transaction.set_rollback(True)
    return tried


def _user_of(playbook: Playbook, end_user_id: int | None) -> int | None:
    match playbook.audience:
        case Playbook.Audience.ACCOUNTS:
            return None
        case Playbook.Audience.USERS if end_user_id is not None:
            return end_user_id
        case Playbook.Audience.USERS:
            raise NotPossible("It is about users: say on which one to try it.")
    raise NotPossible("A list of tasks is tried by applying it to a CTA, and taken back there.")


def _try(run: ActionRun, playbook: Playbook, *, now: datetime) -> Tried:
    step, action = run.step, action_for(run.step.action)
    became, why = _outcome(run, playbook, now=now)
    return Tried(run.due_on, action.icon, action.describe(step.config), became, why, approval_words(step.approval))


def _outcome(run: ActionRun, playbook: Playbook, *, now: datetime) -> tuple[str, str]:
    if run.state != ActionRun.State.SCHEDULED:  # its day was over before it began
        return "skipped", run.reason
    if run.due_at is None:
        return "waiting", "It waits until the date it is counted from is set."
    token = uuid4()
    lease = {"lease_token": token, "lease_until": now + LEASE}
    ActionRun.objects.filter(pk=run.pk).update(state=ActionRun.State.RUNNING, **lease)
    work = load(playbook.tenant, run.step_id, [run.pk], token=token, now=now)
    active, unmet = meet_condition(work, work.claimed)
    settled, became, why = _carry_out(work, active[0]) if active else (unmet[0], "skipped", unmet[0].reason)
    settle([settled], tenant_id=playbook.tenant.pk, token=token, from_state="running", now=now)
    return became, why


def _carry_out(work: Work, one: Claimed) -> tuple[Settled, str, str]:
    """What was done stays until all is taken back."""
    batch, action, id = work.batch([one]), work.action, one.run.id
    try:
        with transaction.atomic():
            outcome = (action.prepare(batch) if isinstance(action, ExternalAction) else action.apply(batch))[id]
    except Exception as error:
        log.exception("trying %s failed", work.step.key)
        return Settled(id, "dead", reason_code=FAILED, reason=str(error)), FAILED, str(error)
    became, why = words_of(outcome, work)
    if isinstance(outcome, Applied | Prepared | FanOut):
        return Settled(id, "applied", outcome.receipt), became, why
    return Settled(id, "skipped", reason_code=became, reason=outcome.reason), became, why
