"""How many there are behind each tab above a list, or each choice of a column.

All are asked in one statement, and none is told where that takes too long.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import QueryDict

from accounts.matching import TooLong, bounded
from accounts.rules.sql import Clock, Sql, compose
from accounts.table.asked import CannotAsk, strictly
from accounts.table.catalogue import Catalogue
from accounts.table.page import COUNT_LIMIT, matching
from accounts.table.rule_filter import PARAMETER
from accounts.table.state import TableState
from cs_platform.tenancy.models import Tenant

MOST_TABS = 20
LIMIT_MS = 250


def count_tabs(queries: Mapping[str, str], catalogue: Catalogue, *, tenant: Tenant, now: datetime) -> Mapping[str, int]:
    """By key, of the first tabs; up to one more than are counted. Whose filter means nothing any more has no number."""
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    bare = replace(catalogue, facets=[facet for facet in catalogue.facets if facet.key != PARAMETER])
    asked: dict[str, TableState] = {}
    for key, query in list(queries.items())[:MOST_TABS]:
        try:
            asked[key] = strictly(QueryDict(query), bare, tenant=tenant, clock=clock)[1]
        except CannotAsk:
            continue
    return dict(zip(asked, _counts(list(asked.values()), tenant.pk), strict=False))


def _counts(states: list[TableState], tenant_id: int) -> list[int]:
    if not states:
        return []
    limit = Sql.value(COUNT_LIMIT + 1)
    each = [
        compose("(SELECT count(*) FROM (SELECT 1 {rows} LIMIT {n}) t)", rows=matching(one, tenant_id), n=limit)
        for one in states
    ]
    try:
        [row] = bounded(compose("SELECT {each}", each=Sql.join(", ", each)), at_most_ms=LIMIT_MS)
    except TooLong:
        return []
    return list(row)
