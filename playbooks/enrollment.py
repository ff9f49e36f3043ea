"""Applying a playbook: enrollments and their runs, for any number of subjects in a few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from accounts.fields import workspace_fields
from accounts.models import Account, EndUser
from accounts.rules.fields import Column, FieldSet, Subject
from accounts.rules.sql import Sql
from cs_platform.tenancy.models import Tenant, WorkDue
from playbooks import ledger
from playbooks.models import Enrollment, Playbook, Step
from playbooks.schedule import Activation, PlannedStep, due, known_zone, zone_info


class AlreadyActive(Exception):
    def __init__(self) -> None:
        super().__init__("This playbook is already active here. Stop it first, or wait until it finishes.")


@dataclass(frozen=True, slots=True)
class Application:
    """One act of applying one version: who asked, when, and for what evaluation."""

    tenant: Tenant
    playbook: Playbook
    applied_by: str  # "evaluation:4" or "person:7"
    now: datetime
    evaluation_id: int | None = None
    parent_run_id: Any = None


def apply_by_hand(
    *, playbook: Playbook, account: Account, end_user: EndUser | None = None, by: str, now: datetime
) -> Enrollment:
    """Apply the live version to one subject, whatever its rules and its re-enrollment say. Raises AlreadyActive."""
    application = Application(playbook.tenant, playbook, applied_by=by, now=now)
    ids = enroll(application, [(account.pk, end_user.pk if end_user else None)])
    if not ids:
        raise AlreadyActive
    return Enrollment.objects.get(pk=ids[0])


def enroll(application: Application, subjects: Iterable[tuple[int, int | None]]) -> list[int]:
    """Enroll these (account, user) pairs; returns the ids of the new enrollments."""
    pairs = list(subjects)
    rows = Sql(
        "SELECT * FROM unnest(%s::bigint[], %s::bigint[]) s(account_id, end_user_id)",
        ([account for account, _user in pairs], [user for _account, user in pairs]),
    )
    return enroll_selected(application, rows)


def enroll_selected(application: Application, subjects: Sql) -> list[int]:
    """Enroll every (account_id, end_user_id) the query yields; those already active are left alone.

    Few rows go through Python: one per (zone, step, anchor date), whatever the number of subjects.
    """
    with transaction.atomic():
        _stage_subjects(application, subjects)
        steps = planned_steps(application.playbook.version_id)
        anchors = _anchor_columns(steps)
        _stage_plan(application, steps, anchors)
        ids = _insert_enrollments(application, len(steps))
        if ids:
            _insert_runs(application, ids, steps, anchors)
            _finish_past(application, ids)
            _write_down(application, ids)
            _announce(application, steps)
        return ids


def _stage_subjects(application: Application, subjects: Sql) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS enroll_subject, enroll_zone, enroll_plan; "
            "CREATE TEMP TABLE enroll_zone (given text, zone text, local_date date) ON COMMIT DROP; "
            "CREATE TEMP TABLE enroll_plan (zone text, step_id bigint, position int, is_external bool,"
            " anchor_date date, due_on date, due_at timestamptz, past bool) ON COMMIT DROP"
        )
        cursor.execute(
            f"CREATE TEMP TABLE enroll_subject ON COMMIT DROP AS {subjects.text}; ANALYZE enroll_subject",
            subjects.params,
        )
        cursor.execute(
            "SELECT DISTINCT a.timezone FROM enroll_subject s JOIN accounts_account a ON a.id = s.account_id"
            " WHERE a.tenant_id = %s",
            [application.tenant.pk],
        )
        zones = [_zone_row(application, given) for (given,) in cursor.fetchall()]
        insert_rows(cursor, "enroll_zone", zones)


def _zone_row(application: Application, given: str | None) -> tuple[str | None, str, date]:
    zone = known_zone(given, otherwise=application.tenant.timezone)
    return given, zone, application.now.astimezone(zone_info(zone)).date()


def planned_steps(version_id: int | None) -> list[PlannedStep]:
    steps = Step.objects.filter(version_id=version_id).order_by("position")
    return [PlannedStep(s.pk, s.position, s.offset_days, s.anchor, s.is_external) for s in steps]


def _anchor_columns(steps: Sequence[PlannedStep]) -> dict[str, Sql]:
    wanted = {step.anchor for step in steps if step.anchor}
    return anchor_columns(wanted, workspace_fields()) if wanted else {}


def anchor_columns(wanted: set[str], fields: FieldSet) -> dict[str, Sql]:
    """Where each anchor date lives on `a`. A field that has gone since publishing counts as not set."""
    columns: dict[str, Sql] = {}
    for key in wanted:
        found = fields.find(Subject.ACCOUNT, key)
        known = found is not None and isinstance(found.source, Column)
        columns[key] = found.source.expression if known else Sql("NULL::date")  # type: ignore[union-attr]
    return columns


def anchor_of_step(step_id: str, steps: Iterable[PlannedStep], columns: dict[str, Sql]) -> Sql:
    """The anchor date of whichever step the row is about, as one expression over `a`."""
    anchored = [(step.step_id, columns[step.anchor]) for step in steps if step.anchor]
    if not anchored:
        return Sql("NULL::date")
    cases = "".join(f" WHEN {pk} THEN {column.text}" for pk, column in anchored)
    return Sql(f"CASE {step_id}{cases} END", tuple(param for _pk, column in anchored for param in column.params))


def _stage_plan(application: Application, steps: Sequence[PlannedStep], anchors: dict[str, Sql]) -> None:
    skip_weekends = bool(application.playbook.version.definition.get("skip_weekends"))  # type: ignore[union-attr]
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT zone, local_date FROM enroll_zone")
        rows: list[tuple[Any, ...]] = []
        for zone, local_date in cursor.fetchall():
            activation = Activation(
                at=application.now,
                on=local_date,
                zone=zone,
                action_hour=application.tenant.action_hour,
                skip_weekends=skip_weekends,
            )
            rows += _plan_rows(cursor, steps, activation, anchors)
        insert_rows(cursor, "enroll_plan", rows)


def _plan_rows(
    cursor: Any, steps: Sequence[PlannedStep], activation: Activation, anchors: dict[str, Sql]
) -> list[tuple[Any, ...]]:
    dates = {key: _anchor_dates(cursor, column, activation.zone) for key, column in anchors.items()}
    rows = []
    for step in steps:
        for anchor in dates[step.anchor] if step.anchor else [None]:
            when = due(step, activation, anchor)
            place = (activation.zone, step.step_id, step.position, step.is_external, anchor)
            rows.append((*place, when.on, when.at, when.past))
    return rows


def _anchor_dates(cursor: Any, column: Sql, zone: str) -> list[date | None]:
    cursor.execute(
        f"SELECT DISTINCT {column.text} FROM enroll_subject s JOIN accounts_account a ON a.id = s.account_id"
        " JOIN enroll_zone z ON z.given IS NOT DISTINCT FROM a.timezone WHERE z.zone = %s",
        [*column.params, zone],
    )
    return [day for (day,) in cursor.fetchall()]


def insert_rows(cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    values = [value for one in rows for value in one]
    cursor.execute(f"INSERT INTO {table} VALUES {', '.join([row] * len(rows))}", values)


def _insert_enrollments(application: Application, steps_total: int) -> list[int]:
    occasion = _occasion(application)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO playbooks_enrollment (tenant_id, playbook_id, version_id, account_id, end_user_id, timezone,
                activated_at, activated_on, occasion, evaluation_id, applied_by, parent_run_id, steps_total)
            SELECT a.tenant_id, %s, %s, s.account_id, s.end_user_id, z.zone, %s, z.local_date,
                ({occasion.text})::text, %s, %s, %s, %s
            FROM enroll_subject s
            JOIN accounts_account a ON a.id = s.account_id AND a.tenant_id = %s
            JOIN enroll_zone z ON z.given IS NOT DISTINCT FROM a.timezone
            ORDER BY s.account_id, s.end_user_id
            ON CONFLICT DO NOTHING RETURNING id
            """,
            [
                application.playbook.pk,
                application.playbook.version_id,
                application.now,
                *occasion.params,
                application.evaluation_id,
                application.applied_by,
                application.parent_run_id,
                steps_total,
                application.tenant.pk,
            ],
        )
        return [id for (id,) in cursor.fetchall()]


