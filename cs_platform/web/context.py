"""What every template may say: the moment the page is made, by the database's clock, and the workspace's day."""

from datetime import date, datetime

from django.http import HttpRequest
from django.utils import timezone


def clock(request: HttpRequest) -> dict[str, datetime | date | None]:
    now: datetime | None = getattr(request, "now", None)
    return {"now": now, "today": timezone.localdate(now) if now else None}
