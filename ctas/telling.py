"""What the team is told about CTAs: that they are theirs now."""

from datetime import datetime

from django.urls import reverse

from cs_platform.tenancy.models import Doer, Membership
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify
from ctas.models import Cta, Task

COCKPIT = "cockpit"  # subject of what is told about many


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
