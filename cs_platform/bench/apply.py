"""Actions that are due: the engine's batches against the same work in the ORM, one by one and by five hundred."""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median
from typing import Any

from django.db import connection

from accounts.models import Account
from cs_platform.bench import orm, workers
from cs_platform.bench.assign import assign
from cs_platform.bench.data import TABLES, make_workspace, settle_tables
from cs_platform.bench.measure import Cost, cost_of, interleaved, serve_alike
from cs_platform.bench.overlap import deliver_many
from cs_platform.bench.playbooks import RULES, make_live
from cs_platform.bench.profiles import NOW
from cs_platform.bench.report import Line, Report, rounded
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.enrollment import Application, enroll
from playbooks.runner import apply_round
from playbooks.turns import Turn

DAYS = (1, 1, 1, 1, 1)
TURN = Turn.at(NOW)
BATCH = 500  # runs of one step in one transaction of the ORM
ONE_BY_ONE = 40  # enrollments, five actions each: slow enough to be told from a few
WORKERS = 4  # how many times more runs two workers share, so that neither waits for the other's batch
WORKER_ROUNDS = 2
ACCOUNTS_A_RUN = 5  # accounts given to people, for each run that is measured
WRITTEN = ["playbooks_enrollment", "playbooks_actionrun", "playbooks_ledgerentry", "accounts_timelineentry"]
WRITTEN += ["accounts_account", "accounts_indicator", "accounts_indicatorclaim", "ctas_cta", "ctas_task"]


@dataclass(frozen=True, slots=True)
class Crew:
    """A workspace whose due runs are worked on in one way, a new playbook each round."""

    tenant: Tenant
    accounts: int
    work: Callable[[Tenant], int]

    def round(self, number: int) -> Cost:
        enroll_all(self.tenant, number, self.accounts)
        cost, done = cost_of(lambda: self.work(self.tenant))
        assert done == self.accounts * len(DAYS), f"{done} runs were worked on"
        return cost


def apply(runs: int) -> Report:
    crews = _crews(runs // len(DAYS))
    settle_tables(f"accounts_{table}" for table in TABLES)
    serve_alike()
    numbers = {name: count(1) for name in crews}
    rounds = {name: partial(_next_round, crew, numbers[name]) for name, crew in crews.items()}
    _get_under_way(rounds.values())
    costs = interleaved(rounds)
    settle_tables(WRITTEN)
    equal = all(_same_outcomes(crews["engine"], crew) for crew in crews.values())
    assigned, as_one_by_one = assign(ACCOUNTS_A_RUN * runs)
    seconds, all_made = deliver_many()
    equal = equal and as_one_by_one and all_made
    return _report(crews, costs, _two_workers(crews["engine"]), assigned, outside=seconds, equal=equal)


def _get_under_way(rounds: Iterable[Callable[[], Cost]]) -> None:
    """A round that is not measured, of which the planner then hears, as it does within a minute wherever autovacuum
    runs. Before that it knows nothing of the size of these tables, and looks a task's CTA up by any index that begins
    with the workspace.
    """
    for first in rounds:
        first()
    settle_tables(WRITTEN)


def _next_round(crew: Crew, numbers: Iterator[int]) -> Cost:
    return crew.round(next(numbers))


def _crews(accounts: int) -> dict[str, Crew]:
    return {
        "engine": _crew("engine", accounts, drain, WORKERS * accounts),
        "ORM, 500 at a time": _crew("five-hundred", min(accounts, BATCH), _by_five_hundred),
        "ORM, one by one": _crew("one-by-one", min(accounts, ONE_BY_ONE), _one_by_one),
    }


def _crew(slug: str, accounts: int, work: Callable[[Tenant], int], workspace: int | None = None) -> Crew:
    return Crew(make_workspace(slug, workspace or accounts), accounts, work)


def enroll_all(tenant: Tenant, number: int, accounts: int) -> list[int]:
    with tenant_context(tenant.pk):
        rule = {"key": f"round-{number}", "account": RULES[0]["account"]}
        playbook = make_live(tenant, rule, days=DAYS)
        ids = Account.objects.order_by("pk").values_list("pk", flat=True)[:accounts]
        return enroll(Application(tenant, playbook, applied_by="person:1", now=NOW), [(id, None) for id in ids])


def drain(tenant: Tenant) -> int:
    return sum(iter(lambda: apply_round(tenant, TURN), 0))


def _one_by_one(tenant: Tenant) -> int:
    due = orm.due_runs(tenant)
    for run_id in due:
        orm.apply_one(tenant, run_id)
    return len(due)


def _by_five_hundred(tenant: Tenant) -> int:
    done = 0
    for batch in orm.due_batches(tenant, BATCH):
        orm.apply_batch(tenant, batch)
        done += len(batch)
    return done


# Do they agree? -------------------------------------------------------------------------------------------------------

_OF_ACCOUNT = "JOIN accounts_account a ON a.tenant_id = x.tenant_id AND a.id = x.account_id"
_PERSON = "(SELECT split_part(m.email, '@', 1) FROM tenancy_membership m WHERE m.id = x.{column})"
_OUTCOMES = (
    "SELECT x.external_id, x.traits ->> 'stage', x.t03, x.traits ->> 'qbr_on', x.d03,"
    " split_part(x.trait_writers ->> 'stage', ':', 1), x.updated_at FROM accounts_account x WHERE true",
    "SELECT a.external_id, x.kind, x.title, x.note, x.state, x.raised_at, split_part(x.raised_by, ':', 1),"
    f" {_PERSON.format(column='assignee_id')}, (SELECT count(*) FROM accounts_indicatorclaim c"
    f" WHERE c.indicator_id = x.id AND c.ended_at IS NULL) FROM accounts_indicator x {_OF_ACCOUNT} WHERE true",
    "SELECT a.external_id, x.name, x.type, x.reason, x.priority, x.status, x.due_on, x.comment, x.created_at,"
    f" {_PERSON.format(column='owner_id')}, x.origin_run_id IS NULL FROM ctas_cta x {_OF_ACCOUNT} WHERE true",
    "SELECT a.external_id, t.title, t.description, t.due_on, t.status, t.position, t.origin_ordinal, "
    f"{_PERSON.format(column='owner_id')} FROM ctas_task t JOIN ctas_cta x ON x.id = t.cta_id {_OF_ACCOUNT} WHERE true",
    "SELECT a.external_id, x.state, x.steps_done, x.progress, x.completed_at, r.position, r.state, r.settled_at,"
    " r.claims, r.attempt, r.receipt IS NULL, (SELECT string_agg(l.from_state || ' ' || l.to_state, ', ' ORDER BY l.id)"
    " FROM playbooks_ledgerentry l WHERE l.tenant_id = x.tenant_id AND l.enrollment_id = x.id AND l.run_id = r.id)"
    f" FROM playbooks_enrollment x JOIN playbooks_actionrun r ON r.enrollment_id = x.id {_OF_ACCOUNT} WHERE true",
    "SELECT a.external_id, x.state, (SELECT string_agg(l.to_state, ', ' ORDER BY l.id) FROM playbooks_ledgerentry l"
    " WHERE l.tenant_id = x.tenant_id AND l.enrollment_id = x.id AND l.run_id IS NULL)"
    f" FROM playbooks_enrollment x {_OF_ACCOUNT} WHERE true",
    "SELECT a.external_id, x.kind, x.at, split_part(x.actor, ':', 1), split_part(x.subject, ':', 1), x.text <> ''"
    f" FROM accounts_timelineentry x {_OF_ACCOUNT} WHERE true",
)


def _same_outcomes(one: Crew, other: Crew) -> bool:
    """For the accounts both have: the same traits, indicators, CTAs, tasks, states, ledger and timeline."""
    accounts = min(one.accounts, other.accounts)
    return _outcomes(one.tenant, accounts) == _outcomes(other.tenant, accounts)


def _outcomes(tenant: Tenant, accounts: int) -> list[list[str]]:
    with tenant_context(tenant.pk):
        return [_rows(sql, tenant, accounts) for sql in _OUTCOMES]


def _rows(sql: str, tenant: Tenant, accounts: int) -> list[str]:
    account = "x" if " JOIN accounts_account" not in sql else "a"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{sql} AND {account}.tenant_id = %s AND substr({account}.external_id, 3)::int <= %s", [tenant.pk, accounts]
        )
        return sorted(map(repr, cursor.fetchall()))


