"""Enrollments under way follow a new version, when somebody says so: their open steps become those of that version.

Steps are the same where their keys are. What was done stays, and is undone by the version that did it; an open step
that is gone is cancelled; one that is there still is done as the new version says, on the day it says; a new one is
added. Days count from the day of activation, as ever.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Count, Max, QuerySet

from accounts.fields import workspace_fields
from accounts.rules.describe import counted
from accounts.rules.sql import Sql, compose
from actions.registry import action_for
from cs_platform.common.time_limit import TooLong, at_most
from cs_platform.jobs.kinds import JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer, Tenant, WorkDue
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.holidays import load_holidays
from playbooks.definition import StepLike
from playbooks.enrollment import anchor_columns, insert_rows
from playbooks.models import Enrollment, Playbook, PlaybookVersion, Step
from playbooks.schedule import Activation, Due, PlannedStep, due, zone_info
from playbooks.settlement import count_progress
from playbooks.undo import cancel_unsent

MOVE_VERSION = "move_version"
AT_ONCE = 1_000
LIMIT_MS = 5_000
MOVABLE = (Enrollment.State.ACTIVE, Enrollment.State.PAUSED)
_OPEN = "r.state IN ('scheduled', 'held')"
# Drafted for review, it leaves as it was drafted, or is withdrawn by a person.
_MOVABLE_RUN = f"{_OPEN} AND r.prepared_at IS NULL AND r.fan_key = ''"


class Passed(StrEnum):
    """What becomes of a new step whose day was over before it was there."""

    SKIP = "skip"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class _Target:
    """A step of the version to move to; `step_id` is 0 while that is a draft."""

    step: StepLike
    position: int
    step_id: int = 0

    @property
    def planned(self) -> PlannedStep:
        is_external = action_for(self.step.action).external
        return PlannedStep(self.step_id, self.position, self.step.offset_days, self.step.anchor, is_external)


@dataclass(frozen=True, slots=True)
class _Move:
    """To where, and what its days depend on."""

    tenant: Tenant
    playbook_id: int
    version_id: int | None  # None: a draft, which nothing runs on yet
    targets: Sequence[_Target]
    skips_weekends: bool
    now: datetime
    holidays: Collection[date] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "holidays", load_holidays() if self.skips_weekends else frozenset())

    @property
    def keys(self) -> list[str]:
        return [target.step.key for target in self.targets]

    def enrollments(self) -> QuerySet[Enrollment]:
        found = Enrollment.objects.filter(playbook_id=self.playbook_id, cta=None, state__in=MOVABLE)
        return found.exclude(version_id=self.version_id) if self.version_id else found


def _to_version(version: PlaybookVersion, *, tenant: Tenant, now: datetime) -> _Move:
    steps = version.steps.order_by("position")
    targets = [_Target(step, step.position, step.pk) for step in steps]
    weekends = bool(version.definition.get("skip_weekends"))
    return _Move(tenant, version.playbook_id, version.pk, targets, weekends, now)


# Before ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepMoves:
    """What becomes of one action: in how many places, of how many the day is over."""

    change: str  # removed, changed, added or same
    icon: str
    says: str
    open: int  # for an added one: how many get it
    done: int = 0  # stays as it was done
    passed: int = 0


@dataclass(frozen=True, slots=True)
class MoveAhead:
    running: int
    steps: Sequence[StepMoves]

    @property
    def passed(self) -> bool:
        """There is something to decide."""
        return any(one.passed for one in self.steps)

    @property
    def changes(self) -> Sequence[StepMoves]:
        return [one for one in self.steps if one.change != "same"]


def look_ahead_of_move(
    playbook: Playbook, *, steps: Sequence[StepLike], skips_weekends: bool, tenant: Tenant, now: datetime
) -> MoveAhead | None:
    """If what is drafted were published, and all that runs moved there. None where counting takes too long."""
    targets = [_Target(step, at) for at, step in enumerate(steps)]
    return _look_ahead(_Move(tenant, playbook.pk, None, targets, skips_weekends, now))


def look_ahead_of_late_move(playbook: Playbook, *, tenant: Tenant, now: datetime) -> MoveAhead | None:
    """If what runs on earlier versions moved to the published one."""
    if playbook.version is None:
        return MoveAhead(0, ())
    return _look_ahead(_to_version(playbook.version, tenant=tenant, now=now))


def _look_ahead(move: _Move) -> MoveAhead | None:
    try:
        with at_most(LIMIT_MS):
            return _counted(move)
    except TooLong:
        return None


def _counted(move: _Move) -> MoveAhead:
    running = move.enrollments().count()
    if not running:
        return MoveAhead(0, ())
    tallies = _tally(move)
    old = {step.pk: step for step in Step.objects.filter(pk__in=[step_id for step_id, *_ in tallies])}
    missing = _missing(move, _lacking(move, old, tallies, running))
    by_key = {target.step.key: target.step for target in move.targets}
    lines = [_line_of_old(old[id], by_key.get(old[id].key), open, done) for id, open, done in tallies]
    lines += [_line_of_new(target, *missing[target.step.key]) for target in move.targets if target.step.key in missing]
    return MoveAhead(running, [line for line in lines if line.open or line.done])


def _tally(move: _Move) -> list[tuple[int, int, int]]:
    """(step, open, done) of every step that enrollments under way have."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT r.step_id, count(*) FILTER (WHERE {_OPEN}), count(*) FILTER (WHERE NOT {_OPEN})
            FROM playbooks_actionrun r
            JOIN playbooks_enrollment e ON e.tenant_id = r.tenant_id AND e.id = r.enrollment_id
            WHERE e.tenant_id = %s AND e.playbook_id = %s AND e.cta_id IS NULL AND e.state IN ('active', 'paused')
                AND e.version_id IS DISTINCT FROM %s AND r.fan_key = ''
                AND r.state <> 'cancelled'
            GROUP BY 1 ORDER BY min(r.position), 1
            """,
            [move.tenant.pk, move.playbook_id, move.version_id],
        )
        return cursor.fetchall()  # type: ignore[no-any-return]


def _line_of_old(old: Step, new: StepLike | None, open: int, done: int) -> StepMoves:
    change = "removed" if new is None else "same" if _content(old) == _content(new) else "changed"
    shown = new or old
    action = action_for(shown.action)
    return StepMoves(change, action.icon, action.describe(shown.config), open, done)


def _line_of_new(target: _Target, count: int, passed: int) -> StepMoves:
    action = action_for(target.step.action)
    return StepMoves("added", action.icon, action.describe(target.step.config), count, passed=passed)


def _content(step: StepLike) -> tuple[Any, ...]:
    return step.action, step.config, step.offset_days, step.anchor, step.condition or None, step.keep_on_stop


def _lacking(move: _Move, old: Mapping[int, Step], tallies: Sequence[tuple[int, int, int]], running: int) -> list[int]:
    """The steps, by their numbers, that not all of them have."""
    have: Counter[str] = Counter()
    for step_id, open, done in tallies:
        have[old[step_id].key] += open + done
    return [n for n, key in enumerate(move.keys) if have[key] < running]


def _missing(move: _Move, lacking: Sequence[int]) -> dict[str, tuple[int, int]]:
    """Of each step that some do not have: how many, and for how many its day is over."""
    found: dict[str, tuple[int, int]] = {}
    with connection.cursor() as cursor:
        _stage(cursor, move, lacking)
        cursor.execute(
            "SELECT n, zone, activated_on, anchor_on, count(*) FROM move_step WHERE run_id IS NULL GROUP BY 1, 2, 3, 4"
        )
        for n, zone, began_on, anchor_on, count in cursor.fetchall():
            key = move.targets[n].step.key
            is_over = _is_over(_due(move, n, zone, began_on, anchor_on), zone, move.now)
            had, passed = found.get(key, (0, 0))
            found[key] = (had + count, passed + (count if is_over else 0))
    return found


# Where and when -------------------------------------------------------------------------------------------------------


def _stage(cursor: Any, move: _Move, numbers: Sequence[int], ids: Sequence[int] | None = None) -> None:
    """Temp table `move_step`: every enrollment that moves with these steps of the target, and the run it has for each.

    Without ids of all that would move.
    """
    dates = {target.step.anchor for target in move.targets if target.step.anchor}
    columns = anchor_columns(dates, workspace_fields()) if dates else {}
    anchored = [(n, columns[one.step.anchor]) for n, one in enumerate(move.targets) if one.step.anchor]
    cases = "".join(f" WHEN {n} THEN {column.text}" for n, column in anchored)
    anchor = (
        Sql(f"CASE k.n{cases} END", tuple(p for _n, c in anchored for p in c.params)) if cases else Sql("NULL::date")
    )
    statement = compose(
        """
        CREATE TEMP TABLE move_step ON COMMIT DROP AS
        SELECT e.id AS enrollment_id, e.timezone AS zone, e.activated_on, e.is_dry, k.n, {anchor} AS anchor_on,
            r.id AS run_id, COALESCE({movable}, false) AS is_movable
        FROM playbooks_enrollment e JOIN accounts_account a ON a.tenant_id = {tenant} AND a.id = e.account_id
        CROSS JOIN unnest({keys}, {numbers}) k(key, n)
        LEFT JOIN LATERAL (
            SELECT r.* FROM playbooks_actionrun r JOIN playbooks_step s ON s.tenant_id = {tenant} AND s.id = r.step_id
            WHERE r.tenant_id = {tenant} AND r.enrollment_id = e.id AND s.key = k.key AND r.fan_key = ''
                AND r.state <> 'cancelled' LIMIT 1) r ON true
        WHERE e.tenant_id = {tenant} AND e.playbook_id = {playbook} AND e.cta_id IS NULL
            AND e.state IN ('active', 'paused') AND e.version_id IS DISTINCT FROM {version}
            AND ({ids} IS NULL OR e.id = ANY({ids}))
        """,
        anchor=anchor,
        movable=Sql(_MOVABLE_RUN),
        tenant=Sql.value(move.tenant.pk),
        playbook=Sql.value(move.playbook_id),
        version=Sql("%s::bigint", (move.version_id,)),
        keys=Sql("%s::text[]", ([move.keys[n] for n in numbers],)),
        numbers=Sql("%s::int[]", (list(numbers),)),
        ids=Sql("%s::bigint[]", (list(ids) if ids is not None else None,)),
    )
    cursor.execute("DROP TABLE IF EXISTS move_step")
    cursor.execute(statement.text, statement.params)


def _due(move: _Move, n: int, zone: str, began_on: date, anchor_on: date | None) -> Due:
    began = Activation(move.now, began_on, zone, move.tenant.action_hour, move.skips_weekends, move.holidays)
    return due(move.targets[n].planned, began, anchor_on)


def _is_over(when: Due, zone: str, now: datetime) -> bool:
    return when.past or (when.on is not None and when.on < now.astimezone(zone_info(zone)).date())


# Moving ---------------------------------------------------------------------------------------------------------------


def start_move(playbook: Playbook, *, passed: Passed, by: Doer, now: datetime) -> Job | None:
    """Of all that runs on earlier versions than the published one. None: nothing does."""
    version = PlaybookVersion.objects.get(pk=playbook.version_id)
    found = _to_version(version, tenant=playbook.tenant, now=now).enrollments()
    count, last = found.aggregate(count=Count("pk"), last=Max("pk")).values()
    if last is None:
        return None
    params = {"playbook": playbook.pk, "version": version.pk, "passed": passed, "until": last, "count": count}
    title = f"Move {playbook.name} to version {version.number} in {counted(count, 'place')}"
    return start_job(MOVE_VERSION, title=title, params=params, by=by, now=now)


class MoveVersion(JobKind):
    key = MOVE_VERSION
    label = "Move to a new version"
    icon = "history"
    ability = Ability.PUBLISH_PLAYBOOKS
    event = "playbook:changed"

    def count(self, job: Job, *, now: datetime) -> int:
        return int(job.params["count"])

    def step(self, job: Job, *, now: datetime) -> Slice:
        move = _of_job(job, now)
        left = move.enrollments().filter(pk__lte=job.params["until"], pk__gt=job.cursor.get("after", 0))
        locked = left.select_for_update(no_key=True).order_by("pk").select_related(None)
        ids = list(locked.values_list("pk", flat=True)[:AT_ONCE])
        if not ids:
            return Slice(None)
        counts = _move(move, ids, passed=Passed(job.params["passed"]), by=job.actor)
        return Slice(cursor={"after": ids[-1]}, done=len(ids), counts=counts)

    def says(self, job: Job) -> str:
        parts = [f"{job.result.get(name, 0):,} {words}" for name, words in _COUNTED.items()]
        return f"{counted(job.done, 'application')} moved: {', '.join(parts)}"


_COUNTED = {
    "added": "actions added",
    "cancelled": "cancelled",
    "retimed": "on another day",
    "skipped": "skipped as over",
}


def _of_job(job: Job, now: datetime) -> _Move:
    version = PlaybookVersion.objects.select_related("playbook").get(pk=job.params["version"])
    if version.playbook.version_id != version.pk:
        raise JobRefused("A newer version was published meanwhile. What was moved before stays moved.")
    return _to_version(version, tenant=job.tenant, now=now)


def _move(move: _Move, ids: Sequence[int], *, passed: Passed, by: str) -> dict[str, int]:
    """Of enrollments that are locked. One transaction with the job's place."""
    version = PlaybookVersion.objects.get(pk=move.version_id)
    removed = f"It is not in version {version.number}, to which this moved."
    cancelled = cancel_unsent(ids, tenant_id=move.tenant.pk, now=move.now, but=move.keys, code="moved", reason=removed)
    with connection.cursor() as cursor:
        _stage(cursor, move, range(len(move.targets)), ids)
        _stage_when(cursor, move, passed)
        retimed = _take_over(cursor, move, version.number, by)
        added, skipped = _add(cursor, move, version.number, by)
        _follow(cursor, move, ids, version.number, by)
    count_progress(ids, tenant_id=move.tenant.pk, now=move.now)
    for queue in (WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER):
        WorkDue.announce(tenant_id=move.tenant.pk, queue=queue, due_at=move.now)
    return {"added": added, "cancelled": cancelled, "retimed": retimed, "skipped": skipped}


