"""Applying a playbook: enrollments and their runs, for any number of subjects in a few statements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from accounts.fields import workspace_fields
from accounts.models import Account, EndUser
from accounts.rules.fields import Column, FieldSet, Subject
from accounts.rules.sql import Sql, compose
from cs_platform.tenancy.models import Tenant, WorkDue
from cs_platform.workspace.holidays import load_holidays
from playbooks.models import Enrollment, Playbook, Step
from playbooks.schedule import Activation, PlannedStep, known_zone, plan, zone_info
from playbooks.settlement import count_progress

RUNS_AT_ONCE = 50_000  # 89,999 at most: their ids count in five digits
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
    by_rules: bool = False  # an evaluation has found them, or a dry run before

    @property
    def version_id(self) -> int:
        assert self.playbook.version_id is not None
        return self.playbook.version_id

    @property
    def is_dry(self) -> bool:
        return self.playbook.status == Playbook.Status.DRY_RUN

    @property
    def definition(self) -> dict[str, Any]:
        return self.playbook.version.definition  # type: ignore[union-attr,no-any-return]

    @property
    def skips_weekends(self) -> bool:
        return bool(self.definition.get("skip_weekends"))

    @property
    def occasion_field(self) -> str:
        """The date these enrollments are about. Applying by hand is not bound to once per date, so it names none."""
        again = self.definition["reenrollment"]
        return again["field"] if again["policy"] == "once_per_value" and self.by_rules else ""


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
        zones = _zones(cursor, enrolling)
        dues, has_past = _dues(cursor, enrolling, zones)
        made: dict[int, list[int]] = {application.playbook.pk: [] for application in applications}
        for start in range(0, count, enrolling.slice):
            for playbook_id, id in _enroll_slice(cursor, enrolling, zones, dues, start, has_past=has_past):
                made[playbook_id].append(id)
        if any(made.values()):
            _announce(enrolling)
        return made


def _enroll_slice(
    cursor: Any, enrolling: "_Enrolling", zones: "Sequence[_Zone]", dues: Sql, start: int, *, has_past: bool
) -> list[tuple[int, int]]:
    """No statement may take longer as the workspace grows: each has a time limit."""
    made = _insert(cursor, enrolling, zones, dues, start)
    if made and has_past:
        _finish_past(cursor, made, enrolling)
        _count_past(made, enrolling)
    return made


_Way = tuple[int, str, bool]  # offset, anchor, does it skip weekends: whatever shares it falls due together


@dataclass(frozen=True, slots=True)
class _Zone:
    """What accounts name as their zone, what it is taken for, and the date there."""

    given: str
    name: str
    today: date


@dataclass(frozen=True, slots=True)
class _Enrolling:
    """Applications carried out together: what they share, and the steps of their versions."""

    tenant: Tenant
    now: datetime
    applications: Sequence[Application]
    steps: Mapping[int, Sequence[PlannedStep]]  # by version
    columns: Mapping[str, Sql]  # where each date that is asked for lives on `a`
    ways: Mapping[_Way, PlannedStep]  # with one step of each

    @classmethod
    def of(cls, applications: Sequence[Application], fields: FieldSet | None) -> "_Enrolling":
        steps = planned_steps(application.version_id for application in applications)
        dates = {step.anchor for planned in steps.values() for step in planned}
        dates |= {application.occasion_field for application in applications}
        dates.discard("")
        columns = anchor_columns(dates, fields or workspace_fields()) if dates else {}
        ways = {_way(step, one): step for one in applications for step in steps[one.version_id]}
        return cls(applications[0].tenant, applications[0].now, applications, steps, columns, ways)

    @property
    def slice(self) -> int:
        """How many enrollments one statement writes, with as many runs as the longest playbook has steps."""
        return RUNS_AT_ONCE // max(1, *map(len, self.steps.values()))

    @property
    def is_sifted(self) -> bool:
        return all(application.evaluation_id for application in self.applications)

    @property
    def all_steps(self) -> list[PlannedStep]:
        return [step for planned in self.steps.values() for step in planned]

    @property
    def anchors(self) -> set[str]:
        return {step.anchor for step in self.all_steps if step.anchor}


def _way(step: PlannedStep, application: Application) -> _Way:
    return step.offset_days, step.anchor, application.skips_weekends


def planned_steps(version_ids: Iterable[int]) -> dict[int, list[PlannedStep]]:
    steps: dict[int, list[PlannedStep]] = {version_id: [] for version_id in version_ids}
    found = Step.objects.filter(version_id__in=steps).order_by("version_id", "position")
    for version_id, *planned in found.values_list(
        "version_id", "pk", "position", "offset_days", "anchor", "is_external"
    ):
        steps[version_id].append(PlannedStep(*planned))
    return steps


def _stage_subjects(cursor: Any, enrolling: _Enrolling, subjects: Sql) -> int:
    """Returns how many there are; they are numbered from 1."""
    occasion = _occasions(enrolling)
    cursor.execute(
        "DROP TABLE IF EXISTS enroll_subject; CREATE TEMP TABLE enroll_subject ON COMMIT DROP AS"
        f" SELECT s.*, COALESCE(a.timezone, '') AS given, {occasion.text} AS occasion,"
        " row_number() OVER (ORDER BY s.playbook_id, s.account_id, s.end_user_id) AS n"
        f" FROM ({subjects.text}) s JOIN accounts_account a ON a.id = s.account_id AND a.tenant_id = %s",
        [*occasion.params, *subjects.params, enrolling.tenant.pk],
    )
    return cursor.rowcount  # type: ignore[no-any-return]


def _occasions(enrolling: _Enrolling) -> Sql:
    dated = [one for one in enrolling.applications if one.occasion_field]
    return occasion_of("s.playbook_id", {one.playbook.pk: enrolling.columns[one.occasion_field] for one in dated})


def occasion_of(playbook_id: str, dates: Mapping[int, Sql]) -> Sql:
    """The date that an enrollment concerns, whichever of these playbooks the row names: one expression over `a`."""
    if not dates:
        return Sql("NULL::text")
    cases = "".join(f" WHEN {pk} THEN ({column.text})::text" for pk, column in dates.items())
    return Sql(f"CASE {playbook_id}{cases} END", tuple(param for column in dates.values() for param in column.params))


def _zones(cursor: Any, enrolling: _Enrolling) -> list[_Zone]:
    cursor.execute("ANALYZE enroll_subject; SELECT DISTINCT given FROM enroll_subject")
    return [_zone(enrolling, given) for (given,) in cursor.fetchall()]


def _zone(enrolling: _Enrolling, given: str) -> _Zone:
    name = known_zone(given, otherwise=enrolling.tenant.timezone)
    return _Zone(given, name, enrolling.now.astimezone(zone_info(name)).date())


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


_DUE = "zone text, way int, anchor_on date, due_on date, due_at timestamptz"


def _dues(cursor: Any, enrolling: _Enrolling, zones: Sequence[_Zone]) -> tuple[Sql, bool]:
    """A table `d`: few rows, whatever the number of subjects. And whether a day was over before it began.

    Ways are numbered as `enrolling.ways` lists them.
    """
    holidays = load_holidays() if any(skips for _offset, _anchor, skips in enrolling.ways) else frozenset()
    rows: list[tuple[Any, ...]] = []
    has_past = False
    for zone, today in {(zone.name, zone.today) for zone in zones}:
        given = [one.given for one in zones if one.name == zone]
        dates = {key: _anchor_dates(cursor, enrolling.columns[key], given) for key in enrolling.anchors}
        for number, ((_offset, _anchor, skips_weekends), example) in enumerate(enrolling.ways.items()):
            began = Activation(enrolling.now, today, zone, enrolling.tenant.action_hour, skips_weekends, holidays)
            for _step, anchor, when in plan([example], began, dates):
                rows.append((zone, number, anchor or NO_DATE, when.on, when.at))
                has_past |= when.past
    return _staged_dues(cursor, rows) if enrolling.anchors else _table("d", _DUE, rows), has_past


def _staged_dues(cursor: Any, rows: Sequence[tuple[Any, ...]]) -> Sql:
    """Of a list of parameters the planner knows no number of dates, and joins many anchored steps ten times slower."""
    cursor.execute(f"DROP TABLE IF EXISTS enroll_due; CREATE TEMP TABLE enroll_due ({_DUE}) ON COMMIT DROP")
    insert_rows(cursor, "enroll_due", rows)
    cursor.execute("ANALYZE enroll_due")
    return Sql("enroll_due d")


def _anchor_dates(cursor: Any, column: Sql, given: Sequence[str]) -> set[date | None]:
    cursor.execute(
        f"SELECT DISTINCT {column.text} FROM enroll_subject s JOIN accounts_account a ON a.id = s.account_id"
        " WHERE s.given = ANY(%s)",
        [*column.params, given],
    )
    return {day for (day,) in cursor.fetchall()}


def insert_rows(cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    values = [value for one in rows for value in one]
    cursor.execute(f"INSERT INTO {table} VALUES {', '.join([row] * len(rows))}", values)


_INSERT = """
    WITH made AS (
        INSERT INTO playbooks_enrollment (tenant_id, playbook_id, version_id, account_id, end_user_id, timezone,
            activated_at, activated_on, occasion, evaluation_id, applied_by, by_rules, parent_run_id,
            steps_total, is_dry)
        SELECT {tenant}, s.playbook_id, p.version_id, s.account_id, s.end_user_id, z.zone, {now}, z.local_date,
            s.occasion, p.evaluation_id, p.applied_by, p.by_rules, p.parent_run_id, p.steps_total, p.is_dry
        FROM enroll_subject s JOIN {applications} USING (playbook_id) JOIN {zones} USING (given)
        WHERE s.n > {start} AND s.n <= {end} ORDER BY s.n
        {on_conflict}
        RETURNING id, playbook_id, version_id, account_id, end_user_id, timezone, applied_by, is_dry
    ), stamp AS MATERIALIZED (
        -- Ids count up from there, as RFC 9562 allows: drawing each anew took a tenth of all this. Five decimal digits
        -- are hexadecimal ones, too.
        SELECT left(uuidv7()::text, -5) AS prefix
    ), runs AS (
        INSERT INTO playbooks_actionrun (id, tenant_id, enrollment_id, step_id, position, is_external,
            anchor_on, due_on, due_at, try_at)
        -- Nothing of a dry run is ever handed to those who send.
        SELECT (stamp.prefix || (10000 + row_number() OVER (ORDER BY m.id, p.position)))::uuid,
            {tenant}, m.id, p.step_id, p.position, p.is_external AND NOT m.is_dry,
            NULLIF(d.anchor_on, '-infinity'), d.due_on, d.due_at, d.due_at
        FROM stamp, made m {accounts} JOIN {steps} USING (version_id)
        JOIN {dues} ON d.zone = m.timezone AND d.way = p.way AND d.anchor_on = COALESCE({anchor}, '-infinity')
        ORDER BY m.id, p.position
    ), over AS (
        SELECT o.id FROM made m JOIN playbooks_enrollment o ON o.account_id = m.account_id
            AND o.playbook_id = m.playbook_id AND o.state IN ('completed', 'stopped')
        WHERE o.tenant_id = {tenant} AND o.end_user_id IS NOT DISTINCT FROM m.end_user_id AND o.cta_id IS NULL
            AND NOT o.is_superseded AND o.activated_at <= {now} AND o.is_dry = m.is_dry
        FOR NO KEY UPDATE OF o SKIP LOCKED
    ), superseded AS (
        UPDATE playbooks_enrollment e SET is_superseded = true FROM over WHERE e.tenant_id = {tenant} AND e.id = over.id
    ), recorded AS (
        INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor)
        SELECT {tenant}, id, {now}, '', 'active', applied_by FROM made ORDER BY id
    ), told AS (
        INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
        SELECT {tenant}, m.account_id, m.end_user_id, {now}, 'playbook.applied', m.applied_by, p.name || ' applied',
            'enrollment:' || m.id
        FROM made m JOIN {applications} USING (playbook_id) WHERE NOT m.is_dry ORDER BY m.id
    )
    SELECT playbook_id, id FROM made
