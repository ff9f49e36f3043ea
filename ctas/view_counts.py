"""How much work a saved view of the cockpit finds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from django.http import QueryDict

from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.view_counts import Countable
from ctas.cockpit import Asked, Tab, matching, pending
from ctas.lists import Lists, current_lists
from ctas.own_days import OwnDays, own_days

NOUNS = {Tab.TASKS: "task", Tab.CONVERSATIONS: "conversation"}
OF_ALL = (Tab.TEAM, Tab.CONVERSATIONS)  # every other tab lists what is “mine”


class CockpitViews:
    def countable(
        self, views: Sequence[SavedView], *, tenant: Tenant, member: Membership | None, now: datetime
    ) -> Mapping[int, Countable]:
        today, lists = own_days(tenant, now=now), current_lists()
        asked = {view.pk: Asked.of(QueryDict(view.params)) for view in views}
        return {
            pk: Countable(NOUNS.get(one.tab, "CTA"), partial(_count, one, member, today, lists))
            for pk, one in asked.items()
        }


def _count(asked: Asked, member: Membership | None, today: OwnDays, lists: Lists, most: int) -> int:
    if member is None and asked.tab not in OF_ALL:
        return 0
    if asked.tab is Tab.CONVERSATIONS:
        rows = pending(asked)
    else:
        rows = matching(asked, member=member, today=today, lists=lists)
    return rows.order_by()[:most].count()
