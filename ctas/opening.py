"""A CTA opened by hand or through the API, and what people say about one."""

from datetime import datetime
from typing import Any

from accounts.models import Account, TimelineEntry
from cs_platform.tenancy.models import Doer
from cs_platform.workspace.comments import write_comment
from cs_platform.workspace.models import Comment
from ctas.models import Cta
from ctas.telling import tell_owner


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
    tell_owner(cta, by=by, now=now)
    return cta


def comment_on(cta: Cta, *, body: str, by: Doer, now: datetime) -> Comment:
    where = {"about": cta.name, "url": cta.get_absolute_url()}
    comment = write_comment(subject=f"cta:{cta.pk}", body=body, by=by, now=now, **where)
    TimelineEntry.objects.create(
        account_id=cta.account_id,
        at=now,
        kind="cta.commented",
        actor=by.actor,
        text=f"Comment on {cta.name}",
        subject=f"cta:{cta.pk}",
    )
    return comment
