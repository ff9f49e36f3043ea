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
from playbooks.holdout import is_left_out, share_of
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
    """Every condition for one account or user, and whether a known cause or the holdout keeps it from it.

    None: not a user of the account.
    """
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    why = Asking(
        audience_of(version.definition, workspace_fields()),
        about_users=version.playbook.audience == Playbook.Audience.USERS,
        tenant_id=tenant.pk,
        clock=clock,
        people=people_of(tenant.pk),
    ).why(account, user)
    if why is None:
        return None
    lines = []
    if version.definition.get("respects_known_cause"):
        lines.append(_no_known_cause(account, today=clock.today))
    if share := share_of(version.playbook.status, version.definition):
        lines.append(_not_left_out(version.playbook, share, account, user))
    holds = why.holds and all(line.holds for line in lines)
    return replace(why, holds=holds, children=(*why.children, *lines))


def _no_known_cause(account: Account, *, today: date) -> Explained:
    until = account.known_cause_until
    lasts = until is not None and until >= today
    value = f"until {until:%-d %B %Y}: {account.known_cause}" if lasts else "there is none"
    return Explained("No known cause holds it back", not lasts, value)


def _not_left_out(playbook: Playbook, share: int, account: Account, user: EndUser | None) -> Explained:
    left_out = is_left_out(playbook, share, account, user)
    value = f"left out to compare ({share}%)" if left_out else "it is not"
    return Explained(f"Not among the {share}% left out to compare", not left_out, value)
