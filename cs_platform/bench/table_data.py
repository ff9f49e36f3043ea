"""A workspace for the accounts table: fast traits, and playbooks applied to many accounts, to some, to hardly any."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import connections

from accounts.fast_traits import make_fast
from accounts.models import TraitDefinition
from cs_platform.bench.data import (
    ACCOUNT_TRAITS,
    Trait,
    chance,
    define_traits,
    execute,
    fill_accounts,
    make_people,
    moment,
    settle_tables,
    whole,
)
from cs_platform.bench.playbooks import RULES, make_live
from cs_platform.bench.profiles import NOW
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.models import Playbook

TEAM = 40
FAST = ("industry", "stage", "seats", "arr", "qbr_on")
SHARES = (0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)  # of the accounts, by playbook
AGAIN = 0.1  # of those to whom it was applied, a second time
DAYS = (1, 8, 15, 22, 29)
RUNS_OF_EVERY = 8  # the cells read runs by their enrollment's key: how many others there are makes no difference
TABLES = ("accounts_account", "playbooks_enrollment", "playbooks_actionrun")


def make_table(accounts: int) -> Tenant:
    tenant = Tenant.objects.create(slug="bench", name="Bench", created_at=NOW)
    people = make_people(tenant, TEAM)
    with tenant_context(tenant.pk):
        traits = _define_traits()
        playbooks = [make_live(tenant, rule, days=DAYS) for rule in RULES[: len(SHARES)]]
    with indexed_afterwards("accounts_account"), tenant_context(tenant.pk):
        first = fill_accounts(tenant, accounts, people, traits)
    with indexed_afterwards("playbooks_enrollment", "playbooks_actionrun"), tenant_context(tenant.pk):
        for at, (playbook, share) in enumerate(zip(playbooks, SHARES, strict=True)):
            _enroll(playbook, accounts, first_account=first, salt=900 + 20 * at, share=share)
        _schedule(tenant)
    settle_tables([*TABLES, "tenancy_membership"])
    return tenant


def _define_traits() -> list[Trait]:
    """Fast ones find their places while there is nothing to move."""
    define_traits()
    definitions = {one.key: one for one in TraitDefinition.objects.filter(scope="account")}
    for key in FAST:
        make_fast(definitions[key])
    return [replace(trait, slot=definitions[trait.key].slot) for trait in ACCOUNT_TRAITS]


@contextmanager
def indexed_afterwards(*tables: str) -> Iterator[None]:
    """Rows first, their indexes then, as restoring a backup does. Keys and constraints stay in force."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique",
            [list(tables)],
        )
        indexes = cursor.fetchall()
        cursor.execute(f"DROP INDEX {', '.join(name for name, _definition in indexes)}")
        yield
        for _name, definition in indexes:
            cursor.execute(definition)


def _enroll(playbook: Playbook, accounts: int, *, first_account: int, salt: int, share: float) -> None:
    """Half of them under way, a third finished; whoever finished long ago may have it a second time."""
    fate, id = chance(salt), f"{first_account} + i - 1"
    state = f"CASE WHEN {fate} < 0.5 THEN 'active' WHEN {fate} < 0.85 THEN 'completed' ELSE 'stopped' END"
    done = f"CASE WHEN {fate} BETWEEN 0.5 AND 0.85 THEN 5 ELSE {whole(salt + 1, 0, 4)}::int END"
    chosen = f"FROM generate_series(1::bigint, {accounts}) i WHERE {chance(salt + 2)} < {share}"
    applied_at = moment(salt + 3, 200)
    _insert(playbook, f"SELECT {id} AS id, {state} AS state, {done} AS done, {applied_at} AS at {chosen}", past=False)
    before = f"timestamptz '{NOW.isoformat()}' - interval '300 days'"
    earlier = f"{chosen} AND {chance(salt + 4)} < {AGAIN}"
    _insert(playbook, f"SELECT {id} AS id, 'completed' AS state, 5 AS done, {before} AS at {earlier}", past=True)


def _insert(playbook: Playbook, rows: str, *, past: bool) -> None:
    execute(
        "INSERT INTO playbooks_enrollment (tenant_id, playbook_id, version_id, account_id, state, timezone,"
        " activated_at, activated_on, applied_by, steps_total, steps_done, progress, completed_at, is_superseded)"
        f" SELECT {playbook.tenant_id}, {playbook.pk}, {playbook.version_id}, id, state, 'UTC', at,"
        " (at AT TIME ZONE 'UTC')::date, 'evaluation:1', 5, done, 20 * done, CASE WHEN state = 'completed' THEN at END,"
        f" {past}"
        f" FROM ({rows} OFFSET 0) s"
    )


def _schedule(tenant: Tenant) -> None:
    execute(
        "INSERT INTO playbooks_actionrun"
        " (tenant_id, enrollment_id, step_id, position, is_external, state, due_on, due_at, receipt)"
        " SELECT e.tenant_id, e.id, s.id, s.position, false, CASE WHEN s.position < e.steps_done THEN 'applied'"
        " WHEN e.state = 'stopped' THEN 'cancelled' ELSE 'scheduled' END, e.activated_on + s.offset_days,"
        " e.activated_at + s.offset_days * interval '1 day', '{}'"
        " FROM playbooks_enrollment e"
        " JOIN playbooks_step s ON s.tenant_id = e.tenant_id AND s.version_id = e.version_id"
        f" WHERE e.tenant_id = {tenant.pk} AND e.id % {RUNS_OF_EVERY} = 0"
    )
