"""Who a playbook is about, right now: the very query the nightly run asks, for previews, counts and why not."""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.fields import workspace_fields
from accounts.matching import Asking
from accounts.models import Account, EndUser
from accounts.rule_field import people_of
from accounts.rules.compile import matching_accounts, matching_users
from accounts.rules.explain import Explained
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


def why_of(
    version: PlaybookVersion, account: Account, user: EndUser | None = None, *, tenant: Tenant, now: datetime
) -> Explained | None:
    """Every condition for one account or user, and whether a known cause holds it back. None: not a user of it."""
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    why = Asking(
        audience_of(version.definition, workspace_fields()),
        about_users=version.playbook.audience == Playbook.Audience.USERS,
        tenant_id=tenant.pk,
        clock=clock,
        people=people_of(tenant.pk),
    ).why(account, user)
    if why is None or not version.definition.get("respects_known_cause"):
        return why
    line = _no_known_cause(account, today=clock.today)
    return replace(why, holds=why.holds and line.holds, children=(*why.children, line))


def _no_known_cause(account: Account, *, today: date) -> Explained:
    until = account.known_cause_until
    lasts = until is not None and until >= today
    value = f"until {until:%-d %B %Y}: {account.known_cause}" if lasts else "there is none"
    return Explained("No known cause holds it back", not lasts, value)
