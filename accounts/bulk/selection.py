"""Which accounts, or users, a bulk edit is about: those ticked, or all that a list holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.rules.sql import Sql, compose
from accounts.table.asked import asked_table
from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS
from cs_platform.common.statements import fetch
from cs_platform.tenancy.models import Membership, Tenant

NAMES_SHOWN = 5
_FROM = "FROM {table} WHERE {present}{where}"
_COUNT = f"SELECT count(*) {_FROM}"
_NEXT = f"SELECT {{id}} {_FROM} AND {{id}} > {{after}} ORDER BY {{id}} LIMIT {{limit}}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Kept in the job as `{"ids": […]}` or `{"query": "status=any&q=har"}`."""

    ids: tuple[int, ...] = ()
    query: str | None = None
    listing: Listing = ACCOUNTS

    @classmethod
    def of(cls, params: Mapping[str, Any], listing: Listing) -> "Selection":
        return cls(tuple(params.get("ids", ())), params.get("query"), listing)

    @property
    def params(self) -> dict[str, Any]:
        return {"ids": list(self.ids)} if self.query is None else {"query": self.query}

    def among(self, *, tenant: Tenant, member: Membership | None, now: datetime) -> "Chosen":
        """Raises CannotAsk. `now` is the moment of choosing, so that “today” stays the same through a long job."""
        if self.query is None:
            ticked = compose("{id} = ANY({ids})", id=self.listing.id, ids=Sql("%s", (list(self.ids),)))
            return Chosen(self.listing, self.listing.own(tenant.pk), (ticked,))
        _catalogue, state = asked_table(self.listing, self.query, tenant=tenant, member=member, now=now)
        return Chosen(self.listing, state.scope(tenant.pk), tuple(state.conditions))


@dataclass(frozen=True, slots=True)
class Chosen:
    listing: Listing
    scope: Sql
    conditions: Sequence[Sql]

    def count(self) -> int:
        return int(self._select(_COUNT)[0][0])

    def next_ids(self, *, after: int, limit: int) -> list[int]:
        rows = self._select(_NEXT, after=Sql.value(after), limit=Sql.value(limit))
        return [id for (id,) in rows]

    def names(self) -> list[str]:
        ids = self.next_ids(after=0, limit=NAMES_SHOWN)
        return [str(thing) for thing in self.listing.model.objects.filter(pk__in=ids).order_by("pk")]

    def _select(self, template: str, **parts: Sql) -> list[tuple[Any, ...]]:
        where = Sql.join("", [compose(" AND {one}", one=one) for one in self.conditions])
        own = {"table": self.listing.table, "id": self.listing.id, "present": self.scope}
        sql = compose(template, where=where, **own, **parts)
        return fetch(sql.text, sql.params)
