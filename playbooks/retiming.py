"""Open steps anchored to a date follow that date when it moves, and the ledger says so."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection

from accounts.rules.fields import FieldSet
from accounts.rules.sql import Sql
from cs_platform.tenancy.models import Tenant, WorkDue
from cs_platform.workspace.holidays import load_holidays
from playbooks.enrollment import anchor_columns, anchor_of_step, insert_rows
from playbooks.models import Step
from playbooks.schedule import Activation, PlannedStep, due


def follow_anchors(*, tenant: Tenant, fields: FieldSet, now: datetime) -> int:
    """Returns how many runs moved. Drafted messages stay where a person expects them."""
    steps = list(Step.objects.exclude(anchor="").select_related("version"))
    if not steps:
        return 0
    columns = anchor_columns({step.anchor for step in steps}, fields)
    planned = [PlannedStep(s.pk, s.position, s.offset_days, s.anchor, s.is_external) for s in steps]
    moved = _open_runs(tenant, anchor_of_step("r.step_id", planned, columns))
    skipping = {step.pk for step in steps if step.version.definition.get("skip_weekends")}
    with connection.cursor() as cursor:
        _stage_moves(cursor, moved)
        _stage_targets(cursor, planned, skipping, tenant, now)
        count = _move(cursor, tenant.pk, now)
    if count:
        for queue in (WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER):
            WorkDue.announce(tenant_id=tenant.pk, queue=queue, due_at=now)
    return count


def _open_runs(tenant: Tenant, anchor: Sql) -> Sql:
    return Sql(
        f"SELECT r.id, r.step_id, e.timezone AS zone, e.activated_on, e.activated_at, {anchor.text} AS anchor_on"
        " FROM playbooks_actionrun r JOIN playbooks_enrollment e ON e.id = r.enrollment_id"
        " JOIN accounts_account a ON a.id = e.account_id"
        " JOIN playbooks_step p ON p.id = r.step_id AND p.anchor <> ''"
        f" WHERE r.tenant_id = {tenant.pk} AND r.state = 'scheduled' AND r.prepared_at IS NULL"
        f" AND e.state IN ('active', 'paused') AND r.anchor_on IS DISTINCT FROM {anchor.text}",
        (*anchor.params, *anchor.params),
    )


def _stage_moves(cursor: Any, moved: Sql) -> None:
    cursor.execute("DROP TABLE IF EXISTS retimed, retimed_to")
    cursor.execute(f"CREATE TEMP TABLE retimed ON COMMIT DROP AS {moved.text}", moved.params)
    cursor.execute(
        "CREATE TEMP TABLE retimed_to (step_id bigint, zone text, anchor_on date, due_on date, due_at timestamptz)"
        " ON COMMIT DROP"
    )


def _stage_targets(
    cursor: Any, steps: Sequence[PlannedStep], skipping: set[int], tenant: Tenant, now: datetime
) -> None:
    """One row per (step, zone, date), whatever the number of runs."""
    by_id = {step.step_id: step for step in steps}
    cursor.execute("SELECT DISTINCT step_id, zone, anchor_on FROM retimed")
    holidays = load_holidays() if skipping else frozenset()
    rows = []
    for step_id, zone, anchor_on in cursor.fetchall():
        began = Activation(now, date.min, zone, tenant.action_hour, step_id in skipping, holidays)
        when = due(by_id[step_id], began, anchor_on)
        rows.append((step_id, zone, anchor_on, when.on, when.at))
    insert_rows(cursor, "retimed_to", rows)


def _move(cursor: Any, tenant_id: int, now: datetime) -> int:
    cursor.execute(
        """
        WITH moved AS (
            UPDATE playbooks_actionrun r
            SET anchor_on = t.anchor_on, due_on = t.due_on, due_at = t.due_at, try_at = t.due_at
            FROM retimed m JOIN retimed_to t ON t.step_id = m.step_id AND t.zone = m.zone
                AND t.anchor_on IS NOT DISTINCT FROM m.anchor_on
            WHERE r.id = m.id AND r.tenant_id = %s AND r.state = 'scheduled'
            RETURNING r.id, r.enrollment_id, r.due_on
        )
        INSERT INTO playbooks_ledgerentry (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
        SELECT %s, id, enrollment_id, %s, 'scheduled', 'scheduled', 'engine',
            COALESCE('Its date moved: now due on ' || due_on, 'Its date is no longer set: it waits.') FROM moved
        """,
        [tenant_id, tenant_id, now],
    )
    return cursor.rowcount
