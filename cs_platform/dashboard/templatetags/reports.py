from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse

from cs_platform.dashboard.reports.asked import PARAMETERS
from cs_platform.dashboard.reports.tabs import TABS

register = template.Library()


@register.simple_tag(takes_context=True)
def report_tabs(context: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Title, address and whether one is there, of every tab; what the address chooses goes along. NPS stands last."""
    request = context["request"]
    slug, at = request.tenant.slug, request.resolver_match
    chosen = urlencode([(name, request.GET[name]) for name in PARAMETERS if request.GET.get(name)])
    pages = [
        (tab.title, reverse("dashboard:report", args=[slug, tab.key]), at.kwargs.get("tab") == tab.key)
        for tab in TABS[1:]
    ]
    first = (TABS[0].title, reverse("dashboard:reports", args=[slug]), at.view_name == "dashboard:reports")
    last = ("NPS", reverse("nps:report", args=[slug]), at.view_name == "nps:report")
    return [(title, f"{page}?{chosen}" if chosen else page, here) for title, page, here in (first, *pages, last)]
