"""From claimed rows to what an action sees: the locked enrollments, and a Batch of one step."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from actions.base import Action, Batch, Run
from actions.registry import action_for
from cs_platform.tenancy.models import Tenant
from playbooks.leases import LeaseLost
from playbooks.models import Step


@dataclass(frozen=True, slots=True)
class Claimed:
    """One claimed run with the enrollment it belongs to, as they stand under the lock."""

    run: Run
    enrollment_state: str
    attempt: int
    try_at: datetime | None  # due since
    prepared: bool
    is_dry: bool
    marked_at: datetime | None = None  # when a call was made whose outcome is still open


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed batch, loaded: its step, its action, its runs."""

    tenant: Tenant
    step: Step
    action: Action
    token: UUID | None
    claimed: Sequence[Claimed]
    now: datetime

    def batch(self, claimed: Sequence[Claimed]) -> Batch:
        playbook = self.step.version.playbook
        return Batch(
            tenant_id=self.tenant.pk,
            config=self.step.config,
            now=self.now,
            today=self.now.astimezone(ZoneInfo(self.tenant.timezone)).date(),
            actor=playbook.actor,
            playbook_name=playbook.name,
            runs=[one.run for one in claimed],
        )


_LOAD = """
    SELECT r.id, r.enrollment_id, e.account_id, e.end_user_id, e.cta_id, e.timezone, r.due_on, r.receipt,
        r.fan_key, e.state, r.attempt, r.try_at, r.prepared_at IS NOT NULL, e.is_dry, r.sent_marker_at
    FROM playbooks_actionrun r JOIN playbooks_enrollment e ON e.id = r.enrollment_id
    WHERE r.tenant_id = %s AND r.id = ANY(%s) {fence} ORDER BY e.id, r.position
"""


class Lock(Enum):
    """What is locked before runs are looked at, the same order everywhere: then come the targets."""

    ENROLLMENTS = auto()  # by id
    ALL = auto()  # for an undo: their accounts and users, too, by id
    HELD = auto()  # this transaction has locked all of that before


def load(
    tenant: Tenant,
    step_id: int,
    run_ids: Sequence[UUID],
    *,
    token: UUID | None,
    now: datetime,
    lock: Lock = Lock.ENROLLMENTS,
) -> Work:
    """Without a token, of runs that are not leased. Raises LeaseLost when a run was taken over meanwhile."""
    step = Step.objects.select_related("version__playbook").get(pk=step_id)
    with connection.cursor() as cursor:
        if lock is not Lock.HELD:
            enrollment_ids = _lock_enrollments(cursor, tenant.pk, run_ids)
            if lock is Lock.ALL:
                lock_subjects_of(enrollment_ids, tenant_id=tenant.pk)
        fence = "AND r.lease_token IS NOT DISTINCT FROM %s::uuid"
        cursor.execute(_LOAD.format(fence=fence), [tenant.pk, list(run_ids), token])
        claimed = list(_rows(cursor.fetchall()))
    if len(claimed) != len(run_ids):
        raise LeaseLost
    action = action_for(step.action)
    return Work(tenant, step, action, token, _with_earlier(action, claimed, tenant.pk), now)


def peek(tenant: Tenant, step: Step, run_ids: Sequence[UUID], *, now: datetime) -> Work:
    """The same for a preview: nothing claimed, nothing locked."""
    with connection.cursor() as cursor:
        cursor.execute(_LOAD.format(fence=""), [tenant.pk, list(run_ids)])
        claimed = list(_rows(cursor.fetchall()))
    return Work(tenant, step, action_for(step.action), UUID(int=0), claimed, now)


_EARLIER = """
    SELECT r.enrollment_id, r.receipt FROM playbooks_actionrun r
    JOIN playbooks_step s ON s.tenant_id = r.tenant_id AND s.id = r.step_id AND s.action = ANY(%s)
    WHERE r.tenant_id = %s AND r.enrollment_id = ANY(%s) AND r.state = 'applied'
    ORDER BY r.settled_at DESC, r.position DESC, r.id
"""


def _with_earlier(action: Action, claimed: list[Claimed], tenant_id: int) -> list[Claimed]:
    """What the enrollments' earlier steps did, for actions that go on from there."""
    if not action.follows:
        return claimed
    found: dict[int, list[dict[str, Any]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, [list(action.follows), tenant_id, [one.run.enrollment_id for one in claimed]])
        for enrollment_id, receipt in cursor.fetchall():
            found.setdefault(enrollment_id, []).append(_document(receipt) or {})
    return [replace(one, run=replace(one.run, earlier=tuple(found.get(one.run.enrollment_id, ())))) for one in claimed]


def _lock_enrollments(cursor: Any, tenant_id: int, run_ids: Sequence[UUID]) -> list[int]:
    cursor.execute(
        "SELECT id FROM playbooks_enrollment WHERE tenant_id = %s AND id IN"
        " (SELECT enrollment_id FROM playbooks_actionrun WHERE tenant_id = %s AND id = ANY(%s))"
        " ORDER BY id FOR NO KEY UPDATE",
        [tenant_id, tenant_id, list(run_ids)],
    )
    return [id for (id,) in cursor.fetchall()]


def lock_subjects_of(enrollment_ids: Sequence[int], *, tenant_id: int) -> None:
    """Stops on one account or user take turns, so that a receipt handed from one to the other is seen."""
    with connection.cursor() as cursor:
        for table, column in (("accounts_account", "account_id"), ("accounts_enduser", "end_user_id")):
            cursor.execute(
                f"SELECT 1 FROM {table} WHERE tenant_id = %s AND id IN (SELECT e.{column} FROM playbooks_enrollment e"
                " WHERE e.tenant_id = %s AND e.id = ANY(%s)) ORDER BY id FOR NO KEY UPDATE",
                [tenant_id, tenant_id, list(enrollment_ids)],
            )


def _rows(rows: Sequence[Sequence[Any]]) -> Iterator[Claimed]:
    for id, enrollment, account, user, cta, zone, due_on, receipt, fan_key, *standing in rows:
        run = Run(id, enrollment, account, user, cta, zone, due_on, _document(receipt), fan_key)
        yield Claimed(run, *standing)


def _document(receipt: Any) -> dict[str, Any] | None:
    """A raw cursor hands jsonb over as text: Django decodes it itself, for its own fields."""
    return json.loads(receipt) if isinstance(receipt, str) else receipt
