"""Lists the demo's team works by: saved, named, and shared."""

import json
from datetime import datetime

from django.http import QueryDict

from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from cs_platform.workspace.saved_views import Setup, save_view
from playbooks.models import Playbook

PAGE = "accounts"
POOR = {"field": "health", "op": "less", "value": 5}


def save_views(tenant: Tenant, *, now: datetime) -> None:
    with tenant_context(tenant.pk):
        manager = tenant.memberships.get(role="manager")
        onboarding = f"playbook:{Playbook.objects.get(key='onboarding').pk}"
        for name, params in (
            ("At risk", {"filter": json.dumps(POOR), "sort": "health", "pin": "health"}),
            ("Onboarding", {onboarding: "active", "sort": f"-{onboarding}.applied", "pin": onboarding}),
        ):
            query = QueryDict(mutable=True)
            query.update(params)
            save_view(page=PAGE, name=name, setup=Setup.of(query), owner=manager, is_shared=True, now=now)
