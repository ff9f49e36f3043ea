"""Stopping a playbook with everything it did, as a job, against stopping its enrollments one after the other.

Afterwards nothing that a customer's page shows may differ from the state before the playbook was applied.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from django.db import connection

from cs_platform.bench.apply import WRITTEN, drain, enroll_all
from cs_platform.bench.data import TABLES, make_workspace, settle_tables
from cs_platform.bench.measure import Cost, cost_of, interleaved, serve_alike
from cs_platform.bench.orm_undo import stop_one
from cs_platform.bench.profiles import NOW
from cs_platform.bench.report import Line, Report, rounded
from cs_platform.jobs.pump import run_jobs
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from playbooks.models import Enrollment
from playbooks.stop_jobs import Places, start_stop

ROUNDS = 3  # each applies five actions an enrollment before it takes them back
ROW_BY_ROW = 40  # enrollments, each with five actions to take back
Snapshot = frozenset[tuple[str, int, str]]


@dataclass(slots=True)
class Crew:
    """A workspace whose enrollments are stopped in one way, those of a new playbook each round."""

    tenant: Tenant
    accounts: int
    work: Callable[[Tenant, list[int]], None]
    before: Snapshot = frozenset()
    residue: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def round(self) -> Cost:
        self.before = self.before or snapshot(self.tenant)
        ids = enroll_all(self.tenant, next(self.numbers), self.accounts)
        drain(self.tenant)
        cost, _ = cost_of(lambda: self.work(self.tenant, ids))
        self.residue += len(self._left_behind(ids))
        return cost

    def _left_behind(self, ids: list[int]) -> set[tuple[str, int]]:
        """Rows that differ from before, and enrollments that did not end."""
        changed = {(table, id) for table, id, _state in self.before ^ snapshot(self.tenant)}
        with tenant_context(self.tenant.pk):
            open_still = Enrollment.objects.filter(pk__in=ids).exclude(state="stopped").values_list("pk", flat=True)
            return changed | {("enrollment", id) for id in open_still}


def stop(enrollments: int) -> Report:
    crews = {
        "engine": Crew(make_workspace("engine", enrollments), enrollments, _as_a_job),
        "ORM, row by row": _row_by_row_crew(min(enrollments, ROW_BY_ROW)),
    }
    settle_tables([*(f"accounts_{table}" for table in TABLES), *WRITTEN])
    serve_alike()
    costs = interleaved({name: partial(Crew.round, crew) for name, crew in crews.items()}, at_most=ROUNDS)
    return _report(crews, costs)


def _row_by_row_crew(enrollments: int) -> Crew:
    return Crew(make_workspace("row-by-row", enrollments), enrollments, _one_by_one)


def _as_a_job(tenant: Tenant, ids: list[int]) -> None:
    with tenant_context(tenant.pk):
        playbook_id = Enrollment.objects.values_list("playbook_id", flat=True).get(pk=ids[0])
        by = Membership.objects.in_tenant(tenant.pk).order_by("pk").first()
        assert by is not None
        start_stop(Places(playbook_id, finished=True), by=by, now=NOW)
    run_jobs(seconds=math.inf, clock=lambda: NOW)


def _one_by_one(tenant: Tenant, ids: list[int]) -> None:
    for id in ids:
        stop_one(tenant, id)


# What the pages of a customer show, row by row: what was archived or has ended is no longer there.
_VISIBLE = {
    "account": "SELECT id, md5((to_jsonb(x) - 'updated_at')::text) FROM accounts_account x WHERE true",
    "indicator": "SELECT id, md5(to_jsonb(x)::text) FROM accounts_indicator x WHERE state = 'active'",
    "claim": "SELECT id, md5(to_jsonb(x)::text) FROM accounts_indicatorclaim x WHERE ended_at IS NULL",
    "cta": "SELECT id, md5(to_jsonb(x)::text) FROM ctas_cta x WHERE archived_at IS NULL",
    "task": "SELECT id, md5(to_jsonb(x)::text) FROM ctas_task x WHERE archived_at IS NULL",
}


def snapshot(tenant: Tenant) -> Snapshot:
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        found: set[tuple[str, int, str]] = set()
        for table, sql in _VISIBLE.items():
            cursor.execute(f"{sql} AND tenant_id = %s", [tenant.pk])
            found |= {(table, id, state) for id, state in cursor.fetchall()}
        return frozenset(found)


def _report(crews: dict[str, Crew], costs: dict[str, Cost]) -> Report:
    each = {name: cost.processor / crews[name].accounts for name, cost in costs.items()}
    figures = {
        "enrollments": crews["engine"].accounts,
        "seconds": costs["engine"].wall / 1000,
        "speedup_vs_rowwise": each["ORM, row by row"] / each["engine"],
        "residue": sum(crew.residue for crew in crews.values()),
    }
    lines = [Line(name, crews[name].accounts, cost) for name, cost in costs.items()]
    return Report({name: rounded(value) for name, value in figures.items()}, lines)
