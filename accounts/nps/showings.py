"""Days on which the survey appeared to somebody, and whether they closed it."""

from datetime import date, datetime

from django.db import IntegrityError, transaction

from accounts.models import NpsShowing


def record_showing(user_id: int, *, now: datetime, today: date) -> bool:
    """At most one a day; False when today has one already, or the user is gone."""
    try:
        with transaction.atomic():
            _showing, made = NpsShowing.objects.get_or_create(end_user_id=user_id, on=today, defaults={"shown_at": now})
    except IntegrityError:
        return False
    return made


def dismiss(user_id: int, *, since: date, now: datetime) -> bool:
    """The last showing since that day was closed without an answer."""
    showing = last_showing(user_id, since=since)
    if showing is None:
        return False
    return bool(NpsShowing.objects.filter(pk=showing.pk, dismissed_at__isnull=True).update(dismissed_at=now))


def last_showing(user_id: int, *, since: date) -> NpsShowing | None:
    return NpsShowing.objects.filter(end_user_id=user_id, on__gte=since).order_by("-on").first()
