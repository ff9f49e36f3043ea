"""A CTA opened by hand or through the API."""

from datetime import datetime
from typing import Any

from accounts.models import Account, TimelineEntry
from cs_platform.tenancy.models import Doer
from ctas.models import Cta


def open_cta(*, account: Account, name: str, type: str, by: Doer, now: datetime, **fields: Any) -> Cta:
    cta = Cta.objects.create(account=account, name=name, type=type, created_at=now, created_by=by.actor, **fields)
    TimelineEntry.objects.create(
        account=account,
        end_user=cta.end_user,
        at=now,
        kind="cta.opened",
        actor=by.actor,
        text=f"CTA opened: {name}",
        subject=f"cta:{cta.pk}",
    )
    return cta
