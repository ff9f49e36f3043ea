"""Applying a playbook: enrollments and their runs, for any number of subjects in a few statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from accounts.fields import workspace_fields
from accounts.models import Account, EndUser
from accounts.rules.fields import Column, FieldSet, Subject
from accounts.rules.sql import Sql
from cs_platform.tenancy.models import Tenant, WorkDue
from playbooks.models import Enrollment, Playbook, Step
from playbooks.schedule import Activation, PlannedStep, known_zone, plan, zone_info
from playbooks.settlement import count_progress

RUNS_AT_ONCE = 50_000
NO_DATE = "-infinity"  # joins, and is counted by the planner, where NULL would do neither


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

    @property
    def version_id(self) -> int:
        assert self.playbook.version_id is not None
        return self.playbook.version_id

    @property
    def definition(self) -> dict[str, Any]:
        return self.playbook.version.definition  # type: ignore[union-attr,no-any-return]

    @property
    def occasion_field(self) -> str:
        """The date these enrollments are about. Applying by hand is not bound to once per date, so it names none."""
        again = self.definition["reenrollment"]
        return again["field"] if again["policy"] == "once_per_value" and self.evaluation_id else ""


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
        "SELECT %s::bigint AS playbook_id, s.* FROM unnest(%s::bigint[], %s::bigint[]) s(account_id, end_user_id)",
        (application.playbook.pk, [account for account, _user in pairs], [user for _account, user in pairs]),
    )
    return enroll_selected([application], rows)[application.playbook.pk]


def enroll_selected(
    applications: Sequence[Application], subjects: Sql, *, fields: FieldSet | None = None
) -> dict[int, list[int]]:
    """Enroll every (playbook_id, account_id, end_user_id) the query yields; those already active are left alone.

    The applications are of one workspace and one moment. Few rows go through Python: one per (zone, step, anchor
    date), whatever the number of subjects. Returns the new enrollments of each playbook.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        enrolling = _Enrolling.of(applications, fields)
        count = _stage_subjects(cursor, enrolling, subjects)
        has_past = _stage_plan(cursor, enrolling)
        made: dict[int, list[int]] = {application.playbook.pk: [] for application in applications}
        for start in range(0, count, enrolling.slice):
            for playbook_id, id in _enroll_slice(cursor, enrolling, start, has_past=has_past):
                made[playbook_id].append(id)
        if any(made.values()):
            _announce(enrolling)
        return made


def _enroll_slice(cursor: Any, enrolling: "_Enrolling", start: int, *, has_past: bool) -> list[tuple[int, int]]:
    """No statement may take longer as the workspace grows: each has a time limit."""
    made = _insert_enrollments(cursor, enrolling, start)
    if made:
        _insert_runs(cursor, enrolling)
        if has_past:
            _finish_past(cursor, enrolling)
        _write_down(cursor, enrolling)
        if has_past:
            _count_past(made, enrolling)
    return made


@dataclass(frozen=True, slots=True)
class _Enrolling:
    """Applications carried out together: what they share, and the steps of their versions."""

    tenant: Tenant
    now: datetime
    applications: Sequence[Application]
    steps: Mapping[int, Sequence[PlannedStep]]  # by version
    columns: Mapping[str, Sql]  # where each date that is asked for lives on `a`

    @classmethod
    def of(cls, applications: Sequence[Application], fields: FieldSet | None) -> "_Enrolling":
        steps = planned_steps(application.version_id for application in applications)
        dates = {step.anchor for planned in steps.values() for step in planned}
        dates |= {application.occasion_field for application in applications}
        dates.discard("")
        columns = anchor_columns(dates, fields or workspace_fields()) if dates else {}
        return cls(applications[0].tenant, applications[0].now, applications, steps, columns)

    @property
    def slice(self) -> int:
        """How many enrollments one statement writes, with as many runs as the longest playbook has steps."""
        return RUNS_AT_ONCE // max(1, *map(len, self.steps.values()))

    @property
    def all_steps(self) -> list[PlannedStep]:
        return [step for planned in self.steps.values() for step in planned]

    @property
    def anchors(self) -> set[str]:
        return {step.anchor for step in self.all_steps if step.anchor}


