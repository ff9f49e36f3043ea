"""The one way in for Segment calls, whoever received them: an export, the HTTP endpoint, a test."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import OperationalError, connection, reset_queries
from psycopg2.errors import DeadlockDetected, LockNotAvailable

from accounts.ingest import events, problems, subjects, ties
from accounts.ingest.calls import Call, RefusedCall, read_call
from accounts.ingest.definitions import USER, Definitions
from accounts.ingest.gather import ROLE, Batch, unknown_samples
from accounts.ingest.problems import Problems
from accounts.ingest.reading import Terms
from accounts.ingest.rows import as_json
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant

BATCH_CALLS = 5_000
BATCH_BYTES = 16_000_000
_ATTEMPTS = 3
_ONE_AT_A_TIME = 7_366_003  # an advisory lock per workspace: two imports at once take turns, batch by batch


@dataclass(slots=True)
class IngestReport:
    calls: int = 0
    taken: int = 0
    repeated: int = 0
    refused: int = 0
    problems: Problems = field(default_factory=Problems)

    def add(self, other: "IngestReport") -> None:
        self.calls += other.calls
        self.taken += other.taken
        self.repeated += other.repeated
        self.refused += other.refused
        self.problems.add(other.problems)


def ingest_calls(
    calls: Iterable[Any], *, tenant: Tenant, source: str, now: datetime, shift: timedelta = timedelta(0)
) -> IngestReport:
    """Takes calls in, batch by batch, each in its own transaction; what was taken in before is recognised and skipped.

    `shift` moves every moment and every date trait, by whole days.
    """
    report = IngestReport()
    for batch in _batches(read_call(call, now=now) for call in calls):
        report.add(_taken_in(batch, tenant=tenant, source=source, now=now, shift=shift))
        if settings.DEBUG:
            reset_queries()  # Django would keep every statement, rows and all
    return report


def _batches(calls: Iterable[Call | RefusedCall]) -> Iterator[list[Call | RefusedCall]]:
    """Bounded by number and by weight: memory stays flat whatever comes."""
    batch: list[Call | RefusedCall] = []
    weight = 0
    for call in calls:
        batch.append(call)
        weight += call.size
        if len(batch) >= BATCH_CALLS or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _taken_in(batch: list[Call | RefusedCall], *, tenant: Tenant, **context: Any) -> IngestReport:
    """Again after a deadlock or a lock held too long: nothing of the failed attempt is left."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with tenant_context(tenant.pk):
                return _take_in(batch, tenant=tenant, **context)
        except OperationalError as error:
            if not is_passing(error) or connection.in_atomic_block or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def is_passing(error: BaseException) -> bool:
    """Somebody else was in the way: the same may succeed in a moment."""
    return isinstance(error.__cause__, DeadlockDetected | LockNotAvailable)


def _take_in(
    batch: list[Call | RefusedCall], *, tenant: Tenant, source: str, now: datetime, shift: timedelta
) -> IngestReport:
    fresh = _remember(batch, tenant_id=tenant.pk, now=now)
    report = IngestReport(calls=len(batch), repeated=len(batch) - len(fresh))
    accepted = [call for call in fresh if isinstance(call, Call)]
    for call in fresh:
        if isinstance(call, RefusedCall):
            report.problems.refused_call(call.type, call.reason, call.sample)
    report.taken, report.refused = len(accepted), len(fresh) - len(accepted)
    if accepted:
        gathered = _gather(accepted, tenant=tenant, shift=shift, found=report.problems)
        _write(gathered, tenant_id=tenant.pk, actor=source, now=now)
    problems.save(report.problems, tenant_id=tenant.pk, source=source, now=now)
    return report


def _remember(batch: list[Call | RefusedCall], *, tenant_id: int, now: datetime) -> list[Call | RefusedCall]:
    """The calls that nobody has brought before; of a message repeated within the batch, the first."""
    calls: dict[str, Call | RefusedCall] = {}
    for call in batch:
        calls.setdefault(call.message_id, call)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ONE_AT_A_TIME, tenant_id % 2**31])
        cursor.execute(
            "INSERT INTO accounts_ingestedmessage (tenant_id, message_id, received_on) "
            "SELECT %s, message_id, %s FROM json_array_elements_text(%s) AS message_id "
            "ON CONFLICT (tenant_id, message_id) DO NOTHING RETURNING message_id",
            [tenant_id, now.date(), as_json(list(calls))],
        )
        new = {message_id for (message_id,) in cursor.fetchall()}
    return [call for message_id, call in calls.items() if message_id in new]


def _gather(calls: list[Call], *, tenant: Tenant, shift: timedelta, found: Problems) -> Batch:
    people = {email.lower(): id for email, id in Membership.objects.in_tenant(tenant.pk).values_list("email", "id")}
    definitions = Definitions.of(tenant)
    definitions.learn(unknown_samples(calls, definitions.known))
    batch = Batch(definitions, Terms(ZoneInfo(tenant.timezone), people, shift), found)
    for call in calls:
        batch.add(call)
    return batch


def _write(batch: Batch, *, tenant_id: int, actor: str, now: datetime) -> None:
    accounts = subjects.ensure(subjects.ACCOUNTS, batch.accounts, tenant_id=tenant_id, now=now)
    users = subjects.ensure(subjects.USERS, batch.users, tenant_id=tenant_id, now=now)
    subjects.write(subjects.ACCOUNTS, batch.accounts, accounts, batch.definitions, actor=actor, now=now)
    subjects.write(subjects.USERS, batch.users, users, batch.definitions, actor=actor, now=now)
    _tie(batch, accounts=accounts, users=users, tenant_id=tenant_id, now=now)
    homeless = {users[user] for _, _, group, user in batch.events if user and not group}
    homes = ties.accounts_of(homeless, tenant_id=tenant_id) if homeless else {}
    events.write(
        batch.events, accounts=accounts, users=users, homes=homes, tenant_id=tenant_id, problems=batch.problems
    )


def _tie(batch: Batch, *, accounts: Mapping[str, int], users: Mapping[str, int], tenant_id: int, now: datetime) -> None:
    placed = {(users[user], accounts[group]): tie for (user, group), tie in batch.ties.items()}
    gained = ties.write(placed, tenant_id=tenant_id)
    if gained:
        ties.count_users({account for _, account in gained}, tenant_id=tenant_id, now=now)
    role = batch.definitions.feeding(USER, ROLE)
    if role:
        said = {users[user] for user, news in batch.users.items() if role.key in news.traits}
        ties.spread_roles(said | {user for user, _ in gained}, role_key=role.key, tenant_id=tenant_id)
