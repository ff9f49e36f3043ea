from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from cs_platform.dashboard.reports.asked import PARAMETERS
from cs_platform.dashboard.reports.figures import number_of_days
from cs_platform.dashboard.reports.tabs import TABS

register = template.Library()
MANY_LATE = 2
UNKNOWN = mark_safe('<span class="faint">–</span>')


@register.simple_tag(takes_context=True)
def report_tabs(context: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Title, address and whether one is there, of every tab; what the address chooses goes along. NPS stands last."""
    request = context["request"]
    slug, at = request.tenant.slug, request.resolver_match
    chosen = report_choices(context).urlencode()
    pages = [
        (tab.title, reverse("dashboard:report", args=[slug, tab.key]), at.kwargs.get("tab") == tab.key)
        for tab in TABS[1:]
    ]
    first = (TABS[0].title, reverse("dashboard:reports", args=[slug]), at.view_name == "dashboard:reports")
    last = ("NPS", reverse("nps:report", args=[slug]), at.view_name == "nps:report")
    return [(title, f"{page}?{chosen}" if chosen else page, here) for title, page, here in (first, *pages, last)]


@register.simple_tag(takes_context=True)
def report_choices(context: dict[str, Any]) -> QueryDict:
    """What the address chooses for all tabs; forms and links of a tab that does not read it hand it on."""
    asked = context["request"].GET
    chosen = QueryDict(mutable=True)
    chosen.update({name: asked[name] for name in PARAMETERS if asked.get(name)})
    return chosen


@register.filter
def share(percent: float | None) -> str:
    return UNKNOWN if percent is None else f"{percent:g}%"


@register.filter
def whole_share(percent: float | None) -> str:
    return UNKNOWN if percent is None else f"{percent:.0f}%"


@register.filter
def in_days(number: float | None) -> str:
    """Without the word: the head of the column has it."""
    return UNKNOWN if number is None else number_of_days(number)


@register.filter
def late(count: int) -> SafeString:
    """Loud where there are more than a few."""
    return format_html('<b class="bad-text">{}</b>' if count > MANY_LATE else "{}", intcomma(count))
