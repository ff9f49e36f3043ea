"""CTA playbooks of the demo, and a few CTAs that somebody has applied one to."""

from datetime import datetime
from typing import Any

from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from ctas.models import Cta
from playbooks.models import Playbook
from playbooks.task_lists import apply_to_cta
from playbooks.versions import import_playbook, publish, set_live

APPLIED = 4  # to so many of each member's CTAs at risk

LISTS: tuple[dict[str, Any], ...] = (
    {
        "key": "rescue-checklist",
        "name": "Rescue checklist",
        "audience": "ctas",
        "category": "Adoption",
        "description": "What has worked where usage fell.",
        "types": ["risk"],
        "skip_weekends": True,
        "tasks": [
            {"title": "Check which teams stopped signing in", "day": 1},
            {"title": "Call the sponsor at {{ account.name }}", "day": 3},
            {"title": "Book a working session", "day": 5},
            {"title": "Agree on a usage target", "day": 10},
            {"title": "Report back in the account review", "day": 15, "owner": "ae", "fallback_owner": "csm"},
        ],
    },
    {
        "key": "quarterly-review",
        "name": "Quarterly review",
        "audience": "ctas",
        "category": "Reviews",
        "description": "From the first draft to the notes.",
        "types": ["activity", "lifecycle", "opportunity"],
        "skip_weekends": True,
        "tasks": [
            {"title": "Pull usage of {{ account.name }} since the last review", "day": 2},
            {"title": "Draft the slides", "day": 6},
            {"title": "Hold the review", "day": 12},
            {"title": "Send the notes", "day": 13},
        ],
    },
)


def set_up_task_lists(tenant: Tenant, *, now: datetime) -> None:
    with tenant_context(tenant.pk):
        admin = Membership.objects.in_tenant(tenant.pk).get(role="admin")
        for one in LISTS:
            playbook = import_playbook(one, by=admin, now=now)
            publish(playbook, by=admin, now=now)
            set_live(playbook, by=admin, now=now, expected_count=0)
        rescue = Playbook.objects.get(key="rescue-checklist")
        for member in Membership.objects.in_tenant(tenant.pk).filter(role="csm").order_by("pk"):
            for cta in Cta.objects.open().filter(owner=member, type="risk").order_by("-due_on", "pk")[:APPLIED]:
                apply_to_cta(rescue, cta, by=member, now=now)
