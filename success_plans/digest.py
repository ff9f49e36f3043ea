"""What plans of somebody's are late or due today, for their daily mail."""

from collections.abc import Iterator, Sequence
from datetime import date

from django.db.models import QuerySet

from cs_platform.tenancy.models import Membership
from cs_platform.workspace.letters import LISTED, Line, Part
from success_plans.models import SuccessPlan


class DuePlans:
    def parts(self, member: Membership, *, today: date) -> Sequence[Part]:
        active = SuccessPlan.objects.present().filter(owner=member, status=SuccessPlan.Status.ACTIVE)
        return [*_part("late", active.filter(due_on__lt=today)), *_part("due today", active.filter(due_on=today))]


def _part(when: str, plans: QuerySet[SuccessPlan]) -> Iterator[Part]:
    if total := plans.count():
        first = plans.select_related("account", "tenant").order_by("due_on", "pk")[:LISTED]
        lines = [Line(f"{plan.name} ({plan.account.name})", plan.get_absolute_url()) for plan in first]
        yield Part(f"success plan{'' if total == 1 else 's'} {when}", lines, total)
