"""What a line, a card and an entry of the calendar have in common."""

from collections.abc import Iterable
from datetime import date
from functools import cache

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, addresses
from cs_platform.web.templatetags.ui import avatar, percent, weekday
from ctas.cockpit import Asked, Row, days_of
from ctas.lists import Kind, Lists
from ctas.models import Cta
from ctas.own_days import OwnDays
from ctas.templatetags.cta_lists import bars, type_mark

NOTHING = mark_safe("")
_NO_DATE = mark_safe('<span class="faint">No date</span>')
_CURRENT = mark_safe(' aria-current="true"')
_DRAGGABLE = mark_safe(' draggable="true"')
_LATE = mark_safe(" bad-text")
_METER = (
    '<span class="tasks-meter"><span class="ring" style="--p: {}"></span>'
    '<span class="sr">Tasks done: </span>{}/{}</span>'
)
_OPENS = 'href="{0}" hx-get="{0}" hx-target="#drawer" hx-push-url="true"'


class Pieces:
    """What is shown many times is written once."""

    def __init__(self, request: WorkspaceRequest, asked: Asked, lists: Lists, *, here: str, days: OwnDays) -> None:
        """`here` is the page's address, ready for one more parameter."""
        slug = request.tenant.slug
        self.asked, self.lists, self.here = asked, lists, escape(here)
        self.works = request.membership.can(Ability.WORK_CTAS)
        self.days = days_of(asked, request.membership, days)
        self.today = self.days.here
        self.draggable = _DRAGGABLE if self.works else NOTHING
        self.opened = request.GET.get("cta", "")
        self.edit = addresses("ctas:edit", slug)
        self.mark = cache(lambda type: type_mark(lists.find(Kind.TYPE, type)))
        self.bars = cache(lambda priority: bars(lists, priority))
        self.person = cache(avatar)
        self._due = cache(_due)

    def opens(self, cta: Cta) -> SafeString:
        """The drawer."""
        return format_html(_OPENS, mark_safe(f"{self.here}cta={cta.pk}"))

    def current(self, cta: Cta) -> SafeString:
        return _CURRENT if self.opened == str(cta.pk) else NOTHING

    def due(self, row: Row) -> str:
        return self._due(row.due_on, self.days.of(row.owner_id))

    def late(self, row: Row) -> SafeString:
        """The class of a due date that is over."""
        return _LATE if row.due_on is not None and row.due_on < self.days.of(row.owner_id) else NOTHING


def joined(pieces: Iterable[SafeString]) -> SafeString:
    return mark_safe("".join(pieces))  # each has been escaped


def _due(on: date | None, today: date) -> str:
    if on is None:
        return _NO_DATE
    return "Today" if on == today else weekday(on, today)


def meter(row: Row) -> SafeString:
    if not row.total:
        return NOTHING
    return format_html(_METER, percent(row.done, row.total), row.done, row.total)
