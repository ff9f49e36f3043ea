"""Who belongs to the workspace, and as what. Members are deactivated, not deleted: what they did keeps its name."""

from datetime import datetime
from typing import Any

from django.db import transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.keys import revoke_key
from cs_platform.tenancy.models import ApiKey, Membership, MembershipQuerySet
from cs_platform.tenancy.roles import Role, may_give


class CannotChange(Exception):
    """The text says why."""


def change_role(member: Membership, *, role: str, by: Membership, now: datetime) -> bool:
    """From the next request on. False when it is theirs already."""
    _refuse_above(member, by)
    if not may_give(Role(by.role), Role(role)):
        raise CannotChange("You cannot make somebody more than you are.")
    with transaction.atomic():
        _refuse_without_owner(member, staying=role == Role.OWNER)
        before = _team().select_for_update(no_key=True).get(pk=member.pk).role
        if before == role:
            return False
        _team().filter(pk=member.pk).update(role=role)
        member.role = role
        _record("member.role_changed", member, before={"role": before}, after={"role": role}, by=by, now=now)
    return True


def deactivate(member: Membership, *, revoke_keys: bool, by: Membership, now: datetime) -> bool:
    """They are out with their next request. `revoke_keys`: those they issued stop working too."""
    if member.pk == by.pk:
        raise CannotChange("You cannot deactivate yourself. Ask another admin.")
    _refuse_above(member, by)
    with transaction.atomic():
        _refuse_without_owner(member, staying=False)
        if not _team().active().filter(pk=member.pk).update(deactivated_at=now):
            return False
        member.deactivated_at = now
        for key in usable_keys(member) if revoke_keys else ():
            revoke_key(key, by=by, now=now)
        _record("member.deactivated", member, by=by, now=now)
    return True


def reactivate(member: Membership, *, by: Membership, now: datetime) -> bool:
    _refuse_above(member, by)
    with transaction.atomic():
        left = _team().filter(pk=member.pk, deactivated_at__isnull=False)
        if not left.update(deactivated_at=None):
            return False
        member.deactivated_at = None
        _record("member.reactivated", member, by=by, now=now)
    return True


def usable_keys(member: Membership) -> list[ApiKey]:
    return list(ApiKey.objects.filter(created_by=member, revoked_at=None).order_by("pk"))


def _team() -> MembershipQuerySet:
    return Membership.objects.in_tenant(current_tenant_id())


def _refuse_above(member: Membership, by: Membership) -> None:
    if not may_give(Role(by.role), Role(member.role)):
        raise CannotChange(f"{member.name} is {member.get_role_display()}; only an owner changes that.")


def _refuse_without_owner(member: Membership, *, staying: bool) -> None:
    """Two owners who demote each other at the same moment wait for one another here."""
    owners = _team().active().filter(role=Role.OWNER)
    ids = set(owners.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    if not staying and ids == {member.pk}:
        raise CannotChange(f"{member.name} is the only owner. Make somebody else an owner first.")


def _record(
    verb: str,
    member: Membership,
    *,
    by: Membership,
    now: datetime,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    subject: dict[str, Any] = {"subject_type": "member", "subject_id": member.pk, "name": member.name}
    record(verb=verb, before=before, after=after, by=by, now=now, **subject)
