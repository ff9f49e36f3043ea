"""API keys given out and taken back, and both written down."""

from datetime import datetime

from django.db import transaction

from .audit import record
from .models import ApiKey, Credential, Doer


def issue_key(
    *, name: str, scopes: list[str], by: Doer | None, now: datetime, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """The key, and its token, which nobody can show again."""
    with transaction.atomic():
        member = by.member if by else None
        key, token = ApiKey.issue(name=name, scopes=scopes, created_by=member, now=now, expires_at=expires_at)
        expires = expires_at.isoformat() if expires_at else None
        after = {"scopes": scopes, "last_four": key.last_four, "expires_at": expires}
        record(verb="api_key.issued", subject_type="api_key", subject_id=key.pk, name=name, after=after, by=by, now=now)
        return key, token


def revoke_key(key: ApiKey, *, by: Doer | None, now: datetime) -> bool:
    """It stops working with the next request. False: it was revoked before."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
            return False
        Credential.objects.filter(token_hash=key.token_hash, tenant=key.tenant_id).delete()
        before = {"last_four": key.last_four}
        record(
            verb="api_key.revoked",
            subject_type="api_key",
            subject_id=key.pk,
            name=key.name,
            before=before,
            by=by,
            now=now,
        )
        return True