def _stage_when(cursor: Any, move: _Move, passed: Passed) -> None:
    """Temp table `move_when`: one row per step, zone, day of activation and date, whatever the number of runs."""
    cursor.execute(
        "DROP TABLE IF EXISTS move_when; CREATE TEMP TABLE move_when (n int, step_id bigint, position smallint,"
        " is_external bool, zone text, activated_on date, anchor_on date, due_on date, due_at timestamptz,"
        " is_over bool, is_skipped bool) ON COMMIT DROP;"
        "SELECT DISTINCT n, zone, activated_on, anchor_on FROM move_step"
    )
    insert_rows(cursor, "move_when", list(_when_rows(move, cursor.fetchall(), passed)))


def _when_rows(move: _Move, wanted: Iterable[tuple[Any, ...]], passed: Passed) -> Iterable[tuple[Any, ...]]:
    for n, zone, began_on, anchor_on in wanted:
        planned, when = move.targets[n].planned, _due(move, n, zone, began_on, anchor_on)
        is_over = _is_over(when, zone, move.now)
        at = move.now if is_over else when.at
        skipped = is_over and passed is Passed.SKIP
        row = (n, planned.step_id, planned.position, planned.is_external, zone, began_on, anchor_on)
        yield (*row, when.on, at, is_over, skipped)


