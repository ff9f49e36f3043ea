"""The workspace's own key roles, beside CSM and AE: what they are called, in which order, and who holds them where."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from accounts.models import Account, AccountRole, KeyRole

ROLES_LIMIT = 20
NAME_LIMIT = 100
_RESERVED = {"csm", "ae"}


class CannotName(ValueError):
    """The text says why."""


def present_roles() -> list[KeyRole]:
    return list(KeyRole.objects.filter(archived_at=None).order_by("position", "pk"))


def archived_roles() -> list[KeyRole]:
    return list(KeyRole.objects.exclude(archived_at=None).order_by("name", "pk")[:ROLES_LIMIT])


def define_role(name: str) -> KeyRole:
    name = _free_name(name)
    if KeyRole.objects.filter(archived_at=None).count() >= ROLES_LIMIT:
        raise CannotName(f"A workspace can have {ROLES_LIMIT} key roles. Archive one first.")
    last = KeyRole.objects.aggregate(last=Max("position"))["last"]
    return KeyRole.objects.create(key=_free_key(name), name=name, position=0 if last is None else last + 1)


def rename_role(role: KeyRole, name: str) -> bool:
    """Its key stays: rules go on asking about it."""
    name = _free_name(name, but=role)
    if name == role.name:
        return False
    role.name = name
    role.save(update_fields=["name"])
    return True


def move_role(role: KeyRole, *, up: bool) -> bool:
    """One place up or down. False at the end of the list."""
    with transaction.atomic():
        roles = list(KeyRole.objects.select_for_update().filter(archived_at=None).order_by("position", "pk"))
        at = next((n for n, one in enumerate(roles) if one.pk == role.pk), None)
        if at is None or not 0 <= (other := at + (-1 if up else 1)) < len(roles):
            return False
        roles[at], roles[other] = roles[other], roles[at]
        for position, one in enumerate(roles):
            KeyRole.objects.filter(pk=one.pk).update(position=position)
    return True


def archive_role(role: KeyRole, *, now: datetime) -> bool:
    """It leaves pages and pickers. Who held it is kept for when it comes back."""
    return bool(KeyRole.objects.filter(pk=role.pk, archived_at=None).update(archived_at=now))


def restore_role(role: KeyRole) -> bool:
    _free_name(role.name, but=role)
    return bool(KeyRole.objects.filter(pk=role.pk).exclude(archived_at=None).update(archived_at=None))


def _free_name(name: str, *, but: KeyRole | None = None) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise CannotName(f"Give it a name of 1 to {NAME_LIMIT} characters.")
    others = KeyRole.objects.filter(archived_at=None).exclude(pk=but and but.pk)
    if name.lower() in _RESERVED or others.filter(name__iexact=name).exists():
        raise CannotName(f"There is a role called {name} already.")
    return name


def _free_key(name: str) -> str:
    """From the name, for ever; with a number where the plain one is taken."""
    stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:50] or "role"
    taken = set(KeyRole.objects.filter(key__startswith=stem).values_list("key", flat=True)) | _RESERVED
    return next(key for n in range(1, 10_000) if (key := stem if n == 1 else f"{stem}_{n}") not in taken)


# --- at one account ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    role: KeyRole
    held: AccountRole | None


def holdings(account: Account) -> Sequence[Holding]:
    """Every role there is, and who holds it here."""
    held = {one.role_id: one for one in AccountRole.objects.filter(account=account).select_related("member")}
    return [Holding(role, held.get(role.pk)) for role in present_roles()]