def planned_steps(version_ids: Iterable[int]) -> dict[int, list[PlannedStep]]:
    steps: dict[int, list[PlannedStep]] = {version_id: [] for version_id in version_ids}
    for step in Step.objects.filter(version_id__in=steps).order_by("version_id", "position"):
        planned = PlannedStep(step.pk, step.position, step.offset_days, step.anchor, step.is_external)
        steps[step.version_id].append(planned)
    return steps


def _stage_subjects(cursor: Any, enrolling: _Enrolling, subjects: Sql) -> int:
    """Returns how many there are; they are numbered from 1."""
    cursor.execute(
        "DROP TABLE IF EXISTS enroll_subject, enroll_zone, enroll_plan, enroll_made; "
        "CREATE TEMP TABLE enroll_zone (given text, zone text, local_date date) ON COMMIT DROP; "
        "CREATE TEMP TABLE enroll_plan (zone text, version_id bigint, step_id bigint, position int, is_external bool,"
        " anchor_on date, due_on date, due_at timestamptz) ON COMMIT DROP; "
        "CREATE TEMP TABLE enroll_made (id bigint, playbook_id bigint) ON COMMIT DROP"
    )
    cursor.execute(
        "CREATE TEMP TABLE enroll_subject ON COMMIT DROP AS SELECT s.*, row_number() OVER (ORDER BY playbook_id,"
        f" account_id, end_user_id) AS n FROM ({subjects.text}) s",
        subjects.params,
    )
    count: int = cursor.rowcount
    cursor.execute("ANALYZE enroll_subject")
    cursor.execute(
        "SELECT DISTINCT a.timezone FROM enroll_subject s JOIN accounts_account a ON a.id = s.account_id"
        " WHERE a.tenant_id = %s",
        [enrolling.tenant.pk],
    )
    insert_rows(cursor, "enroll_zone", [_zone_row(enrolling, given) for (given,) in cursor.fetchall()])
    return count


def _zone_row(enrolling: _Enrolling, given: str | None) -> tuple[str | None, str, date]:
    zone = known_zone(given, otherwise=enrolling.tenant.timezone)
    return given, zone, enrolling.now.astimezone(zone_info(zone)).date()


def anchor_columns(wanted: set[str], fields: FieldSet) -> dict[str, Sql]:
    """Where each anchor date lives on `a`. A field that has gone since publishing counts as not set."""
    columns: dict[str, Sql] = {}
    for key in wanted:
        found = fields.find(Subject.ACCOUNT, key)
        known = found is not None and isinstance(found.source, Column)
        columns[key] = found.source.expression if known else Sql("NULL::date")  # type: ignore[union-attr]
    return columns


def anchor_of_step(step_id: str, steps: Iterable[PlannedStep], columns: Mapping[str, Sql]) -> Sql:
    """The anchor date of whichever step the row is about, as one expression over `a`."""
    anchored = [(step.step_id, columns[step.anchor]) for step in steps if step.anchor]
    if not anchored:
        return Sql("NULL::date")
    cases = "".join(f" WHEN {pk} THEN {column.text}" for pk, column in anchored)
    return Sql(f"CASE {step_id}{cases} END", tuple(param for _pk, column in anchored for param in column.params))


