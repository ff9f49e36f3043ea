"""API keys: from the Authorization header to a key of one workspace. Cookies never authenticate a request here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from cs_platform.tenancy.models import ApiKey, Credential, Tenant, hash_token

SCHEME = "Bearer"
USED_EVERY = timedelta(minutes=1)


@dataclass(slots=True)
class Call:
    """What the middleware knows of one request to the API; `request.api`."""

    id: str
    tenant: Tenant | None = None
    key: ApiKey | None = None
    now: datetime | None = None


def call_of(request: Any) -> Call:
    """Of Django's request, or of DRF's around it."""
    call: Call = request.api
    return call


class ApiKeyAuthentication(BaseAuthentication):
    """Answers with the key that ApiMiddleware found, as request.auth. A key is nobody's login, so there is no user."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        key = call_of(request).key
        if key is not None:
            return AnonymousUser(), key
        if request.headers.get("Authorization"):
            raise AuthenticationFailed("This API key is not valid: unknown, revoked, expired or mistyped.")
        return None

    def authenticate_header(self, request: Request) -> str:
        return f'{SCHEME} realm="api"'


def tenant_of(request: HttpRequest) -> tuple[Tenant, str] | None:
    """The workspace of a token, and the token's hash. A wrong checksum is refused without asking the database."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != SCHEME.lower() or not token.isascii() or not ApiKey.looks_genuine(token):
        return None
    found = (
        Credential.objects.select_related("tenant")
        .filter(token_hash=hash_token(token), kind=Credential.Kind.API_KEY)
        .first()
    )
    return (found.tenant, found.token_hash) if found else None


def usable_key(token_hash: str, *, now: datetime) -> ApiKey | None:
    """Inside the tenant: revocation and expiry are read on every request, so they act at once."""
    key = ApiKey.objects.filter(token_hash=token_hash).first()
    return key if key is not None and key.usable_at(now) else None


def remember_use(key: ApiKey, *, now: datetime) -> None:
    """At most once a minute, so that a busy key is not a row everybody waits for."""
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def use_is_due(key: ApiKey, *, now: datetime) -> bool:
    return key.last_used_at is None or key.last_used_at <= now - USED_EVERY
