"""The token by which a customer's page says who its user is. We sign it, so nobody has to keep a shared secret."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core import signing

from accounts.models import Account, EndUser
from cs_platform.tenancy.context import current_tenant_id

LIFE = timedelta(hours=24)
LONGEST_LIFE = timedelta(days=7)
_SALT = "accounts.nps.user"
_MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class UserToken:
    tenant_id: int
    user_id: int
    account_id: int | None  # where the user is at work now, if the page knows
    issued_at: datetime
    expires_at: datetime

    def __str__(self) -> str:
        moments = int(self.issued_at.timestamp()), int(self.expires_at.timestamp())
        return signing.Signer(salt=_SALT).sign_object([self.tenant_id, self.user_id, self.account_id, *moments])

    def holds_at(self, now: datetime) -> bool:
        return now < self.expires_at


def issue_token(user: EndUser, account: Account | None, *, now: datetime, life: timedelta = LIFE) -> UserToken:
    return UserToken(current_tenant_id(), user.pk, account.pk if account else None, now, now + life)


def read_token(text: str) -> UserToken | None:
    """None for what we did not sign. Whether it still holds is for the database's clock to say."""
    if len(text) > _MAX_LENGTH:
        return None
    try:
        tenant_id, user_id, account_id, issued, expires = signing.Signer(salt=_SALT).unsign_object(text)
    except signing.BadSignature:
        return None
    return UserToken(
        tenant_id, user_id, account_id, datetime.fromtimestamp(issued, UTC), datetime.fromtimestamp(expires, UTC)
    )
