"""What the team is told about CTAs: that one is theirs now, and each morning what is due."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime

from django.db.models import Count
from django.urls import reverse

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, Tenant
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify
from ctas.models import Cta, Task

COCKPIT = "cockpit"  # subject of what is told about a whole day


def tell_owner(cta: Cta, *, by: Doer, now: datetime) -> None:
    """Silent for who did it, and where nobody owns it."""
    if cta.owner_id:
        text = f"{cta.name} is yours now ({cta.account.name})"
        about = {"url": cta.get_absolute_url(), "subject": cta.subject}
        notify(members=[cta.owner], kind=Notification.Kind.ASSIGNMENT, text=text, by=by, now=now, **about)


def tell_task_owner(task: Task, *, by: Doer, now: datetime) -> None:
    if task.owner_id:
        text = f"The task “{task.title}” of {task.cta.name} is yours now"
        about = {"url": task.cta.get_absolute_url(), "subject": task.cta.subject}
        notify(members=[task.owner], kind=Notification.Kind.ASSIGNMENT, text=text, by=by, now=now, **about)


def tell_of_many(owner: Membership, count: int, *, by: Doer, now: datetime) -> None:
    url = reverse("ctas:cockpit", args=[owner.tenant.slug])
    text = f"{count:,} {'CTA is' if count == 1 else 'CTAs are'} yours now"
    notify(members=[owner], kind=Notification.Kind.ASSIGNMENT, text=text, url=url, subject=COCKPIT, by=by, now=now)


def tell_what_is_due(tenant: Tenant, *, today: date, now: datetime) -> int:
    """Once a day to each whose work is due; what they were told yesterday is no news any more."""
    counts = _due(Cta.objects.awake(today), today), _due(Task.objects.open().filter(cta__status="open"), today)
    wanted = set(counts[0]) | set(counts[1])
    url = f"{reverse('ctas:cockpit', args=[tenant.slug])}?tab=mine&due=overdue&due=today"
    kind = Notification.Kind.DUE
    told = 0
    for member in Membership.objects.in_tenant(current_tenant_id()).active().filter(pk__in=wanted).order_by("pk"):
        old = Notification.objects.filter(member=member, kind=kind, subject=COCKPIT, read_at=None)
        old.exclude(once=f"due:{today}").update(read_at=now)
        text = _words(counts[0][member.pk], counts[1][member.pk])
        about = {"url": url, "subject": COCKPIT, "once": f"due:{today}"}
        told += notify(members=[member], kind=kind, text=text, by=None, now=now, **about)
    return told


def _due(rows: Iterable[object], today: date) -> "Counter[int]":
    found = rows.filter(due_on=today, owner__isnull=False).order_by().values_list("owner")  # type: ignore[attr-defined]
    return Counter(dict(found.annotate(n=Count("pk"))))


def _words(ctas: int, tasks: int) -> str:
    parts = [f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in ((ctas, "CTA"), (tasks, "task")) if n]
    return f"{' and '.join(parts)} {'is' if ctas + tasks == 1 else 'are'} due today"
