"""Heads and rows of a page as HTML. There are over a thousand cells: what is the same in many is written once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.table.columns import Around, Cells, Column
from accounts.table.links import Head
from accounts.table.listing import Thing
from accounts.table.places import ANYWHERE, Place, places
from accounts.table.state import TableState
from cs_platform.web.templatetags.ui import icon

_NOTHING = '<span class="faint" aria-hidden="true">–</span><span class="sr">{}</span>'
_KEYS = mark_safe('aria-keyshortcuts="Shift+ArrowLeft Shift+ArrowRight"')
_HEAD = (
    '<th scope="col" class="{}"{} data-column="{}"{}>{}<span class="resize" data-resize aria-hidden="true"></span></th>'
)
_MENU = (
    '<button class="th-btn" type="button" id="th-{0}" popovertarget="head-{0}" {1}>{2}{3}{4}</button>'
    '<div class="pop start" id="head-{0}" popover hx-get="{5}" hx-trigger="beforetoggle once">'
    '<a class="item" href="{5}">Sort and filter</a></div>'
)
_TOGGLE = (
    '<a class="th-btn" id="th-{0}" href="{5}" hx-get="{5}" hx-target="#results" hx-push-url="true" {1}>{2}{3}{4}</a>'
)
_NAME = '<span class="th-btn" id="th-{0}" tabindex="0" {1}>{2}{3}</span>'
_ARROWS = {"ascending": "arrow-up", "descending": "arrow-down"}
_BOX = (
    '<td class="sel pin"><input class="check" type="checkbox" name="ids" value="{}" form="bulk" data-select'
    ' aria-label="Select {}"></td>'
)


@dataclass(frozen=True, slots=True)
class Row:
    thing: Thing
    cells: SafeString


def rendered(
    state: TableState, things: Sequence[Thing], cells: Cells, around: Around, *, selectable: bool
) -> list[Row]:
    if not things:
        return []
    ids = [thing.pk for thing in things]
    at = places(state)
    by_column = [_cells_of(column, at.get(column.key, ANYWHERE), ids, cells, around) for column in state.columns]
    if selectable:
        by_column.insert(0, (format_html(_BOX, thing.pk, str(thing)) for thing in things))
    return [
        Row(thing, mark_safe("".join(row)))  # every piece has been escaped
        for thing, row in zip(things, zip(*by_column, strict=True), strict=True)
    ]


def _cells_of(column: Column, place: Place, ids: Sequence[int], cells: Cells, around: Around) -> Iterator[str]:
    opening = _opening(column, place)
    nothing = format_html("{}" + _NOTHING + "</td>", opening, column.without)
    written: dict[Any, str] = {}
    for id in ids:
        value = cells.get((id, column.key))
        if value is None and column.without:
            yield nothing
        elif column.shared and value in written:
            yield written[value]
        else:
            cell = f"{opening}{conditional_escape(column.write(value, around))}</td>"
            if column.shared:
                written[value] = cell
            yield cell


def _opening(column: Column, place: Place) -> SafeString:
    """On a phone cells stand below each other and say what they are."""
    label = format_html(' data-label="{}"', column.label) if column.icon or place.at is not None else ""
    return format_html('<td class="{}"{}{}>', place.classes(column.classes), label, place.style)


def headings(heads: Sequence[Head]) -> SafeString:
    return mark_safe("".join(_heading(at, head) for at, head in enumerate(heads, 1)))  # each has been escaped


def _heading(at: int, head: Head) -> SafeString:
    column, sorted_by = head.column, _ARROWS.get(head.aria_sort, "")
    mark = format_html("{} ", icon(column.icon)) if column.icon else ""
    arrow = format_html(" {}", icon(sorted_by or "chevron-down")) if sorted_by or head.menu else ""
    form, address = (_MENU, head.menu) if head.menu else (_TOGGLE, head.toggle) if head.toggle else (_NAME, "")
    return format_html(
        _HEAD,
        head.place.classes(column.classes),
        head.place.style,
        column.key,
        format_html(' aria-sort="{}"', head.aria_sort) if head.aria_sort else "",
        format_html(form, at, _KEYS, mark, column.label, arrow, address),
    )