# Two at once ----------------------------------------------------------------------------------------------------------


def _two_workers(crew: Crew) -> float:
    """How much sooner two processes are done than one; the wall clock alone can tell."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with multiprocessing.get_context("spawn").Pool(2, workers.start) as pool:
        pool.map(workers.wait_for_others, range(2), chunksize=1)
        for number, several in enumerate([1, 2, 2, 1] * (WORKER_ROUNDS // 2), start=1_000):
            enroll_all(crew.tenant, number, WORKERS * crew.accounts)
            began = time.perf_counter()
            pool.map(workers.drain, [crew.tenant.pk] * several, chunksize=1)
            seconds[several].append(time.perf_counter() - began)
    return median(seconds[1]) / median(seconds[2])


# In figures -----------------------------------------------------------------------------------------------------------


def _report(
    crews: dict[str, Crew],
    costs: dict[str, Cost],
    two_workers: float,
    assigned: dict[str, tuple[int, Cost]],
    *,
    outside: float,
    equal: bool,
) -> Report:
    runs = {name: crew.accounts * len(DAYS) for name, crew in crews.items()}
    each = {name: cost.processor / runs[name] for name, cost in costs.items()}
    figures: dict[str, Any] = {
        "runs": runs["engine"],
        "actions_per_s": runs["engine"] / costs["engine"].wall * 1000,
        "speedup_vs_naive": each["ORM, one by one"] / each["engine"],
        "speedup_vs_batched": each["ORM, 500 at a time"] / each["engine"],
        "two_workers": two_workers,
        "assign_speedup": _assign_speedup(assigned),
        "external_100x200ms_s": outside,
    }
    lines = [Line(name, runs[name], cost) for name, cost in costs.items()]
    lines += [Line(name, n, cost) for name, (n, cost) in assigned.items()]
    return Report({name: rounded(value) for name, value in figures.items()} | {"equal": equal}, lines)


def _assign_speedup(assigned: dict[str, tuple[int, Cost]]) -> float:
    each = {name: cost.processor / n for name, (n, cost) in assigned.items()}
    return each["assigned one by one"] / each["assigned in batches"]
