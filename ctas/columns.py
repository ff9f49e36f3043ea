"""The accounts table's column of open CTAs."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count

from accounts.models import Account
from accounts.rules.sql import Sql, compose
from accounts.table.columns import Cells, Column, Facet, Sort
from cs_platform.tenancy.context import current_tenant_id
from ctas.models import Cta

_OPEN = """
LEFT JOIN (
    SELECT c.account_id, count(*) AS open FROM ctas_cta c
    WHERE c.tenant_id = {tenant} AND c.status = 'open' AND c.archived_at IS NULL GROUP BY c.account_id
) ctas ON ctas.account_id = a.id
"""


class CtaColumns:
    def columns(self) -> Sequence[Column]:
        return (Column("open_ctas", "Open CTAs", "ctas/cells/open.html", classes="right", sorts=(_by_open(),)),)

    def facets(self) -> Sequence[Facet]:
        return ()

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        mine = Cta.objects.open().filter(account_id__in=[account.pk for account in accounts])
        counts = mine.values_list("account_id").annotate(Count("pk")).order_by()
        return {(account_id, "open_ctas"): count for account_id, count in counts}


def _by_open() -> Sort:
    join = compose(_OPEN, tenant=Sql.value(current_tenant_id()))
    count = Sql("coalesce(ctas.open, 0)")
    return Sort(
        "open_ctas", count, int, "Fewest first", "Most first", starts_descending=True, nullable=False, join=join
    )
