"""The lines of the cockpit's list as HTML. In Python: a page has fifty of a dozen pieces each, and to fill them in as
templates took longer than all the rest of it.
"""

from collections.abc import Iterable
from functools import cache

from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, addresses
from cs_platform.web.templatetags.ui import avatar, day, icon, percent, weekday
from ctas.cockpit import Asked, Row, Tab
from ctas.lists import Kind, Lists
from ctas.models import Cta, Task
from ctas.templatetags.cta_lists import bars, due, type_mark

_NOTHING = mark_safe("")
_NOBODY = mark_safe('<span class="sr">Nobody</span>')
_NO_BOX = mark_safe("<span></span>")
_EDIT = mark_safe("Edit ")
_EDIT_DUE = mark_safe("Edit due date: ")
_EDIT_STATUS = mark_safe("Edit status: ")
_LINE = (
    '<article class="cta-row" data-row{}>{}'
    '<div class="stack gap0">'
    '<a class="title truncate" data-open href="{}" hx-get="{}" hx-target="#drawer" hx-push-url="true">{}</a>'
    '<span class="sub">{}</span></div>'
    '<span class="row gap1 truncate source">{}</span><span class="row">{}</span>'
    '<span class="due{}">{}</span>{}</article>'
)
_EDITABLE = (
    '<a class="edit" href="{0}" hx-get="{0}" hx-target="#{1}" data-edits="{1}"{2}><span class="sr">{3}</span>{4}</a>'
    '<span class="edit-place" id="{1}"></span>'
)
_UNSEEN_STATUS = (
    '<a class="sr" tabindex="-1" href="{0}" hx-get="{0}" hx-target="#{1}" data-edits="{1}" data-key="s">Edit status</a>'
    '<span class="edit-place" id="{1}"></span>'
)
_SELECT = (
    '<span class="selects">{}<input class="check" type="checkbox" name="ids" value="{}" form="bulk" data-select'
    ' aria-label="Select {}"></span>'
)
_TICK = (
    '<form class="over" method="post" action="{0}" hx-post="{0}" hx-trigger="change, submit" hx-swap="none">'
    '<input type="hidden" name="csrfmiddlewaretoken" value="{1}">'
    '<input class="check" type="checkbox" aria-label="Done: {2}">'
    '<noscript><button class="btn sm">Done</button></noscript></form>'
)
_METER = (
    '<span class="tasks-meter"><span class="ring" style="--p: {}"></span>'
    '<span class="sr">Tasks done: </span>{}/{}</span>'
)
_BY_KEY = '<a hidden href="{0}" hx-get="{0}" hx-target="#dialog" data-key="{1}">{2}</a>'


