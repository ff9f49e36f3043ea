"""Thirty rules over every account: the engine's one statement against floors, a query per playbook, and Python."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connections, transaction
from django.db.models import F

from accounts.fields import workspace_fields
from accounts.models import Account
from accounts.nightly import settle
from accounts.rules import grammar
from accounts.rules.compile import Audience, matching_accounts, one_pass_accounts
from accounts.rules.sql import Clock, Sql
from cs_platform.bench import subjects
from cs_platform.bench.data import make_workspaces, settle_tables
from cs_platform.bench.evaluator import TODAY, Subject, compiled
from cs_platform.bench.measure import NOTHING, Cost, cost_of, interleaved, serve_alike
from cs_platform.bench.playbooks import ACCOUNT_RULES, RULES, make_live
from cs_platform.bench.profiles import NOW, Profile
from cs_platform.bench.report import Line, Report, rounded
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.evaluation import Candidate, Look, evaluate_now, stage_hits
from playbooks.models import EvaluationRun

CLOCK = Clock.at(NOW, ZoneInfo("UTC"))
DAYS = (1, 1, 3, 7, 14)
ASKED, LOADED = 100, 4_000  # how many accounts a round of Python looks at
VERDICTS = [compiled(rule) for rule in RULES]
NEWCOMERS = (0, 1, 2)  # per cent of the tracked accounts
FINDING, EVALUATION = "find who matches, {} % new", "the whole evaluation, {} % new"
READ = tuple(f"accounts_{table}" for table in ("account", "enduser", "accountuser", "eventcount", "indicator"))
WRITTEN = ("playbooks_enrollment", "playbooks_actionrun", "playbooks_ledgerentry", "accounts_timelineentry")


@dataclass(frozen=True, slots=True)
class Workspace:
    """One tenant, its rules as the engine reads them, and a few accounts for Python to look at."""

    tenant: Tenant
    accounts: int
    audiences: Sequence[Audience]
    sample: Sequence[int]

    def one_pass(self, rules: int = len(RULES)) -> Sql:
        return one_pass_accounts(self.audiences[:rules], tenant_id=self.tenant.pk, clock=CLOCK)

    def one_by_one(self) -> Iterator[Sql]:
        for audience in self.audiences:
            yield matching_accounts(audience, tenant_id=self.tenant.pk, clock=CLOCK)


def evaluate(profile: Profile) -> Report:
    tenants = make_workspaces(profile)
    for alias in ("default", "owner"):
        serve_alike(alias)
    workspaces = [workspace_of(tenant) for tenant in tenants]
    agreed = _python_agrees(workspaces[0]) and all(one_by_one_agrees(workspace) for workspace in workspaces)
    costs = interleaved(_readings(workspaces))
    costs |= _steady_days(workspaces)
    return _report(profile.accounts, costs, equal=agreed and _owner_agrees(workspaces))


def workspace_of(tenant: Tenant) -> Workspace:
    with tenant_context(tenant.pk):
        fields = workspace_fields()
        trees = [grammar.parse_pair(rule.get("account"), rule.get("user"), fields=fields) for rule in RULES]
        ids = list(Account.objects.order_by("pk").values_list("pk", flat=True))
        return Workspace(tenant, len(ids), [Audience(*pair) for pair in trees], ids[:LOADED])


# Do they agree? -------------------------------------------------------------------------------------------------------


def _python_agrees(workspace: Workspace) -> bool:
    with tenant_context(workspace.tenant.pk):
        found = dict(_rows(workspace.one_pass()))
        slow = _account_by_account(workspace.sample[:ASKED])
        fast = _bits(subjects.loaded(workspace.sample))
    return all(found.get(id, 0) == bits for bits_of in (slow, fast) for id, bits in bits_of.items())


def _bits(some: Iterable[subjects.LoadedSubject]) -> dict[int, int]:
    return {subject.account.pk: _bits_of(subject) for subject in some}


def _bits_of(subject: Subject) -> int:
    return sum(1 << bit for bit, holds in enumerate(VERDICTS) if holds(subject))


def _account_by_account(ids: Sequence[int]) -> dict[int, int]:
    """Playbook after playbook, account after account, query after query."""
    bits = dict.fromkeys(ids, 0)
    for bit, holds in enumerate(VERDICTS):
        for subject in subjects.asking(ids):
            bits[subject.account.pk] |= holds(subject) << bit
    return bits


def one_by_one_agrees(workspace: Workspace) -> bool:
    with tenant_context(workspace.tenant.pk):
        together: dict[int, int] = {}
        for bit, query in enumerate(workspace.one_by_one()):
            for (id,) in _rows(query):
                together[id] = together.get(id, 0) | 1 << bit
        return together == dict(_rows(workspace.one_pass()))


def _owner_agrees(workspaces: Sequence[Workspace]) -> bool:
    queries = [_summed(workspace.one_pass()) for workspace in workspaces]
    with without_policies(*READ) as cursor:
        by_owner = [_fetched(cursor, query) for query in queries]
    for workspace, query, found in zip(workspaces, queries, by_owner, strict=True):
        with tenant_context(workspace.tenant.pk):
            if _rows(query) != found:
                return False
    return True


def _rows(query: Sql) -> list[Any]:
    with connections["default"].cursor() as cursor:
        return _fetched(cursor, query)


def _fetched(cursor: Any, query: Sql) -> list[Any]:
    cursor.execute(query.text, query.params)
    return cursor.fetchall()  # type: ignore[no-any-return]


# What is measured -----------------------------------------------------------------------------------------------------


def _readings(workspaces: Sequence[Workspace]) -> dict[str, Callable[[], Cost]]:
    rounds = cycle(workspaces[0].sample[at : at + ASKED] for at in range(0, 5 * ASKED, ASKED))
    return {
        "floor: read the accounts": lambda: _sum_of(workspaces, _account_floor),
        "floor: read all the rules ask about": lambda: _sum_of(workspaces, _whole_floor),
        "account rules, one pass": lambda: _sum_of(workspaces, lambda one: [_summed(one.one_pass(ACCOUNT_RULES))]),
        "all rules, one pass": lambda: one_pass_cost(workspaces),
        "all rules, a query each": lambda: _sum_of(workspaces, lambda one: map(_summed, one.one_by_one())),
        "the same pass by the owner, no policy": lambda: _by_owner(workspaces),
        "Python, everything loaded": lambda: _in_python(
            workspaces, LOADED, lambda: _bits(subjects.loaded(workspaces[0].sample))
        ),
        "Python, query by query": lambda: _in_python(workspaces, ASKED, lambda: _account_by_account(next(rounds))),
    }


def one_pass_cost(workspaces: Sequence[Workspace]) -> Cost:
    return _sum_of(workspaces, lambda one: [_summed(one.one_pass())])


def _summed(query: Sql) -> Sql:
    """Read to the end, with one row to send, whatever the number of matches."""
    return Sql(f"SELECT count(*), sum(hashtextextended(found::text, 0)) FROM ({query.text}) found", query.params)


def _account_floor(workspace: Workspace) -> Iterator[Sql]:
    """A sum over a column in front and a count of the last slot the rules read: nothing less reads the rows."""
    yield Sql(f"SELECT sum(mrr_cents), count(l01) FROM accounts_account WHERE tenant_id = {workspace.tenant.pk}")


def _whole_floor(workspace: Workspace) -> Iterator[Sql]:
    mine = f"tenant_id = {workspace.tenant.pk}"
    yield from _account_floor(workspace)
    yield Sql(f"SELECT sum(n03), count(b02) FROM accounts_enduser WHERE {mine}")
    yield Sql(f"SELECT count(role), count(last_seen_at) FROM accounts_accountuser WHERE {mine}")
    for name, days in _windows().items():
        event = f"SELECT id FROM accounts_eventtype WHERE {mine} AND name = %s"
        counts = f"SELECT sum(count) FROM accounts_eventcount WHERE {mine} AND event_type_id = ({event}) AND day >= %s"
        yield Sql(counts, (name, TODAY - timedelta(days=days)))


def _windows() -> dict[str, int]:
    """How far back the rules look, by event."""
    found: dict[str, int] = {}
    for leaf in (leaf for rule in RULES for leaf in _leaves(rule.get("account") or {})):
        if leaf["field"].startswith("event:"):
            name = leaf["field"].removeprefix("event:")
            found[name] = max(found.get(name, 0), leaf.get("days") or leaf["value"])
    return found


def _leaves(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "field" in tree:
        yield tree
    for child in (*tree.get("all", ()), *tree.get("any", ())):
        yield from _leaves(child)


def _sum_of(workspaces: Sequence[Workspace], queries: Callable[[Workspace], Iterable[Sql]]) -> Cost:
    return sum((_reading(workspace, list(queries(workspace))) for workspace in workspaces), NOTHING)


def _reading(workspace: Workspace, queries: Sequence[Sql]) -> Cost:
    with tenant_context(workspace.tenant.pk):
        cost, _ = cost_of(lambda: [_rows(query) for query in queries])
        return cost


def _by_owner(workspaces: Sequence[Workspace]) -> Cost:
    with without_policies(*READ) as cursor:
        queries = [_summed(workspace.one_pass()) for workspace in workspaces]
        cost, _ = cost_of(lambda: [_fetched(cursor, query) for query in queries], database="owner")
        return cost


@contextmanager
def without_policies(*tables: str) -> Iterator[Any]:
    """The owner's own view of the tables, for as long as a transaction that is rolled back."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        yield cursor
        transaction.set_rollback(True, using="owner")


