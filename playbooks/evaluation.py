"""The nightly look: all live playbooks of a workspace against all its accounts, in one statement per kind of audience.

The result goes into an analysed temp table as a bitmask per subject; who may not be enrolled (again) is subtracted as
a mask; what is left is enrolled, unless the brake holds it for a person.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection, transaction
from psycopg2.errors import LockNotAvailable

from accounts import nightly
from accounts.fields import workspace_fields
from accounts.models import Account
from accounts.rules.compile import Audience, chunked, one_pass_accounts, one_pass_users
from accounts.rules.fields import FieldSet
from accounts.rules.grammar import RuleErrors
from accounts.rules.sql import Clock, Sql, compose
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Doer, Tenant, WorkDue
from ctas.orphans import hand_on
from ctas.recurring import open_due
from playbooks import undo
from playbooks.definition import audience_of
from playbooks.enrollment import Application, anchor_columns, enroll_selected, occasion_of
from playbooks.holdout import is_drawn, share_of, withhold_selected
from playbooks.models import Enrollment, Evaluation, EvaluationRun, Playbook
from playbooks.outcomes import mark_reached
from playbooks.retiming import follow_anchors
from playbooks.schedule import next_time_of_day
from success_plans.handover import hand_on_plans

EVALUATING = 7_366_003  # the lock's name; the workspace is its other half
ASKING = 7_366_005
BRAKE_FLOOR = 25
BRAKE_SHARE = 0.10
EVALUATED = (Playbook.Status.LIVE, Playbook.Status.DRY_RUN)
FIRST_TIME_MARGIN = 1.2  # how far above the number Review showed a first evaluation may go


class UnderWay(Exception):
    """Another look at this workspace has not ended."""

    def __init__(self) -> None:
        super().__init__("The rules are being checked already. What came of it is on this page when that ends.")


@dataclass(slots=True)
class Candidate:
    """A live playbook with its compiled-to-be rules and its bit in the statement it shares."""

    playbook: Playbook
    audience: Audience
    bit: int = 0
    again: dict[str, Any] = field(default_factory=dict)
    respects_known_cause: bool = False
    holdout: int = 0  # per cent that are left out, to compare

    @classmethod
    def of(cls, playbook: Playbook, definition: Mapping[str, Any], fields: FieldSet) -> "Candidate":
        """Raises RuleErrors."""
        return cls(
            playbook,
            audience_of(definition, fields),
            again=definition["reenrollment"],
            respects_known_cause=bool(definition.get("respects_known_cause")),
            holdout=share_of(playbook.status, definition),
        )

    @property
    def is_dry(self) -> bool:
        return self.playbook.status == Playbook.Status.DRY_RUN

    @property
    def counted(self) -> str:
        """Which of its enrollments `e` count: real ones, and for a dry run what that has recorded."""
        if not self.is_dry or self.playbook.live_at is None:
            return "NOT e.is_dry"
        return f"(NOT e.is_dry OR e.activated_at >= '{self.playbook.live_at.isoformat()}'::timestamptz)"

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

    @property
    def lifts_brake(self) -> bool:
        return self.run.trigger == EvaluationRun.Trigger.RELEASE

    @property
    def clock(self) -> Clock:
        return Clock.at(self.now, ZoneInfo(self.tenant.timezone))


def evaluate_if_due(tenant: Tenant, *, now: datetime) -> EvaluationRun | None:
    """What people asked for, and the nightly run, once per local day; then the workspace is due again tomorrow.

    Returns the nightly run. None when it has been.

    While another look is under way the workspace stays due, and this worker goes on to the next one.
    """
    with tenant_context(tenant.pk):
        if not _is_ours(tenant):
            return None
        for asked in EvaluationRun.objects.asked().order_by("pk"):
            asked.started_at = now
            _evaluate(tenant, asked, now=now)
        local = now.astimezone(ZoneInfo(tenant.timezone))
        run = _nightly_run(local.date(), now=now) if local.hour >= tenant.evaluation_hour else None
        if run is not None:
            _evaluate(tenant, run, now=now)
        due_at = next_time_of_day(now, hour=tenant.evaluation_hour, zone=tenant.timezone)
        WorkDue.objects.update_or_create(tenant=tenant, queue=WorkDue.Queue.EVALUATE, defaults={"due_at": due_at})
        return run


def ask_for_look(tenant: Tenant, *, by: Doer, now: datetime) -> EvaluationRun:
    """Somebody wants the rules checked now: a worker does it. Who asks while one is asked for gets that one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ASKING, tenant.pk % 2**31])
    asked = EvaluationRun.objects.asked().filter(playbook=None).order_by("pk").first()
    if asked is None:
        asked = _asked_run(tenant, EvaluationRun.Trigger.MANUAL, by=by, now=now)
        record(verb="evaluation.asked", subject_type="evaluation_run", subject_id=asked.pk, by=by, now=now)
    WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.EVALUATE, due_at=now)
    return asked


