"""What of somebody's is due, on their home page."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet

from cs_platform.tenancy.models import Membership
from cs_platform.web.drawers import Fragment
from cs_platform.web.home import SHOWN, Book, Fact
from cs_platform.web.pages import WorkspaceRequest
from ctas.models import Cta, Task, is_awake
from ctas.own_days import own_days


class Today:
    key: ClassVar[str] = "today"
    side: ClassVar[bool] = False

    def fragment(self, request: WorkspaceRequest, book: Book) -> Fragment:
        days = own_days(request.tenant, now=book.now)
        days = days.only(book.member.pk) if book.member else days
        due = Cta.objects.open().filter(days.each(lambda day: is_awake(day) & Q(due_on__lte=day)))
        due = due.filter(owner=book.member) if book.member else due
        present, done = Q(tasks__archived_at=None), Q(tasks__status=Task.Status.DONE)
        counted = due.annotate(
            tasks_all=Count("tasks", filter=present), tasks_done=Count("tasks", filter=present & done)
        )
        rows = counted.select_related("account").order_by("due_on", "pk")[:SHOWN]
        total = due.count()
        says = f"{total:,} CTA{'' if total == 1 else 's'} need{'s' if total == 1 else ''} you today" if total else ""
        shown = [(cta, days.of(cta.owner_id)) for cta in rows]
        return Fragment("ctas/_home.html", {"rows": shown, "total": total, "says": says})


class OpenCtas:
    """Beside the cockpit."""

    key: ClassVar[str] = "cockpit"

    def rows(self, member: Membership, today: date) -> QuerySet[Cta]:
        return Cta.objects.awake(today).filter(owner=member)


class Facts:
    def facts(self, book: Book) -> Iterator[Fact]:
        """Tasks of the week that began on Monday: done, of those due or done in it."""
        monday = book.today - timedelta(days=book.today.weekday())
        week: Any = {"due_on__gte": monday, "due_on__lt": monday + timedelta(days=7)}
        present = Task.objects.present().filter(cta__archived_at=None)
        mine = present.filter(owner=book.member) if book.member else present
        lately = mine.filter(
            status=Task.Status.DONE, completed_at__gte=book.now - timedelta(days=book.today.weekday() + 1)
        )
        done = lately.filter(completed_at__date__gte=monday).count()
        ahead = mine.filter(status=Task.Status.OPEN, **week).count()
        yield Fact("Tasks done this week", f"{done:,}", f"of {done + ahead:,}")