class Lines:
    """What the lines of one list have in common, and each of them."""

    def __init__(self, request: WorkspaceRequest, asked: Asked, lists: Lists, *, here: str) -> None:
        """`here` is the page's address, ready for one more parameter."""
        slug = request.tenant.slug
        self.asked, self.lists, self.here = asked, lists, here
        self.works = request.membership.can(Ability.WORK_CTAS)
        self.today = timezone.localdate(request.now)
        self.opened = request.GET.get("cta", "")
        self.csrf = get_token(request) if self.works and asked.tab is Tab.TASKS else ""
        self.bulk = reverse("ctas:bulk", args=[slug])
        self.cell, self.finish, self.snooze = (addresses(f"ctas:{name}", slug) for name in ("cell", "finish", "snooze"))
        # Written once for all the lines that show them.
        self.mark = cache(lambda type: type_mark(lists.find(Kind.TYPE, type)))
        self.bars = cache(lambda priority: bars(lists, priority))
        self.person = cache(avatar)
        self.edit_task, self.tick = addresses("ctas:edit_task", slug), addresses("ctas:tick", slug, "complete")

    def of(self, rows: Iterable[Row]) -> SafeString:
        return mark_safe("".join(map(self._line, rows)))  # each has been escaped

    def _line(self, row: Row) -> SafeString:
        return self._of_task(row, row.task) if row.task else self._of_cta(row, row.cta)

    def _of_cta(self, row: Row, cta: Cta) -> SafeString:
        mark, bars_shown = self.mark(cta.type), self.bars(cta.priority)
        if self.works and cta.status == Cta.Status.OPEN:
            bars_shown = self._editable(cta, "priority", bars_shown)
        return self._written(
            row,
            box=format_html(_SELECT, mark, cta.pk, cta.name) if self.works else mark,
            title=cta.name,
            about=format_html('<span class="truncate">{}</span>{}', self._about(cta), self._stage(cta)),
            weight=format_html("{}{}", bars_shown, _meter(row)),
            due_on=self._due_of(row, cta),
            owner=self._owner_of(row, cta),
        )

    def _of_task(self, row: Row, task: Task) -> SafeString:
        due_on, person = due(task.due_on, self.today), self._person(row)
        if self.works:
            due_on = format_html(_EDITABLE, self.edit_task(task.pk), f"task-{task.pk}-row", "", _EDIT_DUE, due_on)
            person = format_html(_SELECT, person, task.pk, task.title)
        return self._written(
            row,
            box=format_html(_TICK, self.tick(task.pk), self.csrf, task.title) if self.works else _NO_BOX,
            title=task.title,
            about=format_html('<span class="truncate">{} · {}</span>', row.cta.name, row.cta.account.name),
            weight=self.bars(row.cta.priority),
            due_on=due_on,
            owner=person,
        )

    def _written(
        self, row: Row, *, box: str, title: str, about: str, weight: str, due_on: str, owner: str
    ) -> SafeString:
        address = f"{self.here}cta={row.cta.pk}"
        current = mark_safe(' aria-current="true"') if self.opened == str(row.cta.pk) else ""
        late = self.asked.tab is not Tab.CLOSED and row.due_on is not None and row.due_on < self.today
        tone = " bad-text" if late else ""
        return format_html(
            _LINE, current, box, address, address, title, about, _source(row), weight, tone, due_on, owner
        )

    def _about(self, cta: Cta) -> str:
        words = [cta.account.name]
        if cta.reason:
            words.append(self.lists.find(Kind.REASON, cta.reason).name)
        if self.asked.tab is Tab.SNOOZED:
            why = f": {cta.snooze_reason}" if cta.snooze_reason else ""
            words.append(f"until {weekday(cta.snoozed_until, self.today)}{why}")
        return " · ".join(words)

    def _stage(self, cta: Cta) -> SafeString:
        """Work that is just open says nothing of it; a key changes it all the same."""
        entry = self.lists.stage_of(cta)
        badge = format_html('<span class="badge {} dot plain">{}</span>', entry.tone, entry.name)
        is_said = bool(cta.stage) or cta.status != Cta.Status.OPEN
        if not self.works:
            return badge if is_said else _NOTHING
        if is_said:
            return self._editable(cta, "stage", badge, words=_EDIT_STATUS, key="s")
        return format_html(_UNSEEN_STATUS, f"{self.cell(cta.pk)}?field=stage", f"cell-{cta.pk}-stage")

    def _due_of(self, row: Row, cta: Cta) -> str:
        if self.asked.tab is Tab.CLOSED:
            return day(timezone.localtime(cta.closed_at) if cta.closed_at else None, self.today)
        said = due(cta.due_on, self.today)
        return self._editable(cta, "due_on", said, words=_EDIT_DUE, key="d") if self.works else said

    def _owner_of(self, row: Row, cta: Cta) -> SafeString:
        if not self.works or cta.status != Cta.Status.OPEN:
            return self._person(row)
        shown = self.person(row.owner.name) if row.owner else icon("user", "faint")
        words = f"Edit owner: {row.owner.name if row.owner else 'Nobody'}"
        return format_html(
            "<span>{}{}{}{}</span>",
            self._editable(cta, "owner", shown, words=words, key="a"),
            format_html(_BY_KEY, self.finish(cta.pk), "e", "Close"),
            format_html(_BY_KEY, self.snooze(cta.pk), "h", "Snooze"),
            format_html(_BY_KEY, f"{self.bulk}?ids={cta.pk}&verb=apply_playbook", "p", "Apply a playbook"),
        )

    def _person(self, row: Row) -> SafeString:
        return self.person(row.owner.name) if row.owner else _NOBODY

    def _editable(self, cta: Cta, field: str, shown: str, *, words: str = _EDIT, key: str = "") -> SafeString:
        """A value, and the place where its field appears."""
        by_key = format_html(' data-key="{}"', key) if key else ""
        return format_html(
            _EDITABLE, f"{self.cell(cta.pk)}?field={field}", f"cell-{cta.pk}-{field}", by_key, words, shown
        )


def _source(row: Row) -> SafeString:
    if row.source:
        return format_html('{}<small class="muted truncate">{}</small>', icon("workflow", "sm faint"), row.source)
    mark, words = ("refresh-cw", "Recurring") if row.cta.recurrence_id else ("hand", "By hand")
    return format_html('{}<small class="faint">{}</small>', icon(mark, "sm faint"), words)


def _meter(row: Row) -> SafeString:
    return format_html(_METER, percent(row.done, row.total), row.done, row.total) if row.total else _NOTHING