def evaluate_now(tenant: Tenant, *, by: Doer | None, now: datetime) -> EvaluationRun:
    """The same look at once, for who can wait for it. Raises UnderWay."""
    with tenant_context(tenant.pk):
        _wait_for_others(tenant)
        run = _asked_run(tenant, EvaluationRun.Trigger.MANUAL, by=by, now=now)
        record(verb="evaluation.asked", subject_type="evaluation_run", subject_id=run.pk, by=by, now=now)
        _evaluate(tenant, run, now=now)
        return run


def release(evaluation: Evaluation, *, by: Doer, now: datetime) -> EvaluationRun | None:
    """Let a held evaluation through: a worker looks at the playbook again, without the brake. None: settled before."""
    with transaction.atomic():
        if not _settle(evaluation, Evaluation.State.RELEASED, by=by, now=now):
            return None
        tenant, trigger = evaluation.tenant, EvaluationRun.Trigger.RELEASE
        run = _asked_run(tenant, trigger, by=by, now=now, playbook_id=evaluation.playbook_id)
        WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.EVALUATE, due_at=now)
        return run


def drop(evaluation: Evaluation, *, by: Doer, now: datetime) -> bool:
    """Let a held evaluation go without effect. The next one may be held again."""
    with transaction.atomic():
        return _settle(evaluation, Evaluation.State.DROPPED, by=by, now=now)


def _settle(evaluation: Evaluation, state: str, *, by: Doer, now: datetime) -> bool:
    held = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.HELD)
    if not held.update(state=state, settled_at=now, settled_by=by.actor):
        return False
    about: dict[str, Any] = {
        "subject_type": "evaluation",
        "subject_id": evaluation.pk,
        "name": evaluation.playbook.name,
    }
    found = {"would_enroll": evaluation.would_enroll, "limit": evaluation.limit}
    record(verb=f"evaluation.{state}", **about, before=found, by=by, now=now)
    return True


def _asked_run(
    tenant: Tenant, trigger: str, *, by: Doer | None, now: datetime, playbook_id: int | None = None
) -> EvaluationRun:
    return EvaluationRun.objects.create(
        trigger=trigger,
        local_date=now.astimezone(ZoneInfo(tenant.timezone)).date(),
        started_at=now,
        requested_by=by.member if by else None,
        playbook_id=playbook_id,
    )


def _nightly_run(local_date: date, *, now: datetime) -> EvaluationRun | None:
    """Insert or nothing: a second beat finds the night's row and leaves."""
    night: dict[str, Any] = {"trigger": EvaluationRun.Trigger.NIGHTLY, "local_date": local_date}
    EvaluationRun.objects.bulk_create([EvaluationRun(**night, started_at=now)], ignore_conflicts=True)
    mine = EvaluationRun.objects.select_for_update().get(**night)
    return mine if mine.finished_at is None else None


def _evaluate(tenant: Tenant, run: EvaluationRun, *, now: datetime) -> None:
    fields = workspace_fields()
    if run.playbook_id is None:
        nightly.settle(tenant=tenant, fields=fields, now=now)
        open_due(today=run.local_date, now=now)  # CTAs that come again
        hand_on(tenant, now=now)
        hand_on_plans(tenant, now=now)
    look = Look(tenant, run, fields, now, Account.objects.tracked().count())
    follow_anchors(tenant=tenant, fields=look.fields, now=now)
    _ask_and_settle(look)
    if run.playbook_id is None:
        mark_reached(tenant=tenant, fields=fields, clock=look.clock)
    run.looked_at, run.finished_at = look.tracked, now
    run.duration_ms = _elapsed_ms(now)
    run.save(update_fields=["looked_at", "started_at", "finished_at", "duration_ms"])