def _in_python(workspaces: Sequence[Workspace], looked_at: int, work: Callable[[], Any]) -> Cost:
    """Extrapolated from the accounts looked at to all."""
    with tenant_context(workspaces[0].tenant.pk):
        cost, _ = cost_of(work)
    looked_at = min(looked_at, len(workspaces[0].sample))
    return cost.times(sum(workspace.accounts for workspace in workspaces) / looked_at)


# A day like any other -------------------------------------------------------------------------------------------------


def _steady_days(workspaces: Sequence[Workspace]) -> dict[str, Cost]:
    """Every playbook has enrolled its accounts before; now nobody is new, or a few are."""
    candidates = {one.tenant.pk: _candidates(one) for one in workspaces}
    first_day = _each(workspaces, lambda one: evaluate_now(one.tenant, by=None, now=NOW))
    settle_tables(WRITTEN)

    def find(one: Workspace) -> None:
        _stage(one, candidates[one.tenant.pk])

    variants: dict[str, Callable[[], Cost]] = {
        "settle lifecycles, health, segments": lambda: _steady_day(workspaces, _settle),
    }
    for percent in NEWCOMERS:
        variants[FINDING.format(percent)] = partial(_steady_day, workspaces, find, new=percent)
        variants[EVALUATION.format(percent)] = partial(_steady_day, workspaces, _look_again, new=percent)
    return {"the first evaluation": first_day} | interleaved(variants)