def _stage_plan(cursor: Any, enrolling: _Enrolling) -> bool:
    """Says whether a step's day was over before it began."""
    cursor.execute("SELECT DISTINCT zone, local_date FROM enroll_zone")
    rows: list[tuple[Any, ...]] = []
    has_past = False
    for zone, local_date in cursor.fetchall():
        dates = {key: _anchor_dates(cursor, enrolling.columns[key], zone) for key in enrolling.anchors}
        for application in enrolling.applications:
            began = _activation(application, zone, local_date)
            for step, anchor, when in plan(enrolling.steps[application.version_id], began, dates):
                place = (zone, application.version_id, step.step_id, step.position, step.is_external, anchor or NO_DATE)
                rows.append((*place, when.on, when.at))
                has_past |= when.past
    insert_rows(cursor, "enroll_plan", rows)
    cursor.execute("ANALYZE enroll_plan")
    return has_past


def _activation(application: Application, zone: str, local_date: date) -> Activation:
    return Activation(
        at=application.now,
        on=local_date,
        zone=zone,
        action_hour=application.tenant.action_hour,
        skip_weekends=bool(application.definition.get("skip_weekends")),
    )


def _anchor_dates(cursor: Any, column: Sql, zone: str) -> set[date | None]:
    cursor.execute(
        f"SELECT DISTINCT {column.text} FROM enroll_subject s JOIN accounts_account a ON a.id = s.account_id"
        " JOIN enroll_zone z ON z.given IS NOT DISTINCT FROM a.timezone WHERE z.zone = %s",
        [*column.params, zone],
    )
    return {day for (day,) in cursor.fetchall()}


