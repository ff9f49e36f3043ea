"""How many there are behind each tab above a list, or each choice of a column.

All are asked in one statement, and none is told where that takes too long.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.http import QueryDict

from accounts.matching import bounded, rows_of
from accounts.rules.sql import Clock, Sql, compose
from accounts.table.asked import CannotAsk, strictly
from accounts.table.catalogue import Catalogue
from accounts.table.page import COUNT_LIMIT, matching
from accounts.table.rule_filter import PARAMETER
from accounts.table.state import TableState
from cs_platform.common.time_limit import TooLong
from cs_platform.tenancy.models import Tenant

MOST_TABS = 20
LIMIT_MS = 250

Key = TypeVar("Key")


def count_tabs(queries: Mapping[str, str], catalogue: Catalogue, *, tenant: Tenant, now: datetime) -> Mapping[str, int]:
    """By key, of the first tabs; up to one more than are counted. Whose filter means nothing any more has no number."""
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    bare = replace(catalogue, facets=[facet for facet in catalogue.facets if facet.key != PARAMETER])
    asked = states_of(dict(list(queries.items())[:MOST_TABS]), bare, tenant=tenant, clock=clock)
    return dict(zip(asked, _counts(list(asked.values()), tenant.pk), strict=False))


def states_of(
    queries: Mapping[Key, str], catalogue: Catalogue, *, tenant: Tenant, clock: Clock
) -> dict[Key, TableState]:
    """What each asks for, without those whose filter means nothing any more."""
    asked: dict[Key, TableState] = {}
    for key, query in queries.items():
        try:
            asked[key] = strictly(QueryDict(query), catalogue, tenant=tenant, clock=clock)[1]
        except CannotAsk:
            continue
    return asked


def count_up_to(state: TableState, tenant_id: int, most: int) -> int:
    [[number]] = rows_of(compose("SELECT {count}", count=_counting(state, tenant_id, most)))
    return int(number)


def _counts(states: list[TableState], tenant_id: int) -> list[int]:
    if not states:
        return []
    each = [_counting(one, tenant_id, COUNT_LIMIT + 1) for one in states]
    try:
        [row] = bounded(compose("SELECT {each}", each=Sql.join(", ", each)), at_most_ms=LIMIT_MS)
    except TooLong:
        return []
    return list(row)


def _counting(state: TableState, tenant_id: int, most: int) -> Sql:
    rows, limit = matching(state, tenant_id), Sql.value(most)
    return compose("(SELECT count(*) FROM (SELECT 1 {rows} LIMIT {limit}) t)", rows=rows, limit=limit)
