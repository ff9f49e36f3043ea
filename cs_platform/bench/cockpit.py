"""The cockpit of a busy workspace, asked for as a browser asks: through Django, as the application, under row-level
security. One member has ten thousand open CTAs; the others share the rest.
"""

from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

from django.db.models import F

from cs_platform.bench.data import chance, day, execute, fill_accounts, make_people, one_of, settle_tables
from cs_platform.bench.measure import Cost, cost_of, serve_alike
from cs_platform.bench.profiles import NOW
from cs_platform.bench.report import Report, Requests, percentile, rounded
from cs_platform.bench.table import Browser
from cs_platform.bench.table_data import indexed_afterwards
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from ctas.bulk.kind import bulk_verbs, start_bulk_edit
from ctas.bulk.selection import Selection
from ctas.cockpit import PAGE_SIZE
from ctas.models import Cta, Task

REQUESTS = 40  # of each kind
TEAM = 120
BUSY = 10_000  # open CTAs of the member who asks, those that are snoozed left out
SNOOZED_SHARE = 0.05
ACCOUNTS = 50_000
TASKS_PER_CTA = 4
OPEN_SHARE = 0.6
SLICE = 100_000
VIEWS = {
    "mine": "",
    "team": "tab=team",
    "tasks": "tab=tasks",
    "snoozed": "tab=snoozed",
    "closed": "tab=closed",
    "grouped": "group=account",
    "filtered": "type=risk&priority=high",
    "board": "look=board",
    "board_due": "look=board&by=due",
    "board_team": "tab=team&look=board",
    "calendar": "look=calendar",
    "calendar_team": "tab=team&look=calendar",
}
EDITED = 10_000


def cockpit(ctas: int) -> Report:
    tenant = make_cockpit(ctas)
    serve_alike()
    browser = Browser.of(tenant, page="ctas")
    with patch("cs_platform.tenancy.middleware.database_now", return_value=NOW):
        equal = _agrees(browser, tenant)
        costs = {name: _asked(browser, query) for name, query in VIEWS.items()}
    p95 = {f"p95_ms_{name}": rounded(percentile([cost.wall for cost in found], 95)) for name, found in costs.items()}
    cost, edited = _edited(browser, tenant)
    figures = {"ctas": ctas, "tasks": ctas * TASKS_PER_CTA} | p95
    figures |= {"bulk_10000_s": rounded(cost.wall / 1000), "equal": equal and edited}
    lines = [Requests(name, found) for name, found in costs.items()]
    return Report(figures, [*lines, Requests("10,000 edited", [cost])])


def _edited(browser: Browser, tenant: Tenant) -> tuple[Cost, bool]:
    """Everything the busy member has open goes to somebody else with its open tasks, by a job, as workers do it: what
    ten thousand cost, and whether all of it has gone.
    """
    selection, verb = Selection(query="tab=mine"), bulk_verbs()["assign"]
    with tenant_context(tenant.pk):
        other = Membership.objects.in_tenant(tenant.pk).order_by("pk")[1]
        config = {"owner": other.pk, "tasks": True}
        count = selection.among(tenant=tenant, member=browser.member, now=NOW).count()
        job = start_bulk_edit(selection, verb, config, by=browser.member, now=NOW)
    cost, _slices = cost_of(lambda: run_jobs(seconds=600, clock=lambda: NOW))
    with tenant_context(tenant.pk):
        done = Job.objects.get(pk=job.pk).done
        left = selection.among(tenant=tenant, member=browser.member, now=NOW).count()
    return cost.times(EDITED / count), (done, left) == (count, 0)


def _asked(browser: Browser, query: str) -> list[Cost]:
    return [cost_of(partial(browser.ask, query))[0] for _ in range(REQUESTS)]


