"""The demo's workspace: its team, and the custom traits that people and playbooks write."""

from datetime import datetime

from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from cs_platform.dashboard.demo import COLLEAGUES, LOGINS, PASSWORD, WORKSPACE_NAME, WORKSPACE_SLUG, DemoLogin
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, User, WorkDue

ZONE = "Europe/Berlin"
UNFINISHED = f"{WORKSPACE_SLUG}-loading"
# key, label, type, slot, choices. The last slots of a family, so that the export's traits never meet them.
CUSTOM_TRAITS: tuple[tuple[str, str, str, str, list[str]], ...] = (
    ("renewal_stage", "Renewal stage", TraitType.CHOICE, "t20", ["Early", "Proposal", "Signed"]),
    ("onboarding_stage", "Onboarding stage", TraitType.CHOICE, "t19", ["Kick-off", "Adopting", "Done"]),
    ("billing_note", "Billing note", TraitType.TEXT, "t18", []),
)


def build_workspace(*, now: datetime) -> Tenant:
    """Under another address until `open_workspace`, so that a load that was interrupted is never taken for whole."""
    _clear_away(now)
    tenant = Tenant.objects.create(slug=UNFINISHED, name=WORKSPACE_NAME, timezone=ZONE, health_scale=10, created_at=now)
    for login in (*LOGINS, *COLLEAGUES):
        _join(tenant, login, now)
    with tenant_context(tenant.pk):
        for key, label, type, slot, choices in CUSTOM_TRAITS:
            TraitDefinition.objects.create(
                scope="account", key=key, label=label, type=type, slot=slot, choices=choices, source="custom"
            )
    return tenant


def open_workspace(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(slug=WORKSPACE_SLUG)


def _clear_away(now: datetime) -> None:
    """What an interrupted load left behind: nobody can enter it and nothing runs in it."""
    for left in Tenant.objects.filter(slug=UNFINISHED):
        left.memberships.update(deactivated_at=now)
        WorkDue.objects.filter(tenant=left).delete()
        Tenant.objects.filter(pk=left.pk).update(slug=f"{UNFINISHED}-{left.pk}")


def _join(tenant: Tenant, login: DemoLogin, now: datetime) -> None:
    user, _made = User.objects.get_or_create(email=login.email, defaults={"name": login.name})
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    Membership.objects.create(
        tenant=tenant, user=user, role=login.role, name=login.name, email=login.email, joined_at=now
    )
