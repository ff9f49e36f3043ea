"""The accounts table's column of open CTAs."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count

from accounts.models import Account
from accounts.rules.sql import Sql, compose
from accounts.table.cells import number
from accounts.table.columns import Cells, Column, Facet, Sort, Walk
from cs_platform.tenancy.context import current_tenant_id
from ctas.models import Cta

_OPEN = "c.tenant_id = {tenant} AND c.status = 'open' AND c.archived_at IS NULL"
_COUNTED = f"""
(SELECT c.account_id, count(*) AS open FROM ctas_cta c WHERE {_OPEN} GROUP BY c.account_id) p
JOIN accounts_account a ON a.id = p.account_id
"""
_NONE = f"NOT EXISTS (SELECT 1 FROM ctas_cta c WHERE {_OPEN} AND c.account_id = a.id)"


class CtaColumns:
    def columns(self) -> Sequence[Column]:
        return (Column("open_ctas", "Open CTAs", number, classes="right", sorts=(_by_open(),), shared=True),)

    def facets(self) -> Sequence[Facet]:
        return ()

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        mine = Cta.objects.open().filter(account_id__in=[account.pk for account in accounts])
        counts = mine.values_list("account_id").annotate(Count("pk")).order_by()
        return {(account_id, "open_ctas"): count for account_id, count in counts}


def _by_open() -> Sort:
    words = ("Fewest first", "Most first")
    return Sort("open_ctas", Sql("p.open"), int, *words, starts_descending=True, absent_is_least=True, walk=_counted)


def _counted() -> Walk:
    tenant = Sql.value(current_tenant_id())
    return Walk(compose(_COUNTED, tenant=tenant), absent=compose(_NONE, tenant=tenant), id=Sql("p.account_id"))
