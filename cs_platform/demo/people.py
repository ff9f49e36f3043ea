"""What the demo's team has written down: key roles, a group with its companies, a known cause, notes, a discussion."""

from datetime import datetime, timedelta

from django.db.models import F

from accounts.facts import set_key_role, set_known_cause, set_parent
from accounts.indicators import comment_on
from accounts.key_roles import define_role
from accounts.models import Account, AccountUser, Indicator, Note
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant

NOTES = (
    "Spoke with their lead: the budget is approved, legal reviews the order form next week.",
    "They asked for the roadmap deck and for a session on permissions.",
    "Their admin is on leave until the end of the month; write to the key contact meanwhile.",
    "Two new teams start next quarter. Ask about seats in the next call.",
)
COMMENTS = ("I called them, nobody answered. Trying again tomorrow.", "Their IT moved sign-in; usage should come back.")
FURNISHED = 12  # accounts with notes and roles


def furnish(tenant: Tenant, *, now: datetime) -> None:
    with tenant_context(tenant.pk):
        team = list(Membership.objects.in_tenant(tenant.pk).filter(role="csm").order_by("pk"))
        accounts = list(
            Account.objects.tracked().exclude(csm=None).order_by(F("mrr_cents").desc(nulls_last=True), "pk")[:FURNISHED]
        )
        lead, sponsor = define_role("Onboarding lead"), define_role("Executive sponsor")
        for n, account in enumerate(accounts):
            author, at = account.csm or team[0], now - timedelta(days=2 * n + 1, hours=n)
            set_key_role(account, lead, member=team[n % len(team)], by=author, now=at)
            if n % 3 == 0:
                set_key_role(account, sponsor, member=team[(n + 3) % len(team)], by=author, now=at)
            Note.write(account, body=NOTES[n % len(NOTES)], by=author, now=at + timedelta(hours=2))
        AccountUser.objects.filter(account__in=accounts, role="owner").update(is_key_contact=True)
        _family(accounts, now=now)
        _discuss(team, now=now)


def _family(accounts: list[Account], *, now: datetime) -> None:
    group, *children = accounts[:4]
    by = group.csm
    if by is None:
        return
    for child in children:
        set_parent(child, parent=group, by=by, now=now - timedelta(days=20))
    cause, until = "They move to another identity provider; sign-ins are back after that.", now + timedelta(days=18)
    set_known_cause(group, cause=cause, until=until.date(), by=by, now=now - timedelta(days=3))


def _discuss(team: list[Membership], *, now: datetime) -> None:
    active = Indicator.objects.filter(state=Indicator.State.ACTIVE, raised_at__lt=now - timedelta(days=2))
    for n, indicator in enumerate(active.order_by("-raised_at", "pk")[:4]):
        at = now - timedelta(days=1, hours=n)
        mentioned = f"@{team[(n + 1) % len(team)].email} {COMMENTS[n % len(COMMENTS)]}"
        comment_on(indicator, body=mentioned, by=team[n % len(team)], now=at)
