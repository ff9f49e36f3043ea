"""What every evaluation settles before playbooks are asked, each step on what the one before has found."""

from datetime import datetime

from accounts.health.grading import grade_accounts
from accounts.lifecycle import settle_lifecycles
from accounts.rules.fields import FieldSet
from accounts.segments.settling import settle_segments
from cs_platform.tenancy.models import Tenant


def settle(*, tenant: Tenant, fields: FieldSet, now: datetime) -> None:
    """Lifecycles, then health, then segments: a segment may ask about both."""
    settle_lifecycles(tenant=tenant, fields=fields, now=now)
    grade_accounts(tenant=tenant, fields=fields, now=now)
    settle_segments(tenant=tenant, fields=fields, now=now)
