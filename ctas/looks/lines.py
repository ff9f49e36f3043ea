"""A line of the list: a CTA, or a task with its CTA."""

from collections.abc import Iterable
from typing import Any

from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from cs_platform.web.pages import WorkspaceRequest, addresses
from cs_platform.web.templatetags.ui import day, icon, weekday
from ctas.cockpit import Row, Tab
from ctas.lists import Kind
from ctas.looks.pieces import NOTHING, Pieces, joined, meter
from ctas.models import Cta, Task

_NOBODY = mark_safe('<span class="sr">Nobody</span>')
_NO_BOX = mark_safe("<span></span>")
_EDIT = mark_safe("Edit ")
_EDIT_DUE = mark_safe("Edit due date: ")
_EDIT_STATUS = mark_safe("Edit status: ")
_LINE = (
    '<article class="cta-row" data-row{}>{}'
    '<div class="stack gap0">'
    '<a class="title truncate" data-open {}>{}</a>'
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
_OWNER = (
    "<span>{0}"
    '<a hidden href="{1}" hx-get="{1}" hx-target="#dialog" data-key="e">Close</a>'
    '<a hidden href="{2}" hx-get="{2}" hx-target="#dialog" data-key="h">Snooze</a>'
    '<a hidden href="{3}?ids={4}&amp;verb=apply_playbook" hx-get="{3}?ids={4}&amp;verb=apply_playbook"'
    ' hx-target="#dialog" data-key="p">Apply a playbook</a></span>'
)


class Lines(Pieces):
    def __init__(self, request: WorkspaceRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        slug = request.tenant.slug
        self.csrf = get_token(request) if self.works and self.asked.tab is Tab.TASKS else ""
        self.bulk = reverse("ctas:bulk", args=[slug])
        self.cell, self.finish, self.snooze = (addresses(f"ctas:{name}", slug) for name in ("cell", "finish", "snooze"))
        self.edit_task, self.tick = addresses("ctas:edit_task", slug), addresses("ctas:tick", slug, "complete")

    def of(self, rows: Iterable[Row]) -> SafeString:
        return joined(map(self._line, rows))

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
            weight=bars_shown + meter(row),
            due_on=self._due_of(row, cta),
            owner=self._owner_of(row, cta),
        )

    def _of_task(self, row: Row, task: Task) -> SafeString:
        due_on, person = self.due(row), self._person(row)
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
        current, opens = self.current(row.cta), self.opens(row.cta)
        tone = NOTHING if self.asked.tab is Tab.CLOSED else self.late(row)
        return format_html(_LINE, current, box, opens, title, about, _source(row), weight, tone, due_on, owner)

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
        if not cta.stage and cta.status == Cta.Status.OPEN:
            return format_html(_UNSEEN_STATUS, *self._place(cta, "stage")) if self.works else NOTHING
        entry = self.lists.stage_of(cta)
        badge = format_html('<span class="badge {} dot plain">{}</span>', entry.tone, entry.name)
        return self._editable(cta, "stage", badge, words=_EDIT_STATUS, key="s") if self.works else badge

    def _due_of(self, row: Row, cta: Cta) -> str:
        if self.asked.tab is Tab.CLOSED:
            return day(timezone.localtime(cta.closed_at) if cta.closed_at else None, self.today)
        said = self.due(row)
        return self._editable(cta, "due_on", said, words=_EDIT_DUE, key="d") if self.works else said

    def _owner_of(self, row: Row, cta: Cta) -> SafeString:
        if not self.works or cta.status != Cta.Status.OPEN:
            return self._person(row)
        shown = self.person(row.owner.name) if row.owner else icon("user", "faint")
        words = f"Edit owner: {row.owner.name if row.owner else 'Nobody'}"
        editable = self._editable(cta, "owner", shown, words=words, key="a")
        return format_html(_OWNER, editable, self.finish(cta.pk), self.snooze(cta.pk), self.bulk, cta.pk)

    def _person(self, row: Row) -> SafeString:
        return self.person(row.owner.name) if row.owner else _NOBODY

    def _editable(self, cta: Cta, field: str, shown: str, *, words: str = _EDIT, key: str = "") -> SafeString:
        """A value, and the place where its field appears."""
        by_key = mark_safe(f' data-key="{key}"') if key else NOTHING
        return format_html(_EDITABLE, *self._place(cta, field), by_key, words, shown)

    def _place(self, cta: Cta, field: str) -> tuple[SafeString, SafeString]:
        """Where its field comes from, and the id of where it goes: of ids and names of ours, so safe as they are."""
        return mark_safe(f"{self.cell(cta.pk)}?field={field}"), mark_safe(f"cell-{cta.pk}-{field}")


def _source(row: Row) -> SafeString:
    if row.source:
        return format_html('{}<small class="muted truncate">{}</small>', icon("workflow", "sm faint"), row.source)
    mark, words = ("refresh-cw", "Recurring") if row.cta.recurrence_id else ("hand", "By hand")
    return format_html('{}<small class="faint">{}</small>', icon(mark, "sm faint"), words)
