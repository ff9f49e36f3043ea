"""The workspace's own types, priorities and statuses on a page; read once for it. Loaded into every template."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from cs_platform.web.templatetags.ui import icon
from ctas.lists import Entry, Lists, current_lists
from ctas.models import Cta, ListEntry

register = template.Library()


def _lists(context: template.Context) -> Lists:
    request = context["request"]
    if not hasattr(request, "cta_lists"):
        request.cta_lists = current_lists()
    lists: Lists = request.cta_lists
    return lists


@register.simple_tag(takes_context=True)
def cta_type(context: template.Context, key: str, classes: str = "") -> SafeString:
    return type_mark(_lists(context).find(ListEntry.Kind.TYPE, key), classes)


def type_mark(entry: Entry, classes: str = "") -> SafeString:
    """A type's tile, with its name for those who do not see it."""
    return format_html(
        '<span class="type-mark {} {}" title="{}">{}<span class="sr">{}</span></span>',
        entry.tone,
        classes,
        entry.name,
        icon(entry.icon or "square-check-big"),
        entry.name,
    )


@register.simple_tag(takes_context=True)
def cta_entry(context: template.Context, kind: str, key: str) -> Entry:
    return _lists(context).find(kind, key)


@register.simple_tag(takes_context=True)
def cta_stage(context: template.Context, cta: Cta) -> Entry:
    return _lists(context).stage_of(cta)


@register.simple_tag(takes_context=True)
def priority_bars(context: template.Context, key: str) -> SafeString:
    return bars(_lists(context), key)


def bars(lists: Lists, key: str) -> SafeString:
    """One to three, in the colour an admin chose for this priority."""
    entry = lists.find(ListEntry.Kind.PRIORITY, key)
    return format_html(
        '<span class="prio bars-{} {}" title="{} priority">{}<span class="sr">{} priority</span></span>',
        lists.bars(key),
        entry.tone,
        entry.name,
        _BARS,
        entry.name,
    )


_BARS = mark_safe("<i></i><i></i><i></i>")