def _agrees(browser: Browser, tenant: Tenant) -> bool:
    """The first page of one's own work, as a plain query orders it."""
    with tenant_context(tenant.pk):
        mine = Cta.objects.awake(NOW.date()).filter(owner=browser.member)
        ordered = mine.order_by(F("due_on").asc(nulls_last=True), "pk").values_list("pk", flat=True)
        expected = list(ordered[:PAGE_SIZE])
    return browser.opened("", r"[?&;]cta=(\d+)\" hx-get") == expected


# Data --------------------------------------------------------------------------------------------------------------


def make_cockpit(ctas: int) -> Tenant:
    tenant = Tenant.objects.create(slug="bench", name="Bench", created_at=NOW)
    people = make_people(tenant, TEAM)
    accounts = min(ACCOUNTS, ctas)
    with tenant_context(tenant.pk):
        first = fill_accounts(tenant, accounts, people, [])
    with indexed_afterwards("ctas_cta", "ctas_task"), tenant_context(tenant.pk):
        for start in _slices(ctas):
            execute(_ctas(tenant, people, start, min(start + SLICE, ctas), first_account=first, accounts=accounts))
        first_cta = Cta.objects.order_by("pk").values_list("pk", flat=True)[0]
        for start in _slices(ctas):
            execute(_tasks(tenant, first_cta + start, first_cta + min(start + SLICE, ctas)))
    settle_tables(["accounts_account", Cta._meta.db_table, Task._meta.db_table, "tenancy_membership"])
    return tenant


def _slices(rows: int) -> Iterator[int]:
    return iter(range(0, rows, SLICE))


def _ctas(tenant: Tenant, people: list[int], start: int, end: int, *, first_account: int, accounts: int) -> str:
    others = f"ARRAY[{', '.join(map(str, people[1:]))}]::bigint[]"
    is_busy = f"i < {BUSY / OPEN_SHARE / (1 - SNOOZED_SHARE):.0f}"
    owner = f"CASE WHEN {is_busy} THEN {people[0]} ELSE ({others})[1 + floor({chance(1)} * {TEAM - 1})::int] END"
    is_open = f"{chance(2)} < {OPEN_SHARE}"
    moment = f"timestamptz '{NOW.isoformat()}'"
    closed_at = f"CASE WHEN NOT {is_open} THEN {moment} - {chance(3)} * interval '300 days' END"
    return f"""
        INSERT INTO ctas_cta (tenant_id, account_id, name, type, reason, priority, status, stage, owner_id, due_on,
                              comment, snoozed_until, created_at, created_by, closed_at, closed_by, origin_ordinal)
        SELECT {tenant.pk}, {first_account} + floor({chance(4)} * {accounts})::bigint, 'Call number ' || i,
            {one_of(5, "risk", "opportunity", "lifecycle", "activity")}, {one_of(6, "Renewal", "Low adoption", "")},
            {one_of(7, "low", "medium", "high")}, CASE WHEN {is_open} THEN 'open' ELSE 'won' END,
            CASE WHEN {is_open} AND {chance(12)} < 0.3 THEN 'in_progress' ELSE '' END, {owner},
            CASE WHEN {chance(8)} < 0.9 THEN {day(9, -20, 60)} END, '',
            CASE WHEN {is_open} AND {chance(10)} < {SNOOZED_SHARE} THEN {day(11, 1, 30)} END,
            {moment} - interval '30 days', 'person:' || {people[0]}, {closed_at}, '', 0
        FROM generate_series({start}::bigint, {end - 1}) i
    """


def _tasks(tenant: Tenant, start: int, end: int) -> str:
    return f"""
        INSERT INTO ctas_task (tenant_id, cta_id, title, description, owner_id, due_on, status, position, created_at,
                               created_by, reason, origin_ordinal)
        SELECT c.tenant_id, c.id, 'Task ' || at, '', c.owner_id, c.due_on,
            CASE WHEN c.status <> 'open' OR at = 0 THEN 'done' ELSE 'open' END, at, c.created_at, c.created_by, '', 0
        FROM ctas_cta c, generate_series(0, {TASKS_PER_CTA - 1}) at
        WHERE c.tenant_id = {tenant.pk} AND c.id >= {start} AND c.id < {end}
    """