def _ask_and_settle(look: Look) -> None:
    """Every rule is asked before anything follows from one: whom a look enrolls or stops changes no answer of its own,
    so it does not matter in which order playbooks are looked at.
    """
    chunks = list(_chunks(look))
    with connection.cursor() as cursor:
        for number, chunk in enumerate(chunks):
            stage_hits(look, chunk, users=_asks_users(chunk))
            cursor.execute(f"ALTER TABLE hit RENAME TO hit_{number}")
        for number, chunk in enumerate(chunks):
            cursor.execute(f"DROP TABLE IF EXISTS hit; ALTER TABLE hit_{number} RENAME TO hit")
            stage_fresh(look, chunk)
            _settle_chunk(look, chunk)


def _is_ours(tenant: Tenant) -> bool:
    """Two looks at once could each find a subject not enrolled yet, and the second enroll what the first has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [EVALUATING, tenant.pk % 2**31])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _wait_for_others(tenant: Tenant) -> None:
    """As long as a statement waits for any lock; a large workspace's evaluation takes longer."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [EVALUATING, tenant.pk % 2**31])
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise UnderWay from None


def _elapsed_ms(now: datetime) -> int:
    """Measured by the database from the transaction's start; `now` may be a simulated moment and tells nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1000 * EXTRACT(epoch FROM clock_timestamp() - transaction_timestamp())")
        return int(cursor.fetchone()[0])


def _chunks(look: Look) -> Iterator[list[Candidate]]:
    """Playbooks about accounts, then those about users."""
    kinds = (Playbook.Audience.ACCOUNTS, Playbook.Audience.USERS)
    live = Playbook.objects.filter(status__in=EVALUATED, audience__in=kinds).select_related("version")
    if look.run.playbook_id is not None:
        live = live.filter(pk=look.run.playbook_id)
    candidates = list(_candidates(look, live.order_by("pk")))
    for kind in kinds:
        of_kind = [candidate for candidate in candidates if candidate.playbook.audience == kind]
        rest = iter(of_kind)
        for chunk in chunked([candidate.audience for candidate in of_kind]):
            members = [next(rest) for _ in chunk]
            for bit, candidate in enumerate(members):
                candidate.bit = bit
            yield members


def _candidates(look: Look, playbooks: Any) -> Iterator[Candidate]:
    """A playbook whose rules no longer parse (a trait was deleted) is held and named; the others go on."""
    for playbook in playbooks:
        definition = playbook.version.definition
        try:
            yield Candidate.of(playbook, definition, look.fields)
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


def stage_fresh(look: Look, chunk: Sequence[Candidate]) -> None:
    """Temp table `fresh`: hits less those whose re-enrollment policy says no."""
    taken = Sql.join(" UNION ALL ", list(_taken(look, chunk)))
    subject = _subject(chunk, "x")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS fresh")
        cursor.execute(
            f"""
            CREATE TEMP TABLE fresh ON COMMIT DROP AS
            SELECT h.account_id, h.end_user_id, h.bits & ~COALESCE(t.bits, 0) AS bits
            FROM hit h LEFT JOIN (
                SELECT {subject}, bit_or(bits) AS bits FROM ({taken.text}) x GROUP BY {subject}
            ) t ON t.account_id = h.account_id AND {_same_user(chunk, "t")}
            WHERE h.bits & ~COALESCE(t.bits, 0) <> 0
            """,
            taken.params,
        )


def _subject(chunk: Sequence[Candidate], table: str) -> str:
    """No more than is grouped by."""
    return f"{table}.account_id, {table}.end_user_id" if _asks_users(chunk) else f"{table}.account_id"


def hold_back(look: Look, chunk: Sequence[Candidate]) -> list[int]:
    """Takes out of `fresh` accounts whose known cause lasts, for playbooks that respect it. How many, by bit."""
    mask = sum(1 << candidate.bit for candidate in chunk if candidate.respects_known_cause)
    if not mask:
        return [0] * len(chunk)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS waiting")
        cursor.execute(
            f"""
            CREATE TEMP TABLE waiting ON COMMIT DROP AS
            SELECT f.ctid AS place, f.bits & {mask}::bigint AS bits
            FROM fresh f JOIN accounts_account a ON a.tenant_id = %s AND a.id = f.account_id
            WHERE a.known_cause_until >= %s AND f.bits & {mask}::bigint <> 0;
            UPDATE fresh f SET bits = f.bits & ~w.bits FROM waiting w WHERE f.ctid = w.place
            """,
            [look.tenant.pk, look.clock.today],
        )
    return count_bits("waiting", chunk)


def leave_out(look: Look, chunk: Sequence[Candidate]) -> list[int]:
    """Takes out of `fresh` whom playbooks with a holdout go without, into the table `left_out`. How many, by bit."""
    drawing = [candidate for candidate in chunk if candidate.holdout]
    if not drawing:
        return [0] * len(chunk)
    mask = sum(1 << candidate.bit for candidate in drawing)
    subject = Sql("f.end_user_id" if _asks_users(chunk) else "f.account_id")
    drawn = Sql.join(" | ", [_drawn(candidate, subject) for candidate in drawing])
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS left_out")
        cursor.execute(
            f"""
            CREATE TEMP TABLE left_out ON COMMIT DROP AS
            SELECT * FROM (
                SELECT f.ctid AS place, f.account_id, f.end_user_id, {drawn.text} AS bits
                FROM fresh f WHERE f.bits & {mask}::bigint <> 0 OFFSET 0
            ) d WHERE d.bits <> 0;
            UPDATE fresh f SET bits = f.bits & ~l.bits FROM left_out l WHERE f.ctid = l.place
            """,
            drawn.params,
        )
    return count_bits("left_out", chunk)


def _drawn(candidate: Candidate, subject: Sql) -> Sql:
    bit = f"{1 << candidate.bit}::bigint"
    return compose(
        f"CASE WHEN f.bits & {bit} <> 0 AND {{drawn}} THEN {bit} ELSE 0 END",
        drawn=is_drawn(candidate.playbook.key, subject, candidate.holdout),
    )


def _same_user(chunk: Sequence[Candidate], other: str) -> str:
    """IS NOT DISTINCT FROM cannot be hashed; one kind of audience has a user on every row, the other on none."""
    return f"h.end_user_id = {other}.end_user_id" if _asks_users(chunk) else "true"


def _asks_users(chunk: Sequence[Candidate]) -> bool:
    return chunk[0].playbook.audience == Playbook.Audience.USERS


_LIVE = "e.state IN ('active', 'paused', 'stopping')"


def _taken(look: Look, chunk: Sequence[Candidate]) -> Iterator[Sql]:
    """Rows (account_id, for users end_user_id, bits) of enrollments that rule out another one, by policy."""
    members: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in chunk:
        members[candidate.again["policy"]].append(candidate)
    yield _taken_by(look, chunk, Sql(f"p.once_ever OR {_LIVE}"))
    if "every_match" in members:
        yield _taken_by(look, members["every_match"], _never_left(look.now))
    if "once_per_value" in members:
        yield _taken_by_value(look, members["once_per_value"])
    yield from (_taken_by_count(look, candidate) for candidate in members["at_most"])


def _taken_by(look: Look, members: Sequence[Candidate], condition: Sql) -> Sql:
    return Sql(
        f"SELECT {_subject(members, 'e')}, p.bit AS bits FROM playbooks_enrollment e"
        f" JOIN {_bits(members)} ON p.playbook_id = e.playbook_id"
        f" WHERE e.tenant_id = {look.tenant.pk} AND {_counted(members)} AND ({condition.text})",
        condition.params,
    )


def _counted(members: Sequence[Candidate]) -> str:
    dry = [f"e.playbook_id = {one.playbook.pk} AND {one.counted}" for one in members if one.is_dry]
    return f"({' OR '.join(['NOT e.is_dry', *dry])})"


def _never_left(now: datetime) -> Sql:
    """Its rules never stopped matching since, or it is not a day old."""
    return Sql(f"NOT {_LIVE} AND (e.left_at IS NULL OR e.activated_at > %s - interval '24 hours')", (now,))


def _bits(members: Iterable[Candidate]) -> str:
    """A table `p` of playbooks and their bits. It is hashed, where a CASE would be walked through for every row."""
    rows = ", ".join(
        f"({one.playbook.pk}::bigint, {1 << one.bit}::bigint, {one.again['policy'] == 'once_ever'})" for one in members
    )
    return f"(VALUES {rows}) p(playbook_id, bit, once_ever)"


def _taken_by_value(look: Look, members: Sequence[Candidate]) -> Sql:
    columns = anchor_columns({one.again["field"] for one in members}, look.fields)
    value = occasion_of("e.playbook_id", {one.playbook.pk: columns[one.again["field"]] for one in members})
    return Sql(
        f"SELECT {_subject(members, 'e')}, p.bit AS bits FROM playbooks_enrollment e"
        f" JOIN {_bits(members)} ON p.playbook_id = e.playbook_id"
        f" JOIN accounts_account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id"
        f" WHERE e.tenant_id = {look.tenant.pk} AND {_counted(members)} AND NOT {_LIVE}"
        f" AND e.occasion = {value.text}",
        value.params,
    )


def _taken_by_count(look: Look, candidate: Candidate) -> Sql:
    """At most N times, or at most once in D days, or both."""
    limits: list[str] = []
    params: list[Any] = []
    if candidate.again.get("times"):
        limits.append("count(*) >= %s")
        params.append(candidate.again["times"])
    if candidate.again.get("days"):
        limits.append("max(e.activated_at) > %s - make_interval(days => %s)")
        params += [look.now, candidate.again["days"]]
    return Sql(
        f"SELECT {_subject([candidate], 'e')}, {1 << candidate.bit}::bigint AS bits FROM playbooks_enrollment e"
        f" WHERE e.tenant_id = {look.tenant.pk} AND e.playbook_id = {candidate.playbook.pk} AND {candidate.counted}"
        f" GROUP BY {_subject([candidate], 'e')} HAVING {' OR '.join(limits)}",
        tuple(params),
    )


@dataclass(slots=True)
class _Judged:
    """A candidate with what this look came to for it."""

    candidate: Candidate
    evaluation: Evaluation
    leaving: Sequence[int]

    @property
    def is_otherwise(self) -> bool:
        """Whether it came to something else than what was written down before."""
        return self.evaluation.enrolled != self.evaluation.would_enroll or bool(self.evaluation.released)

    @property
    def application(self) -> Application:
        run = self.evaluation.run
        return Application(
            tenant=run.tenant,
            playbook=self.candidate.playbook,
            applied_by=f"evaluation:{self.evaluation.pk}",
            now=run.started_at,
            evaluation_id=self.evaluation.pk,
            by_rules=True,
        )


def _settle_chunk(look: Look, chunk: Sequence[Candidate]) -> None:
    held_back, left_out = hold_back(look, chunk), leave_out(look, chunk)
    matched, fresh, leaving = count_bits("hit", chunk), count_bits("fresh", chunk), _leaving(look, chunk)
    judged = [
        _judge(look, candidate, matched[candidate.bit], fresh[candidate.bit], leaving[candidate.playbook.pk])
        for candidate in chunk
    ]
    for one in judged:
        one.evaluation.held_back = held_back[one.candidate.bit]
        one.evaluation.left_out = left_out[one.candidate.bit]
    Evaluation.objects.bulk_create([one.evaluation for one in judged])
    _carry_out(look, [one for one in judged if one.evaluation.state == Evaluation.State.DONE])


def _judge(look: Look, candidate: Candidate, matched: int, would_enroll: int, leaving: Sequence[int]) -> _Judged:
    limit = _limit(look, candidate.playbook)
    held = not look.lifts_brake and max(would_enroll, len(leaving)) > limit
    evaluation = Evaluation(
        run=look.run,
        playbook=candidate.playbook,
        version=candidate.playbook.version,
        is_dry=candidate.is_dry,
        state=Evaluation.State.HELD if held else Evaluation.State.DONE,
        matched=matched,
        would_enroll=would_enroll,
        would_release=len(leaving),
        enrolled=0 if held else would_enroll,
        limit=limit,
        reason=_why_held(would_enroll, len(leaving), limit) if held else "",
    )
    return _Judged(candidate, evaluation, leaving)


def count_bits(table: str, chunk: Sequence[Candidate]) -> list[int]:
    """How many rows have each candidate's bit, in the order of the bits. Few of their combinations occur."""
    counts = ", ".join(
        f"COALESCE(sum(n) FILTER (WHERE bits & {1 << candidate.bit}::bigint <> 0), 0)::int" for candidate in chunk
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts} FROM (SELECT bits, count(*)::int AS n FROM {table} GROUP BY bits) alike")
        return list(cursor.fetchone())