def _occasion(application: Application) -> Sql:
    """The date this enrollment is about. Applying by hand is not bound to once per date, so it names none."""
    again = application.playbook.version.definition["reenrollment"]  # type: ignore[union-attr]
    if again["policy"] != "once_per_value" or application.evaluation_id is None:
        return Sql("NULL")
    return anchor_columns({again["field"]}, workspace_fields())[again["field"]]


def _insert_runs(
    application: Application, ids: list[int], steps: Sequence[PlannedStep], anchors: dict[str, Sql]
) -> None:
    """Steps without an anchor join on the zone alone, anchored ones on the account's date too."""
    anchor_date = anchor_of_step("p.step_id", steps, anchors)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO playbooks_actionrun (tenant_id, enrollment_id, step_id, position, is_external,
                anchor_on, due_on, due_at, try_at)
            SELECT e.tenant_id, e.id, p.step_id, p.position, p.is_external, p.anchor_date, p.due_on, p.due_at, p.due_at
            FROM playbooks_enrollment e
            JOIN accounts_account a ON a.id = e.account_id
            JOIN enroll_plan p ON p.zone = e.timezone AND p.anchor_date IS NOT DISTINCT FROM {anchor_date.text}
            WHERE e.tenant_id = %s AND e.id = ANY(%s) ORDER BY e.id, p.position
            """,
            [*anchor_date.params, application.tenant.pk, ids],
        )


def _finish_past(application: Application, ids: list[int]) -> None:
    """Anchored steps whose day was over before the enrollment began are skipped, and say so."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM enroll_plan WHERE past")
        if not cursor.fetchone()[0]:
            return
        cursor.execute(
            """
            WITH skipped AS (
                UPDATE playbooks_actionrun r SET state = 'skipped', settled_at = %s, reason_code = 'past',
                    reason = 'Its day was over before the playbook was applied.'
                FROM playbooks_enrollment e
                WHERE r.tenant_id = %s AND r.enrollment_id = ANY(%s) AND e.id = r.enrollment_id
                  AND r.due_on < e.activated_on
                RETURNING r.enrollment_id, r.id, r.tenant_id, r.reason
            ), counted AS (
                UPDATE playbooks_enrollment e SET steps_done = s.n, progress = s.n * 100 / e.steps_total
                FROM (SELECT enrollment_id, count(*) n FROM skipped GROUP BY 1) s WHERE e.id = s.enrollment_id
            )
            INSERT INTO playbooks_ledgerentry
                (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT tenant_id, id, enrollment_id, %s, 'scheduled', 'skipped', 'engine', reason FROM skipped
            """,
            [application.now, application.tenant.pk, ids, application.now],
        )


def _write_down(application: Application, ids: list[int]) -> None:
    tenant_id, now = application.tenant.pk, application.now
    ledger.record_enrollments(
        ids, tenant_id=tenant_id, from_state="", to_state="active", actor=application.applied_by, now=now
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
            SELECT tenant_id, account_id, end_user_id, %s, 'playbook.applied', %s, %s, 'enrollment:' || id
            FROM playbooks_enrollment WHERE tenant_id = %s AND id = ANY(%s) ORDER BY id
            """,
            [now, application.applied_by, f"{application.playbook.name} applied", tenant_id, ids],
        )


def _announce(application: Application, steps: Sequence[PlannedStep]) -> None:
    """Day-1 runs are due at once; a later look costs one cheap query, so the moment need not be exact."""
    tenant_id, now = application.tenant.pk, application.now
    for queue, external in ((WorkDue.Queue.APPLY, False), (WorkDue.Queue.DELIVER, True)):
        if any(step.is_external is external for step in steps):
            WorkDue.announce(tenant_id=tenant_id, queue=queue, due_at=now)