def insert_rows(cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    values = [value for one in rows for value in one]
    cursor.execute(f"INSERT INTO {table} VALUES {', '.join([row] * len(rows))}", values)


def _insert_enrollments(cursor: Any, enrolling: _Enrolling, start: int) -> list[tuple[int, int]]:
    """Returns (playbook, enrollment) of the slice that begins after subject number `start`."""
    occasion = _occasions(enrolling)
    cursor.execute("TRUNCATE enroll_made")
    cursor.execute(
        f"""
        WITH made AS (
            INSERT INTO playbooks_enrollment (tenant_id, playbook_id, version_id, account_id, end_user_id, timezone,
                activated_at, activated_on, occasion, evaluation_id, applied_by, parent_run_id, steps_total)
            SELECT a.tenant_id, s.playbook_id, p.version_id, s.account_id, s.end_user_id, z.zone, %s, z.local_date,
                {occasion.text}, p.evaluation_id, p.applied_by, p.parent_run_id, p.steps_total
            FROM enroll_subject s
            JOIN unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::uuid[], %s::smallint[])
                p(playbook_id, version_id, evaluation_id, applied_by, parent_run_id, steps_total) USING (playbook_id)
            JOIN accounts_account a ON a.id = s.account_id AND a.tenant_id = %s
            JOIN enroll_zone z ON z.given IS NOT DISTINCT FROM a.timezone
            WHERE s.n > %s AND s.n <= %s ORDER BY s.n
            ON CONFLICT DO NOTHING RETURNING id, playbook_id
        )
        INSERT INTO enroll_made SELECT id, playbook_id FROM made RETURNING playbook_id, id
        """,
        [
            enrolling.now,
            *occasion.params,
            *_columns_of(enrolling),
            enrolling.tenant.pk,
            start,
            start + enrolling.slice,
        ],
    )
    made: list[tuple[int, int]] = cursor.fetchall()
    cursor.execute("ANALYZE enroll_made")
    return made


def _columns_of(enrolling: _Enrolling) -> Iterator[list[Any]]:
    """The applications as arrays, in the order the statement takes them apart."""
    rows = (
        (
            application.playbook.pk,
            application.version_id,
            application.evaluation_id,
            application.applied_by,
            application.parent_run_id,
            len(enrolling.steps[application.version_id]),
        )
        for application in enrolling.applications
    )
    return map(list, zip(*rows, strict=True))


def _occasions(enrolling: _Enrolling) -> Sql:
    dated = [
        (one.playbook.pk, enrolling.columns[one.occasion_field]) for one in enrolling.applications if one.occasion_field
    ]
    if not dated:
        return Sql("NULL::text")
    cases = "".join(f" WHEN {pk} THEN ({column.text})::text" for pk, column in dated)
    return Sql(f"CASE s.playbook_id{cases} END", tuple(param for _pk, column in dated for param in column.params))


def _insert_runs(cursor: Any, enrolling: _Enrolling) -> None:
    """Steps without an anchor join on the zone alone, anchored ones on the account's date too."""
    anchor_date = anchor_of_step("p.step_id", enrolling.all_steps, enrolling.columns)
    cursor.execute(
        f"""
        INSERT INTO playbooks_actionrun (tenant_id, enrollment_id, step_id, position, is_external,
            anchor_on, due_on, due_at, try_at)
        SELECT e.tenant_id, e.id, p.step_id, p.position, p.is_external,
            NULLIF(p.anchor_on, '{NO_DATE}'), p.due_on, p.due_at, p.due_at
        FROM enroll_made m
        JOIN playbooks_enrollment e ON e.id = m.id AND e.tenant_id = %s
        JOIN accounts_account a ON a.id = e.account_id
        JOIN enroll_plan p ON p.zone = e.timezone AND p.version_id = e.version_id
            AND p.anchor_on = COALESCE({anchor_date.text}, '{NO_DATE}')
        ORDER BY e.id, p.position
        """,
        [enrolling.tenant.pk, *anchor_date.params],
    )


def _finish_past(cursor: Any, enrolling: _Enrolling) -> None:
    """Anchored steps whose day was over before the enrollment began are skipped, and say so."""
    cursor.execute(
        """
        WITH skipped AS (
            UPDATE playbooks_actionrun r SET state = 'skipped', settled_at = %s, reason_code = 'past',
                reason = 'Its day was over before the playbook was applied.'
            FROM enroll_made m JOIN playbooks_enrollment e ON e.id = m.id
            WHERE r.tenant_id = %s AND r.enrollment_id = e.id AND r.due_on < e.activated_on
            RETURNING r.enrollment_id, r.id, r.tenant_id, r.reason
        )
        INSERT INTO playbooks_ledgerentry (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
        SELECT tenant_id, id, enrollment_id, %s, 'scheduled', 'skipped', 'engine', reason FROM skipped
        """,
        [enrolling.now, enrolling.tenant.pk, enrolling.now],
    )


def _count_past(made: Sequence[tuple[int, int]], enrolling: _Enrolling) -> None:
    """An enrollment whose every day was over is finished before it has begun."""
    count_progress((id for _playbook_id, id in made), tenant_id=enrolling.tenant.pk, now=enrolling.now)


def _write_down(cursor: Any, enrolling: _Enrolling) -> None:
    """Who applied it is the actor, in the ledger as on the timeline."""
    cursor.execute(
        """
        INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor)
        SELECT e.tenant_id, e.id, %s, '', 'active', e.applied_by
        FROM enroll_made m JOIN playbooks_enrollment e ON e.id = m.id WHERE e.tenant_id = %s ORDER BY e.id
        """,
        [enrolling.now, enrolling.tenant.pk],
    )
    cursor.execute(
        """
        INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
        SELECT e.tenant_id, e.account_id, e.end_user_id, %s, 'playbook.applied', e.applied_by, p.name || ' applied',
            'enrollment:' || e.id
        FROM enroll_made m JOIN playbooks_enrollment e ON e.id = m.id JOIN playbooks_playbook p ON p.id = e.playbook_id
        WHERE e.tenant_id = %s ORDER BY e.id
        """,
        [enrolling.now, enrolling.tenant.pk],
    )


def _announce(enrolling: _Enrolling) -> None:
    """Day-1 runs are due at once; a later look costs one cheap query, so the moment need not be exact."""
    for queue, external in ((WorkDue.Queue.APPLY, False), (WorkDue.Queue.DELIVER, True)):
        if any(step.is_external is external for step in enrolling.all_steps):
            WorkDue.announce(tenant_id=enrolling.tenant.pk, queue=queue, due_at=enrolling.now)