def usual_limit(chosen: int | None, tracked: int) -> int:
    return chosen or max(BRAKE_FLOOR, int(tracked * BRAKE_SHARE))


def _limit(look: Look, playbook: Playbook) -> int:
    """The brake. Setting a playbook live accepted the number Review showed; it is about what nobody was shown."""
    usual = usual_limit(playbook.version.definition.get("brake_limit"), look.tracked)  # type: ignore[union-attr]
    if playbook.first_evaluated_at is None and playbook.expected_count is not None:
        return max(usual, int(playbook.expected_count * FIRST_TIME_MARGIN))
    return usual


def _why_held(would_enroll: int, would_release: int, limit: int) -> str:
    what = f"enroll {would_enroll:,}" if would_enroll >= would_release else f"stop {would_release:,}"
    return f"It would {what} at once, more than the limit of {limit:,}. Let it through if that is right, or drop it."


def _carry_out(look: Look, judged: Sequence[_Judged]) -> None:
    """Enroll for all of them together, write down whom they go without, then stop what no longer matches."""
    enrolling = [one for one in judged if one.evaluation.would_enroll]
    if enrolling:
        made = enroll_selected([one.application for one in enrolling], _fresh_of(enrolling), fields=look.fields)
        for one in enrolling:
            one.evaluation.enrolled = len(made[one.candidate.playbook.pk])
    leaving_out = [one for one in judged if one.evaluation.left_out]
    if leaving_out:
        withhold_selected(_left_out_of(leaving_out), now=look.now)
    for one in judged:
        one.evaluation.released = _release(look, one)
    corrected = [one.evaluation for one in judged if one.is_otherwise]
    if corrected:
        Evaluation.objects.bulk_update(corrected, ["enrolled", "released"])
    new = [one.candidate.playbook.pk for one in judged if one.candidate.playbook.first_evaluated_at is None]
    if new:
        Playbook.objects.filter(pk__in=new, first_evaluated_at=None).update(first_evaluated_at=look.now)


