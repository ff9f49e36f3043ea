"""A day of the calendar, with its first CTAs and tasks."""

from typing import Any

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from cs_platform.web.pages import WorkspaceRequest, addresses
from cs_platform.web.templatetags.ui import icon, weekday
from ctas.cockpit import Row
from ctas.lists import Kind
from ctas.looks.pieces import NOTHING, Pieces, joined
from ctas.month import COUNTED, Day

_DAY = (
    '<section class="calendar-day{}" data-column aria-label="{}"{}{}>'
    '<h3>{}<span class="sr"> {}</span></h3>{}{}</section>'
)
_ENTRY = (
    '<div class="calendar-entry {}" data-row data-id="{}" data-card="{}"{}{}>{}'
    '<a class="truncate" data-open draggable="false" title="{}" {}>{}<span class="whose"> · {}</span></a></div>'
)
_OUT, _TODAY = mark_safe(" out"), mark_safe(' aria-current="date"')


class Days(Pieces):
    def __init__(self, request: WorkspaceRequest, *args: Any, day_address: str, **kwargs: Any) -> None:
        """`day_address` is that of a day's list, but for the day."""
        super().__init__(request, *args, **kwargs)
        self.move_task = addresses("ctas:move_due", request.tenant.slug)
        self.day_address = day_address

    def day(self, day: Day) -> SafeString:
        return format_html(
            _DAY,
            NOTHING if day.in_month else _OUT,
            weekday(day.on, self.today),
            _TODAY if day.on == self.today else NOTHING,
            format_html(' data-put="due_on={}"', day.on) if self.works else NOTHING,
            day.on.day,
            f"{day.on:%B, %A}",
            joined(map(self._entry, day.rows)),
            self._more(day) if day.more else NOTHING,
        )

    def _more(self, day: Day) -> SafeString:
        words = f"{COUNTED - 1}+ in all" if day.count >= COUNTED else f"{day.more} more"
        return format_html('<a class="more" href="{}{}">{}</a>', self.day_address, day.on, words)

    def _entry(self, row: Row) -> SafeString:
        cta, task = row.cta, row.task
        type, account = self.lists.find(Kind.TYPE, cta.type), escape(cta.account.name)
        return format_html(
            _ENTRY,
            type.tone,
            f"t{task.pk}" if task else cta.pk,
            self.move_task(task.pk) if task else self.edit(cta.pk),
            self.draggable,
            self.current(cta),
            icon(type.icon or "square-check-big"),
            account,
            self.opens(cta),
            task.title if task else cta.name,
            account,
        )
