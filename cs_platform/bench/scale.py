"""All rules over workspaces of three sizes, each ten times the one before: does the cost grow as the accounts do?"""

import math
from collections.abc import Mapping
from functools import partial
from statistics import linear_regression

from cs_platform.bench.data import TABLES, make_workspace, settle_tables
from cs_platform.bench.evaluate import one_by_one_agrees, one_pass_cost, workspace_of
from cs_platform.bench.measure import interleaved, serve_alike
from cs_platform.bench.playbooks import RULES
from cs_platform.bench.report import Line, Report, rounded


def scale(accounts: int) -> Report:
    """`accounts` is the largest of the three, which share the tables."""
    sizes = [accounts // 100, accounts // 10, accounts]
    tenants = [make_workspace(f"bench-{size}", size) for size in sizes]
    settle_tables(f"accounts_{table}" for table in TABLES)
    serve_alike()
    workspaces = {f"{size:,} accounts": workspace_of(tenant) for size, tenant in zip(sizes, tenants, strict=True)}
    equal = all(map(one_by_one_agrees, workspaces.values()))
    costs = interleaved({name: partial(one_pass_cost, [workspace]) for name, workspace in workspaces.items()})
    lines = [Line(name, size, costs[name]) for size, name in zip(sizes, costs, strict=True)]
    exponent = exponent_of({line.n: line.cost.server for line in lines})
    return Report({"accounts": accounts, "rules": len(RULES), "exponent": rounded(exponent), "equal": equal}, lines)


def exponent_of(costs: Mapping[int, float]) -> float:
    """The x of cost = a · n^x that comes nearest: 1 where ten times as many accounts cost ten times as much."""
    return linear_regression([math.log(n) for n in costs], [math.log(cost) for cost in costs.values()]).slope
