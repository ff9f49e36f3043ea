"""A new workspace with its owner, who invites the others. Whoever runs the installation makes it."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email, validate_slug
from django.db import transaction

from .models import Membership, Tenant, User, WorkDue
from .roles import Role


class CannotFound(Exception):
    """The text says what to give instead."""


@dataclass(frozen=True, slots=True)
class Founded:
    owner: Membership
    is_new_login: bool  # has no password yet


def found_workspace(*, slug: str, name: str, timezone: str, owner: str, owner_name: str, now: datetime) -> Founded:
    """Raises CannotFound."""
    email = owner.lower()
    _check(slug, timezone, email)
    with transaction.atomic():
        tenant, made = Tenant.objects.get_or_create(
            slug=slug, defaults={"name": name, "timezone": timezone, "created_at": now}
        )
        if not made:
            raise CannotFound(f"There is a workspace {slug} already. Choose another address.")
        user, is_new = User.objects.get_or_create(email=email, defaults={"name": owner_name})
        if is_new:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        known = {"user": user, "email": email, "name": owner_name or user.get_full_name(), "role": Role.OWNER}
        member = Membership.objects.create(tenant=tenant, joined_at=now, **known)
        WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.EVALUATE, due_at=now)
    return Founded(member, is_new_login=is_new or not user.has_usable_password())


def _check(slug: str, timezone: str, email: str) -> None:
    try:
        validate_slug(slug)
        validate_email(email)
    except ValidationError as refusal:
        raise CannotFound(refusal.messages[0]) from refusal
    if timezone not in available_timezones():
        raise CannotFound(f"{timezone} is no time zone. Give one like Europe/Berlin.")
