"""How many plans a saved view of their list finds."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.http import QueryDict

from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.view_counts import Countable
from success_plans.listing import Asked, matching


class PlanViews:
    def countable(
        self, views: Sequence[SavedView], *, tenant: Tenant, member: Membership | None, now: datetime
    ) -> Mapping[int, Countable]:
        today = now.astimezone(ZoneInfo(tenant.timezone)).date()
        asked = {view.pk: Asked.of(QueryDict(view.params)) for view in views}
        return {pk: Countable("plan", partial(_count, one, member, today)) for pk, one in asked.items()}


def _count(asked: Asked, member: Membership | None, today: date, most: int) -> int:
    if member is None and asked.owner == "me":
        return 0
    return matching(asked, member=member, today=today).order_by()[:most].count()
