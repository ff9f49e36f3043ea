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
RENEWING = {"field": "renewal_on", "op": "within_next_days", "value": 30}


def save_views(tenant: Tenant, *, now: datetime) -> None:
    with tenant_context(tenant.pk):
        manager = tenant.memberships.get(role="manager")
        onboarding = f"playbook:{Playbook.objects.get(key='onboarding').pk}"
        for name, icon, params in (
            ("Renewing in 30 days", "calendar-clock", _rule(RENEWING) | {"sort": "renewal_on", "pin": "renewal_on"}),
            ("At risk", "triangle-alert", _rule(POOR) | {"sort": "health", "pin": "health"}),
            ("Onboarding", "rocket", {onboarding: "active", "sort": f"-{onboarding}.applied", "pin": onboarding}),
        ):
            query = QueryDict(mutable=True)
            query.update(params)
            setup = Setup.of(query)
            save_view(page=PAGE, name=name, setup=setup, owner=manager, is_shared=True, icon=icon, now=now)


def _rule(rule: dict[str, object]) -> dict[str, str]:
    return {"filter": json.dumps(rule)}