"""


def _insert(cursor: Any, enrolling: _Enrolling, zones: Sequence[_Zone], dues: Sql, start: int) -> list[tuple[int, int]]:
    """An evaluation has left out whom it must not enroll. It is believed first, which spares a look into every unique
    index for every row, until somebody else was faster.
    """
    if enrolling.is_sifted:
        try:
            with transaction.atomic():
                return _inserted(cursor, enrolling, zones, dues, start, lenient=False)
        except IntegrityError:
            pass
    return _inserted(cursor, enrolling, zones, dues, start, lenient=True)


def _inserted(
    cursor: Any, enrolling: _Enrolling, zones: Sequence[_Zone], dues: Sql, start: int, *, lenient: bool
) -> list[tuple[int, int]]:
    """Returns (playbook, enrollment) of the slice after subject number `start`. Who applied it is the actor.

    Steps without an anchor fall due by the zone alone, anchored ones by the account's date too.
    """
    statement = compose(
        _INSERT,
        on_conflict=Sql("ON CONFLICT DO NOTHING" if lenient else ""),
        tenant=Sql.value(enrolling.tenant.pk),
        now=Sql.value(enrolling.now),
        start=Sql.value(start),
        end=Sql.value(start + enrolling.slice),
        applications=_applications(enrolling),
        zones=_table("z", "given text, zone text, local_date date", [(z.given, z.name, z.today) for z in zones]),
        steps=_steps(enrolling),
        dues=dues,
        anchor=anchor_of_step("p.step_id", enrolling.all_steps, enrolling.columns),
        accounts=_accounts(enrolling) if enrolling.anchors else Sql(""),
    )
    cursor.execute(statement.text, statement.params)
    return cursor.fetchall()  # type: ignore[no-any-return]


def _accounts(enrolling: _Enrolling) -> Sql:
    return Sql("JOIN accounts_account a ON a.id = m.account_id AND a.tenant_id = %s", (enrolling.tenant.pk,))


def _applications(enrolling: _Enrolling) -> Sql:
    columns = (
        "playbook_id bigint, version_id bigint, evaluation_id bigint, applied_by text, by_rules bool,"
        " parent_run_id uuid, steps_total smallint, name text, is_dry bool"
    )
    rows = [
        (
            one.playbook.pk,
            one.version_id,
            one.evaluation_id,
            one.applied_by,
            one.by_rules,
            one.parent_run_id,
            len(enrolling.steps[one.version_id]),
            one.playbook.name,
            one.is_dry,
        )
        for one in enrolling.applications
    ]
    return _table("p", columns, rows)


def _steps(enrolling: _Enrolling) -> Sql:
    numbers = {way: number for number, way in enumerate(enrolling.ways)}
    rows = [
        (one.version_id, step.step_id, step.position, step.is_external, numbers[_way(step, one)])
        for one in enrolling.applications
        for step in enrolling.steps[one.version_id]
    ]
    return _table("p", "version_id bigint, step_id bigint, position smallint, is_external bool, way int", rows)


def _table(name: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> Sql:
    """Rows as a table of one parameter a column: the planner knows how many they are."""
    names, types = zip(*(column.split() for column in columns.split(", ")), strict=True)
    arrays = ", ".join(f"%s::{type}[]" for type in types)
    values = zip(*rows, strict=True) if rows else [()] * len(names)
    return Sql(f"unnest({arrays}) {name}({', '.join(names)})", tuple(map(list, values)))


def _finish_past(cursor: Any, made: Sequence[tuple[int, int]], enrolling: _Enrolling) -> None:
    """Anchored steps whose day was over before the enrollment began are skipped, and say so."""
    cursor.execute(
        """
        WITH skipped AS (
            UPDATE playbooks_actionrun r SET state = 'skipped', settled_at = %s, reason_code = 'past',
                reason = 'Its day was over before the playbook was applied.'
            FROM playbooks_enrollment e
            WHERE r.tenant_id = %s AND e.id = ANY(%s) AND r.enrollment_id = e.id AND r.due_on < e.activated_on
            RETURNING r.enrollment_id, r.id, r.tenant_id, r.reason
        )
        INSERT INTO playbooks_ledgerentry (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
        SELECT tenant_id, id, enrollment_id, %s, 'scheduled', 'skipped', 'engine', reason FROM skipped
        """,
        [enrolling.now, enrolling.tenant.pk, [id for _playbook_id, id in made], enrolling.now],
    )


def _count_past(made: Sequence[tuple[int, int]], enrolling: _Enrolling) -> None:
    """An enrollment whose every day was over is finished before it has begun."""
    count_progress((id for _playbook_id, id in made), tenant_id=enrolling.tenant.pk, now=enrolling.now)


def _announce(enrolling: _Enrolling) -> None:
    """Day-1 runs are due at once; a later look costs one cheap query, so the moment need not be exact."""
    dry = any(application.is_dry for application in enrolling.applications)
    for queue, external in ((WorkDue.Queue.APPLY, False), (WorkDue.Queue.DELIVER, True)):
        if any(step.is_external is external for step in enrolling.all_steps) or (dry and not external):
            WorkDue.announce(tenant_id=enrolling.tenant.pk, queue=queue, due_at=enrolling.now)
