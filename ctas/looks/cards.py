"""A card of the board."""

from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from cs_platform.web.pages import WorkspaceRequest, addresses
from ctas.cockpit import Row
from ctas.looks.pieces import NOTHING, Pieces, joined, meter

_CARD = (
    '<article class="cta-card" data-row data-id="{}" data-card="{}" data-status="{}"{}{}>'
    '<a class="title" data-open draggable="false" {}>{}</a>'
    '<span class="sub">{}<span class="truncate">{}</span></span>'
    '<span class="foot">{}<span class="num{}">{}</span>{}{}</span></article>'
)


class Cards(Pieces):
    def __init__(self, request: WorkspaceRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.status = addresses("ctas:status", request.tenant.slug)

    def of(self, rows: Iterable[Row]) -> SafeString:
        return joined(map(self._card, rows))

    def _card(self, row: Row) -> SafeString:
        cta = row.cta
        return format_html(
            _CARD,
            cta.pk,
            self.edit(cta.pk),
            self.status(cta.pk),
            self.draggable,
            self.current(cta),
            self.opens(cta),
            cta.name,
            self.mark(cta.type),
            cta.account.name,
            self.bars(cta.priority),
            self.late(row),
            self.due(row),
            meter(row),
            self.person(row.owner.name, "sm") if row.owner else NOTHING,
        )
