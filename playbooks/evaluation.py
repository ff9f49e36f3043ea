"""The nightly look: all live playbooks of a workspace against all its accounts, in one statement per kind of audience.

The result goes into an analysed temp table as a bitmask per subject; who may not be enrolled (again) is subtracted as
a mask; what is left is enrolled, unless the brake holds it for a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from accounts.fields import workspace_fields
from accounts.models import Account
from accounts.rules.compile import Audience, chunked, one_pass_accounts, one_pass_users
from accounts.rules.fields import FieldSet
from accounts.rules.grammar import RuleErrors
from accounts.rules.sql import Clock, Sql
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, WorkDue
from playbooks import undo
from playbooks.definition import audience_of
from playbooks.enrollment import Application, anchor_columns, enroll_selected
from playbooks.models import Enrollment, Evaluation, EvaluationRun, Playbook
from playbooks.retiming import follow_anchors
from playbooks.schedule import next_time_of_day

BRAKE_FLOOR = 25
BRAKE_SHARE = 0.10
FIRST_TIME_MARGIN = 1.2  # how far above the number Review showed a first evaluation may go


@dataclass(slots=True)
class Candidate:
    """A live playbook with its compiled-to-be rules and its bit in the statement it shares."""

    playbook: Playbook
    audience: Audience
    bit: int = 0
    again: dict[str, Any] = field(default_factory=dict)

    @property
    def stops_on_unmatch(self) -> bool:
        return self.playbook.version.definition["on_unmatch"] == "stop"  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Look:
    """One evaluation under way."""

    tenant: Tenant
    run: EvaluationRun
    fields: FieldSet
    now: datetime
    tracked: int
    lift_brake: bool = False

    @property
    def clock(self) -> Clock:
        return Clock.at(self.now, ZoneInfo(self.tenant.timezone))


def evaluate_if_due(tenant: Tenant, *, now: datetime) -> EvaluationRun | None:
    """The nightly run, once per local day; afterwards the workspace is due again tomorrow. None when it has been."""
    with tenant_context(tenant.pk):
        local = now.astimezone(ZoneInfo(tenant.timezone))
        run = (
            _open_run(EvaluationRun.Trigger.NIGHTLY, local.date(), now=now)
            if local.hour >= tenant.evaluation_hour
            else None
        )
        if run is not None:
            _evaluate(tenant, run, now=now)
        due_at = next_time_of_day(now, hour=tenant.evaluation_hour, zone=tenant.timezone)
        WorkDue.objects.update_or_create(tenant=tenant, queue=WorkDue.Queue.EVALUATE, defaults={"due_at": due_at})
        return run


def evaluate_now(tenant: Tenant, *, by: Membership | None, now: datetime) -> EvaluationRun:
    """The same look, whenever a person (or an integration) asks."""
    with tenant_context(tenant.pk):
        local_date = now.astimezone(ZoneInfo(tenant.timezone)).date()
        run = _open_run(EvaluationRun.Trigger.MANUAL, local_date, now=now, by=by)
        assert run is not None
        _evaluate(tenant, run, now=now)
        return run


def release(evaluation: Evaluation, *, by: str, now: datetime) -> Evaluation | None:
    """Let a held evaluation through: the playbook is looked at again, now, without the brake. None: already settled."""
    with transaction.atomic():
        if not _settle(evaluation, Evaluation.State.RELEASED, by=by, now=now):
            return None
        tenant = evaluation.tenant
        local_date = now.astimezone(ZoneInfo(tenant.timezone)).date()
        run = EvaluationRun.objects.create(trigger=EvaluationRun.Trigger.MANUAL, local_date=local_date, started_at=now)
        _evaluate(tenant, run, now=now, only=evaluation.playbook_id, lift_brake=True)
        return run.evaluations.first()


def drop(evaluation: Evaluation, *, by: str, now: datetime) -> bool:
    """Let a held evaluation go without effect. The next one may be held again."""
    return _settle(evaluation, Evaluation.State.DROPPED, by=by, now=now)


def _settle(evaluation: Evaluation, state: str, *, by: str, now: datetime) -> bool:
    held = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.HELD)
    return held.update(state=state, settled_at=now, settled_by=by) == 1


def _open_run(trigger: str, local_date: Any, *, now: datetime, by: Membership | None = None) -> EvaluationRun | None:
    """Insert or nothing: a second beat finds the night's row and leaves."""
    fresh = EvaluationRun(trigger=trigger, local_date=local_date, started_at=now, requested_by=by)
    if trigger == EvaluationRun.Trigger.MANUAL:
        fresh.save()
        return fresh
    EvaluationRun.objects.bulk_create([fresh], ignore_conflicts=True)
    mine = EvaluationRun.objects.select_for_update().get(trigger=trigger, local_date=local_date)
    return mine if mine.finished_at is None else None


