"""Success plans in Quick Jump: those under way before what is closed."""

from collections.abc import Iterable

from django.db.models import Case, F, IntegerField, Value, When
from django.urls import reverse

from cs_platform.web.jump import EACH, SHORTEST, Hit
from cs_platform.web.pages import WorkspaceRequest
from success_plans.models import SuccessPlan

OVER = Case(When(status=SuccessPlan.Status.CLOSED, then=Value(1)), default=Value(0), output_field=IntegerField())


class Plans:
    label = "Success plans"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        if len(text) < SHORTEST:
            return []
        present = SuccessPlan.objects.present().filter(account__archived_at=None).select_related("account")
        rows = present.beginning(text).order_by(OVER, F("due_on").asc(nulls_last=True), "pk")[:EACH]
        return [_plan(request, one) for one in rows]


def _plan(request: WorkspaceRequest, plan: SuccessPlan) -> Hit:
    url = reverse("plans:detail", args=[request.tenant.slug, plan.pk])
    return Hit(plan.name, url, "flag", detail=plan.account.name, aside=plan.get_status_display())
