"""The accounts table's column of active indicators, and its filter by them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import Account, Indicator
from accounts.rules.sql import Sql, compose
from accounts.table.cells import SHOWN, more
from accounts.table.columns import Around, Cells, Choice, Column, Facet
from cs_platform.tenancy.context import current_tenant_id

_ACTIVE = """
EXISTS (
    SELECT FROM accounts_indicator i
    WHERE i.tenant_id = {tenant} AND i.account_id = a.id AND i.state = 'active'{which}
)
"""


@dataclass(frozen=True, slots=True)
class Raised:
    kind: str
    title: str

    def __str__(self) -> str:
        return self.title


_TONES = {Indicator.Kind.RISK: "bad", Indicator.Kind.OPPORTUNITY: "ok"}


def _cell(raised: Sequence[Raised], around: Around) -> SafeString:
    shown = format_html_join(
        "",
        '<span class="badge dot {}">{}<span class="sr">, {}</span></span>',
        ((_TONES[Indicator.Kind(one.kind)], one.title, one.kind) for one in raised[:SHOWN]),
    )
    return format_html('<span class="row gap1">{}{}</span>', shown, more(raised))


class IndicatorColumns:
    def columns(self) -> Sequence[Column]:
        return (
            Column(
                "indicators",
                "Indicators",
                _cell,
                icon="flag",
                facet=Facet("indicators", "Indicators", "flag", _choices),
                usual=False,
                without="None active",
                shared=True,
            ),
        )

    def facets(self) -> Sequence[Facet]:
        return ()

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        """Risks first: what one acts on."""
        active = Indicator.objects.filter(account__in=accounts, state=Indicator.State.ACTIVE)
        active = active.order_by("-kind", "title", "pk")
        found: dict[int, list[Raised]] = defaultdict(list)
        for account_id, kind, title in active.values_list("account_id", "kind", "title"):
            found[account_id].append(Raised(kind, title))
        return {(account_id, "indicators"): tuple(raised) for account_id, raised in found.items()}


def _choices() -> Iterator[Choice]:
    for kind in Indicator.Kind:
        yield Choice(kind.value, f"An active {kind.label.lower()}", _active(_of(kind)))
    yield Choice("none", "None active", compose("NOT {some}", some=_active(Sql(""))))


def _of(kind: str) -> Sql:
    return compose(" AND i.kind = {kind}", kind=Sql.value(str(kind)))


def _active(which: Sql) -> Sql:
    return compose(_ACTIVE, tenant=Sql.value(current_tenant_id()), which=which)