_WHEN = """
    JOIN move_when w ON w.n = m.n AND w.zone = m.zone AND w.activated_on = m.activated_on
        AND w.anchor_on IS NOT DISTINCT FROM m.anchor_on
"""


def _take_over(cursor: Any, move: _Move, number: int, by: str) -> int:
    """Open runs become the new version's. Returns how many fall on another day."""
    cursor.execute(
        f"""
        WITH taken AS (
            UPDATE playbooks_actionrun r
            SET step_id = w.step_id, position = w.position, is_external = w.is_external AND NOT m.is_dry,
                anchor_on = w.anchor_on, due_on = w.due_on, due_at = w.due_at,
                try_at = CASE WHEN r.attempt = 0 THEN w.due_at ELSE r.try_at END
            FROM move_step m {_WHEN} JOIN playbooks_actionrun o ON o.tenant_id = %(tenant)s AND o.id = m.run_id
            WHERE r.tenant_id = %(tenant)s AND r.id = m.run_id AND m.is_movable AND {_MOVABLE_RUN}
            RETURNING r.id, r.enrollment_id, r.state, r.due_on, o.due_on AS was_on
        ), written AS (
            INSERT INTO playbooks_ledgerentry
                (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %(tenant)s, id, enrollment_id, %(now)s, state, state, %(by)s,
                'Version ' || %(number)s || COALESCE(': now due on ' || due_on, ': it waits for its date.')
            FROM taken WHERE due_on IS DISTINCT FROM was_on
        )
        SELECT count(*) FROM taken WHERE due_on IS DISTINCT FROM was_on
        """,
        {"tenant": move.tenant.pk, "now": move.now, "by": by, "number": str(number)},
    )
    return int(cursor.fetchone()[0])


