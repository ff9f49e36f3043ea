"""What playbooks have under way on accounts and users that are to be archived (accounts/archiving.py)."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from accounts.archiving import UnderWay
from accounts.rules.fields import Subject
from accounts.table.listing import Listing
from cs_platform.tenancy.models import Tenant
from playbooks.models import Enrollment
from playbooks.undo import stop_together

NAMED = 5
UNDER_WAY = (Enrollment.State.ACTIVE, Enrollment.State.PAUSED)
_OWN = {Subject.ACCOUNT: "account_id", Subject.USER: "end_user_id"}


class Enrollments:
    def on(self, listing: Listing, ids: Sequence[int]) -> UnderWay:
        open_still = _open(listing, ids)
        names = open_still.order_by("playbook__name").values_list("playbook__name", flat=True).distinct()
        return UnderWay(open_still.count(), list(names[:NAMED]))

    def stop(self, listing: Listing, ids: Sequence[int], *, tenant: Tenant, by: str, note: str, now: datetime) -> None:
        if found := list(_open(listing, ids).order_by("pk").values_list("pk", flat=True)):
            stop_together(found, tenant=tenant, by=by, note=note, now=now)


def _open(listing: Listing, ids: Sequence[int]) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(**{f"{_OWN[listing.subject]}__in": ids}, state__in=UNDER_WAY)
