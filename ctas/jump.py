"""CTAs in Quick Jump: open ones, the first by their day."""

from collections.abc import Iterable

from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from cs_platform.web.jump import EACH, SHORTEST, Hit
from cs_platform.web.pages import WorkspaceRequest
from cs_platform.web.templatetags.ui import weekday
from ctas.lists import Kind, Lists, current_lists
from ctas.models import Cta, CtaQuerySet


class Ctas:
    label = "CTAs"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        """By how the name begins; one's own, which are few, by any word of it."""
        if len(text) < SHORTEST:
            return []
        opened = Cta.objects.open()
        mine = opened.filter(Q(words__startswith=text) | Q(words__contains=f" {text}"), owner=request.membership)
        rows = _first(mine)
        if len(rows) < EACH:
            rows += _first(opened.beginning(text).exclude(pk__in=[one.pk for one in rows]))
        lists = current_lists()
        return [_cta(request, one, lists) for one in rows[:EACH]]


def _first(ctas: CtaQuerySet) -> list[Cta]:
    return list(ctas.select_related("account").order_by(F("due_on").asc(nulls_last=True), "pk")[:EACH])


def _cta(request: WorkspaceRequest, cta: Cta, lists: Lists) -> Hit:
    url = reverse("ctas:detail", args=[request.tenant.slug, cta.pk])
    due = weekday(cta.due_on, timezone.localdate(request.now)) if cta.due_on else ""
    mark = lists.find(Kind.TYPE, cta.type).icon or "square-check-big"
    return Hit(cta.name, url, mark, detail=cta.account.name, aside=due)