def _add(cursor: Any, move: _Move, number: int, by: str) -> tuple[int, int]:
    """Returns how many runs are added, and how many more are skipped, because their day is over."""
    cursor.execute(
        f"""
        WITH added AS (
            INSERT INTO playbooks_actionrun (tenant_id, enrollment_id, step_id, position, is_external, state,
                anchor_on, due_on, due_at, try_at, settled_at, reason_code, reason)
            SELECT %(tenant)s, m.enrollment_id, w.step_id, w.position, w.is_external AND NOT m.is_dry,
                CASE WHEN w.is_skipped THEN 'skipped' ELSE 'scheduled' END, w.anchor_on, w.due_on, w.due_at, w.due_at,
                CASE WHEN w.is_skipped THEN %(now)s END, CASE WHEN w.is_skipped THEN 'past' ELSE '' END,
                CASE WHEN w.is_skipped THEN 'Its day was over when version ' || %(number)s || ' came.' ELSE '' END
            FROM move_step m {_WHEN} WHERE m.run_id IS NULL ORDER BY m.enrollment_id, w.position
            RETURNING id, enrollment_id, state, reason
        ), written AS (
            INSERT INTO playbooks_ledgerentry
                (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %(tenant)s, id, enrollment_id, %(now)s, '', state, %(by)s,
                COALESCE(NULLIF(reason, ''), 'Added by version ' || %(number)s || '.') FROM added
        )
        SELECT count(*) FILTER (WHERE state = 'scheduled'), count(*) FILTER (WHERE state = 'skipped') FROM added
        """,
        {"tenant": move.tenant.pk, "now": move.now, "by": by, "number": str(number)},
    )
    added, skipped = cursor.fetchone()
    return int(added), int(skipped)


