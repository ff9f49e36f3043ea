"""Inviting somebody by mail: a link that works once, for three days, for that address and that role.

The link's token is made when its mail leaves, and again for each further mail; only its hash is kept.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Credential, Doer, Membership, Tenant, User, hash_token
from cs_platform.tenancy.roles import Role, may_give
from cs_platform.workspace.models import Invitation, OutgoingMail, Team, TeamMember
from cs_platform.workspace.outbox import put

LIVES = timedelta(hours=72)


class CannotInvite(Exception):
    """The text says why."""


class CannotAccept(Exception):
    """The text says why, to somebody who is no member yet."""


def invite(*, email: str, role: str, team: Team | None, by: Membership, now: datetime) -> Invitation:
    email = email.lower()
    if not may_give(Role(by.role), Role(role)):
        raise CannotInvite("You cannot invite somebody as more than you are.")
    if Membership.objects.in_tenant(current_tenant_id()).filter(email__iexact=email).exists():
        raise CannotInvite(f"{email} is a member already; one who was deactivated can be reactivated.")
    known = {"email": email, "role": role, "team": team, "invited_by": by}
    try:
        with transaction.atomic():
            made: Invitation = Invitation.objects.create(created_at=now, expires_at=now + LIVES, **known)
    except IntegrityError as taken:
        raise CannotInvite(f"{email} is invited already. Send that invitation again, or revoke it.") from taken
    _record("invitation.sent", made, after={"role": role}, by=by, now=now)
    put(kind=OutgoingMail.Kind.INVITATION, once=f"invitation:{made.pk}:1", invitation=made, now=now)
    return made


def send_again(invitation: Invitation, *, by: Membership, now: datetime) -> bool:
    """Another mail with a new link, for three more days; the link before stops working when it leaves."""
    waiting = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if not waiting.update(expires_at=now + LIVES, invited_by=by):
        return False
    times = OutgoingMail.objects.filter(invitation=invitation).count() + 1
    put(kind=OutgoingMail.Kind.INVITATION, once=f"invitation:{invitation.pk}:{times}", invitation=invitation, now=now)
    _record("invitation.sent", invitation, after={"role": invitation.role}, by=by, now=now)
    return True


def revoke(invitation: Invitation, *, by: Doer, now: datetime) -> bool:
    if not Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None).update(revoked_at=now):
        return False
    Credential.objects.filter(token_hash=invitation.token_hash, kind=Credential.Kind.INVITATION).delete()
    _record("invitation.revoked", invitation, by=by, now=now)
    return True


def new_token(invitation: Invitation) -> str:
    """The one before stops working."""
    token = secrets.token_urlsafe(32)
    Credential.objects.filter(token_hash=invitation.token_hash, kind=Credential.Kind.INVITATION).delete()
    invitation.token_hash = hash_token(token)
    invitation.save(update_fields=["token_hash"])
    kind = Credential.Kind.INVITATION
    Credential.objects.create(token_hash=invitation.token_hash, kind=kind, tenant_id=current_tenant_id())
    return token


def tenant_of(token: str) -> Tenant | None:
    """Before any workspace is known."""
    known = Credential.objects.filter(token_hash=hash_token(token), kind=Credential.Kind.INVITATION)
    found = known.select_related("tenant").first()
    return found.tenant if found else None


def find(token: str, *, now: datetime) -> Invitation | None:
    """Inside its workspace."""
    waiting = Invitation.objects.filter(token_hash=hash_token(token), accepted_at=None, revoked_at=None)
    found: Invitation | None = waiting.filter(expires_at__gt=now).select_related("invited_by", "team").first()
    return found


def accept(invitation: Invitation, *, user: User, name: str, now: datetime) -> Membership:
    """Of two who follow the same link only one gets in. The address of the login must be the invited one."""
    if user.email.lower() != invitation.email:
        raise CannotAccept(f"This invitation is for {invitation.email}. Sign in with that address.")
    by = invitation.invited_by
    if by.deactivated_at or not may_give(Role(by.role), Role(invitation.role)):
        raise CannotAccept("Whoever invited you may not do so any more. Ask for another invitation.")
    open_still = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=now)
    with transaction.atomic():
        if not open_still.update(accepted_at=now):
            raise CannotAccept("This invitation was used already.")
        Credential.objects.filter(token_hash=invitation.token_hash, kind=Credential.Kind.INVITATION).delete()
        member = _join(invitation, user, name, now)
    _record("invitation.accepted", invitation, after={"role": invitation.role}, by=member, now=now)
    return member


def _join(invitation: Invitation, user: User, name: str, now: datetime) -> Membership:
    known = {"user": user, "email": invitation.email, "name": name, "role": invitation.role}
    try:
        with transaction.atomic():
            member = Membership.objects.create(tenant_id=current_tenant_id(), joined_at=now, **known)
    except IntegrityError as taken:
        raise CannotAccept("You are a member of this workspace already.") from taken
    if invitation.team:
        TeamMember.objects.create(team=invitation.team, member=member)
    return member


def _record(verb: str, invitation: Invitation, *, by: Doer, now: datetime, after: dict[str, str] | None = None) -> None:
    subject: dict[str, Any] = {"subject_type": "invitation", "subject_id": invitation.pk, "name": invitation.email}
    record(verb=verb, after=after, by=by, now=now, **subject)