def _fresh_of(judged: Sequence[_Judged]) -> Sql:
    """Rows (playbook_id, account_id, end_user_id)."""
    bits = _bits(one.candidate for one in judged)
    return Sql(f"SELECT p.playbook_id, f.account_id, f.end_user_id FROM fresh f JOIN {bits} ON f.bits & p.bit <> 0")


def _left_out_of(judged: Sequence[_Judged]) -> Sql:
    """Rows (playbook_id, version_id, account_id, end_user_id)."""
    rows = ", ".join(
        f"({one.candidate.playbook.pk}::bigint, {one.candidate.playbook.version_id}::bigint,"
        f" {1 << one.candidate.bit}::bigint)"
        for one in judged
    )
    return Sql(
        "SELECT p.playbook_id, p.version_id, l.account_id, l.end_user_id"
        f" FROM left_out l JOIN (VALUES {rows}) p(playbook_id, version_id, bit) ON l.bits & p.bit <> 0"
    )


def _leaving(look: Look, chunk: Sequence[Candidate]) -> dict[int, list[int]]:
    """Enrollments to stop, by playbook; what has ended matching is noted once, the first time.

    Those to stop are noted when they are stopped: a person may have to let that through first. Playbooks for which an
    end of matching has no consequence are not looked at.
    """
    leaving: dict[int, list[int]] = {candidate.playbook.pk: [] for candidate in chunk}
    stopping = {candidate.playbook.pk for candidate in chunk if candidate.stops_on_unmatch}
    watching = [one for one in chunk if one.stops_on_unmatch or one.again["policy"] == "every_match"]
    gone = []
    for playbook_id, id, is_stoppable in _unmatched(look, watching) if watching else ():
        if is_stoppable and playbook_id in stopping:
            leaving[playbook_id].append(id)
        else:
            gone.append(id)
    if gone:
        Enrollment.objects.filter(pk__in=gone).update(left_at=look.now)
    return leaving


def _unmatched(look: Look, chunk: Sequence[Candidate]) -> list[tuple[int, int, bool]]:
    """(playbook, enrollment, is it one an evaluation made and may stop) for subjects that match no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT e.playbook_id, e.id, e.state IN ('active', 'paused') AND e.applied_by ^@ 'evaluation:'
            FROM playbooks_enrollment e JOIN {_bits(chunk)} ON p.playbook_id = e.playbook_id
            LEFT JOIN hit h ON h.account_id = e.account_id AND {_same_user(chunk, "e")}
            WHERE e.tenant_id = %s AND {_counted(chunk)} AND e.left_at IS NULL AND e.state <> 'stopping'
              AND COALESCE(h.bits, 0) & p.bit = 0
            ORDER BY e.id
            """,
            [look.tenant.pk],
        )
        return cursor.fetchall()  # type: ignore[no-any-return]


def _release(look: Look, judged: _Judged) -> int:
    if not judged.leaving:
        return 0
    Enrollment.objects.filter(pk__in=judged.leaving).update(left_at=look.now)
    by, note = f"evaluation:{judged.evaluation.pk}", "Its rules no longer match."
    return undo.request_stops(judged.leaving, tenant_id=look.tenant.pk, by=by, note=note, now=look.now)