def _follow(cursor: Any, move: _Move, ids: Sequence[int], number: int, by: str) -> None:
    """They count the steps they have: those of the new version, and what earlier ones did."""
    cursor.execute(
        """
        WITH was AS (
            SELECT e.id, e.state, v.number FROM playbooks_enrollment e
            JOIN playbooks_playbookversion v ON v.tenant_id = e.tenant_id AND v.id = e.version_id
            WHERE e.tenant_id = %(tenant)s AND e.id = ANY(%(ids)s)
        ), moved AS (
            UPDATE playbooks_enrollment e SET version_id = %(version)s, steps_total = (
                SELECT greatest(count(*), 1) FROM playbooks_actionrun r
                WHERE r.tenant_id = %(tenant)s AND r.enrollment_id = e.id AND r.fan_key = '' AND r.state <> 'cancelled')
            WHERE e.tenant_id = %(tenant)s AND e.id = ANY(%(ids)s)
        )
        INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor, reason)
        SELECT %(tenant)s, id, %(now)s, state, state, %(by)s,
            'Moved from version ' || number || ' to version ' || %(number)s || '.' FROM was
        """,
        {
            "tenant": move.tenant.pk,
            "ids": list(ids),
            "version": move.version_id,
            "now": move.now,
            "by": by,
            "number": str(number),
        },
    )


def running_elsewhere(playbook: Playbook) -> int:
    """How many run on earlier versions than the published one."""
    found = Enrollment.objects.filter(playbook=playbook, cta=None, state__in=MOVABLE)
    return found.exclude(version_id=playbook.version_id).count()  # type: ignore[no-any-return]