def _candidates(workspace: Workspace) -> list[Candidate]:
    with tenant_context(workspace.tenant.pk):
        playbooks = [make_live(workspace.tenant, rule, days=DAYS) for rule in RULES]
    pairs = zip(playbooks, workspace.audiences, strict=True)
    return [Candidate(playbook, audience, bit=bit) for bit, (playbook, audience) in enumerate(pairs)]


def _each(workspaces: Sequence[Workspace], work: Callable[[Workspace], Any]) -> Cost:
    return sum((cost_of(partial(work, one))[0] for one in workspaces), NOTHING)


def _steady_day(workspaces: Sequence[Workspace], work: Callable[[Workspace], Any], *, new: int = 0) -> Cost:
    """`new` per cent of the tracked accounts were not tracked the day before. Rolled back."""
    total = NOTHING
    for workspace in workspaces:
        with transaction.atomic():
            if new:
                _return_some(workspace, new)
            total += _each([workspace], work)
            transaction.set_rollback(True)
    return total


def _return_some(workspace: Workspace, percent: int) -> None:
    """Of a hundred accounts 18 are not tracked and 82 are: one in 22 of those is one per cent of these."""
    with tenant_context(workspace.tenant.pk):
        untracked = Account.objects.filter(lifecycle__in=("churned", "ignored"))
        untracked.annotate(place=F("pk") % 22).filter(place__lt=percent).update(lifecycle="subscribed")


def _stage(workspace: Workspace, candidates: Sequence[Candidate]) -> None:
    with tenant_context(workspace.tenant.pk):
        run = EvaluationRun(trigger=EvaluationRun.Trigger.MANUAL, local_date=TODAY, started_at=NOW)
        look = Look(workspace.tenant, run, workspace_fields(), NOW, workspace.accounts)
        stage_hits(look, candidates, users=False)


def _settle(workspace: Workspace) -> None:
    with tenant_context(workspace.tenant.pk):
        settle(tenant=workspace.tenant, fields=workspace_fields(), now=NOW)


def _look_again(workspace: Workspace) -> None:
    evaluate_now(workspace.tenant, by=None, now=NOW)


# In figures -----------------------------------------------------------------------------------------------------------


def _report(accounts: int, costs: dict[str, Cost], *, equal: bool) -> Report:
    server = {name: cost.server for name, cost in costs.items()}
    both = {name: cost.processor for name, cost in costs.items()}
    one_pass = "all rules, one pass"
    enroll_ratios = _enroll_ratios(server)
    figures = {
        "accounts": accounts,
        "rules": len(RULES),
        "ratio_to_floor": server[one_pass] / server["floor: read all the rules ask about"],
        "account_rules_to_floor": server["account rules, one pass"] / server["floor: read the accounts"],
        "speedup_vs_naive": both["Python, query by query"] / both[one_pass],
        "speedup_vs_prefetched": both["Python, everything loaded"] / both[one_pass],
        "speedup_vs_per_playbook": server["all rules, a query each"] / server[one_pass],
        "enroll_ratio": max(enroll_ratios.values()),
        **enroll_ratios,
        "accounts_per_cpu_s": accounts / server[one_pass] * 1000,
        "rls_ratio": server[one_pass] / server["the same pass by the owner, no policy"],
    }
    lines = [Line(name, accounts, cost) for name, cost in costs.items()]
    return Report({name: rounded(value) for name, value in figures.items()} | {"equal": equal}, lines)


def _enroll_ratios(server: dict[str, float]) -> dict[str, float]:
    """All that an evaluation does beside finding who matches, in terms of finding them that day."""
    return {
        f"enroll_ratio_{percent}": server[EVALUATION.format(percent)] / server[FINDING.format(percent)] - 1
        for percent in NEWCOMERS
    }
