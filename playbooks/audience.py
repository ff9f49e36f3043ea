"""Who a playbook is about, right now: the very query the nightly run asks, for previews and counts."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.fields import workspace_fields
from accounts.rules.compile import matching_accounts, matching_users
from accounts.rules.sql import Clock
from cs_platform.tenancy.models import Tenant
from playbooks.definition import audience_of
from playbooks.models import Playbook, PlaybookVersion


def count_matching(version: PlaybookVersion, *, tenant: Tenant, now: datetime) -> int:
    """How many accounts (or users, once for each of their accounts) match this version's rules now."""
    audience = audience_of(version.draft or version.definition, workspace_fields())
    matching = matching_users if version.playbook.audience == Playbook.Audience.USERS else matching_accounts
    found = matching(audience, tenant_id=tenant.pk, clock=Clock.at(now, ZoneInfo(tenant.timezone)))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({found.text}) found", found.params)
        return cursor.fetchone()[0]