def _evaluate(
    tenant: Tenant, run: EvaluationRun, *, now: datetime, only: int | None = None, lift_brake: bool = False
) -> None:
    look = Look(tenant, run, workspace_fields(), now, Account.objects.tracked().count(), lift_brake)
    follow_anchors(tenant=tenant, fields=look.fields, now=now)
    for kind in (Playbook.Audience.ACCOUNTS, Playbook.Audience.USERS):
        for chunk in _chunks(look, kind, only):
            stage_hits(look, chunk, users=kind == Playbook.Audience.USERS)
            _stage_fresh(look, chunk)
            for candidate in chunk:
                _settle_candidate(look, candidate)
    run.looked_at, run.finished_at = look.tracked, now
    run.duration_ms = _elapsed_ms(now)
    run.save(update_fields=["looked_at", "finished_at", "duration_ms"])


def _elapsed_ms(now: datetime) -> int:
    """Measured by the database from the transaction's start; `now` may be a simulated moment and tells nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1000 * EXTRACT(epoch FROM clock_timestamp() - transaction_timestamp())")
        return int(cursor.fetchone()[0])


def _chunks(look: Look, kind: str, only: int | None) -> Iterator[list[Candidate]]:
    live = Playbook.objects.filter(status=Playbook.Status.LIVE, audience=kind).select_related("version")
    if only is not None:
        live = live.filter(pk=only)
    candidates = list(_candidates(look, live.order_by("pk")))
    audiences = iter(candidates)
    for chunk in chunked([candidate.audience for candidate in candidates]):
        members = [next(audiences) for _ in chunk]
        for bit, candidate in enumerate(members):
            candidate.bit = bit
        yield members


def _candidates(look: Look, playbooks: Any) -> Iterator[Candidate]:
    """A playbook whose rules no longer parse (a trait was deleted) is held and named; the others go on."""
    for playbook in playbooks:
        definition = playbook.version.definition
        try:
            yield Candidate(playbook, audience_of(definition, look.fields), again=definition["reenrollment"])
        except RuleErrors as errors:
            Evaluation.objects.create(
                run=look.run,
                playbook=playbook,
                version=playbook.version,
                state=Evaluation.State.HELD,
                reason=f"Its rules cannot be asked any more: {errors}"[:200],
            )


def stage_hits(look: Look, chunk: Sequence[Candidate], *, users: bool) -> None:
    """Temp table `hit(account_id, end_user_id, bits)`: who matches what."""
    audiences = [candidate.audience for candidate in chunk]
    if users:
        found = one_pass_users(audiences, tenant_id=look.tenant.pk, clock=look.clock)
        columns = "account_id, end_user_id, bits"
    else:
        found = one_pass_accounts(audiences, tenant_id=look.tenant.pk, clock=look.clock)
        columns = "id AS account_id, NULL::bigint AS end_user_id, bits"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS hit")
        cursor.execute(
            f"CREATE TEMP TABLE hit ON COMMIT DROP AS SELECT {columns} FROM ({found.text}) found; ANALYZE hit",
            found.params,
        )


def _stage_fresh(look: Look, chunk: Sequence[Candidate]) -> None:
    """Temp table `fresh`: hits less those whose re-enrollment policy says no."""
    taken = Sql.join(" UNION ALL ", list(_taken(look, chunk)))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS fresh")
        cursor.execute(
            f"""
            CREATE TEMP TABLE fresh ON COMMIT DROP AS
            SELECT h.account_id, h.end_user_id, h.bits & ~COALESCE(t.bits, 0) AS bits
            FROM hit h LEFT JOIN (
                SELECT account_id, end_user_id, bit_or(bits) AS bits FROM ({taken.text}) x GROUP BY 1, 2
            ) t ON t.account_id = h.account_id AND t.end_user_id IS NOT DISTINCT FROM h.end_user_id
            WHERE h.bits & ~COALESCE(t.bits, 0) <> 0;
            ANALYZE fresh
            """.replace("t.end_user_id IS NOT DISTINCT FROM h.end_user_id", _same_user(chunk)),
            taken.params,
        )


def _same_user(chunk: Sequence[Candidate]) -> str:
    """IS NOT DISTINCT FROM cannot be hashed; one kind of audience has a user on every row, the other on none."""
    users = chunk[0].playbook.audience == Playbook.Audience.USERS
    return "t.end_user_id = h.end_user_id" if users else "true"


def _taken(look: Look, chunk: Sequence[Candidate]) -> Iterator[Sql]:
    """Rows (account_id, end_user_id, bits) of enrollments that rule out another one, by policy."""
    for policy in ("once_ever", "every_match"):
        members = [candidate for candidate in chunk if candidate.again["policy"] == policy]
        if members:
            yield _taken_by_state(look, members, policy)
    for candidate in chunk:
        if candidate.again["policy"] == "once_per_value":
            yield _taken_by_value(look, candidate)
        elif candidate.again["policy"] == "at_most":
            yield _taken_by_count(look, candidate)


_LIVE_STATES = "('active', 'paused', 'stopping')"


def _taken_by_state(look: Look, members: Sequence[Candidate], policy: str) -> Sql:
    """Once ever: any enrollment. Every match: an active one, or one since which the rules never stopped matching."""
    cases = "".join(f" WHEN {candidate.playbook.pk} THEN {1 << candidate.bit}::bigint" for candidate in members)
    ids = ", ".join(str(candidate.playbook.pk) for candidate in members)
    again = (
        ""
        if policy == "once_ever"
        else f" AND (e.state IN {_LIVE_STATES} OR e.left_at IS NULL OR e.activated_at > %s - interval '24 hours')"
    )
    return Sql(
        f"SELECT e.account_id, e.end_user_id, CASE e.playbook_id{cases} END AS bits FROM playbooks_enrollment e"
        f" WHERE e.tenant_id = {look.tenant.pk} AND e.playbook_id IN ({ids}){again}",
        (look.now,) if again else (),
    )


def _taken_by_value(look: Look, candidate: Candidate) -> Sql:
    key = candidate.again["field"]
    value = anchor_columns({key}, look.fields)[key]
    return Sql(
        f"SELECT e.account_id, e.end_user_id, {1 << candidate.bit}::bigint AS bits FROM playbooks_enrollment e"
        f" JOIN accounts_account a ON a.id = e.account_id WHERE e.tenant_id = {look.tenant.pk}"
        f" AND e.playbook_id = {candidate.playbook.pk}"
        f" AND (e.state IN {_LIVE_STATES} OR e.occasion = ({value.text})::text)",
        value.params,
    )


def _taken_by_count(look: Look, candidate: Candidate) -> Sql:
    """At most N times, or at most once in D days, or both; and never while one is active."""
    limits, params = [f"bool_or(e.state IN {_LIVE_STATES})"], []
    if candidate.again.get("times"):
        limits.append("count(*) >= %s")
        params.append(candidate.again["times"])
    if candidate.again.get("days"):
        limits.append("max(e.activated_at) > %s - make_interval(days => %s)")
        params += [look.now, candidate.again["days"]]
    return Sql(
        f"SELECT e.account_id, e.end_user_id, {1 << candidate.bit}::bigint AS bits FROM playbooks_enrollment e"
        f" WHERE e.tenant_id = {look.tenant.pk} AND e.playbook_id = {candidate.playbook.pk}"
        f" GROUP BY 1, 2 HAVING {' OR '.join(limits)}",
        tuple(params),
    )


def _settle_candidate(look: Look, candidate: Candidate) -> None:
    bit = 1 << candidate.bit
    matched, would_enroll = _count("hit", bit), _count("fresh", bit)
    leaving = _leaving(look, candidate)
    limit = _limit(look, candidate.playbook)
    held = not look.lift_brake and max(would_enroll, len(leaving)) > limit
    evaluation = Evaluation.objects.create(
        run=look.run,
        playbook=candidate.playbook,
        version=candidate.playbook.version,
        state=Evaluation.State.HELD if held else Evaluation.State.DONE,
        matched=matched,
        would_enroll=would_enroll,
        would_release=len(leaving),
        limit=limit,
        reason=_why_held(would_enroll, len(leaving), limit) if held else "",
    )
    if not held:
        _carry_out(look, candidate, evaluation, leaving)


def _count(table: str, bit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE bits & {bit}::bigint <> 0")
        return cursor.fetchone()[0]


def _limit(look: Look, playbook: Playbook) -> int:
    """The brake. Setting a playbook live accepted the number Review showed; it is about what nobody was shown."""
    usual = playbook.version.definition.get("brake_limit") or max(BRAKE_FLOOR, int(look.tracked * BRAKE_SHARE))  # type: ignore[union-attr]
    if playbook.first_evaluated_at is None and playbook.expected_count is not None:
        return max(usual, int(playbook.expected_count * FIRST_TIME_MARGIN))
    return usual


def _why_held(would_enroll: int, would_release: int, limit: int) -> str:
    what = f"enroll {would_enroll:,}" if would_enroll >= would_release else f"stop {would_release:,}"
    return f"It would {what} at once, more than the limit of {limit:,}. Let it through if that is right, or drop it."


def _carry_out(look: Look, candidate: Candidate, evaluation: Evaluation, leaving: Sequence[int]) -> None:
    playbook, bit = candidate.playbook, 1 << candidate.bit
    application = Application(
        look.tenant, playbook, applied_by=f"evaluation:{evaluation.pk}", now=look.now, evaluation_id=evaluation.pk
    )
    if evaluation.would_enroll:
        fresh = Sql(f"SELECT account_id, end_user_id FROM fresh WHERE bits & {bit}::bigint <> 0")
        evaluation.enrolled = len(enroll_selected(application, fresh))
    evaluation.released = _release(look, candidate, evaluation, leaving)
    evaluation.save(update_fields=["enrolled", "released"])
    Playbook.objects.filter(pk=playbook.pk, first_evaluated_at=None).update(first_evaluated_at=look.now)


def _leaving(look: Look, candidate: Candidate) -> list[int]:
    """Enrollments made by evaluations whose subject no longer matches; each is noted once, the first time."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT e.id FROM playbooks_enrollment e
            WHERE e.tenant_id = %s AND e.playbook_id = %s AND e.left_at IS NULL AND e.state <> 'stopping'
              AND NOT EXISTS (SELECT 1 FROM hit h WHERE h.account_id = e.account_id
                  AND h.end_user_id IS NOT DISTINCT FROM e.end_user_id AND h.bits & {1 << candidate.bit}::bigint <> 0)
            ORDER BY e.id
            """,
            [look.tenant.pk, candidate.playbook.pk],
        )
        gone = [id for (id,) in cursor.fetchall()]
    if not candidate.stops_on_unmatch:
        Enrollment.objects.filter(pk__in=gone).update(left_at=look.now)
        return []
    return list(
        Enrollment.objects.filter(pk__in=gone, state__in=["active", "paused"], applied_by__startswith="evaluation:")
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def _release(look: Look, candidate: Candidate, evaluation: Evaluation, leaving: Sequence[int]) -> int:
    if not leaving:
        return 0
    Enrollment.objects.filter(pk__in=leaving).update(left_at=look.now)
    note = "Its rules no longer match."
    return undo.request_stops(
        leaving, tenant_id=look.tenant.pk, by=f"evaluation:{evaluation.pk}", note=note, now=look.now
    )
