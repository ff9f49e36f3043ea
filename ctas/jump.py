"""CTAs in Quick Jump: the open ones first by their day."""

from collections.abc import Iterable

from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from cs_platform.web.jump import EACH, SHORTEST, Hit
from cs_platform.web.pages import WorkspaceRequest
from cs_platform.web.templatetags.ui import weekday
from ctas.models import Cta


class Ctas:
    label = "CTAs"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        if len(text) < SHORTEST:
            return []
        found = Cta.objects.open().beginning(text).select_related("account")
        rows = found.order_by(F("due_on").asc(nulls_last=True), "pk")[:EACH]
        return [_cta(request, one) for one in rows]


def _cta(request: WorkspaceRequest, cta: Cta) -> Hit:
    url = reverse("ctas:detail", args=[request.tenant.slug, cta.pk])
    due = weekday(cta.due_on, timezone.localdate(request.now)) if cta.due_on else ""
    return Hit(cta.name, url, "square-check-big", detail=cta.account.name, aside=due)
