"""What the team is told about CTAs: that they are theirs now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, Tenant
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import Message, notify, notify_each
from ctas.models import Cta, Task

COCKPIT = "cockpit"  # subject of what is told about many


@dataclass(frozen=True, slots=True)
class Agent:
    """A job or a playbook as the doer of something: it is no member."""

    actor: str
    member: None = None


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


def tell_of_many(owner: Membership, count: int, *, noun: str = "CTA", by: Doer, now: datetime) -> None:
    url = reverse("ctas:cockpit", args=[owner.tenant.slug]) + ("?tab=tasks" if noun == "task" else "")
    text = f"{count:,} {noun} is yours now" if count == 1 else f"{count:,} {noun}s are yours now"
    notify(members=[owner], kind=Notification.Kind.ASSIGNMENT, text=text, url=url, subject=COCKPIT, by=by, now=now)


def tell_of_opened(opened: Mapping[int, Sequence[tuple[int, str]]], *, by: Doer, now: datetime) -> None:
    """By owner, the id and name of each CTA that was opened for them at once: one notice each."""
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=current_tenant_id())
    said = {owner: _of_opened(ctas, slug) for owner, ctas in opened.items()}
    notify_each(said, kind=Notification.Kind.ASSIGNMENT, by=by, now=now)


def _of_opened(ctas: Sequence[tuple[int, str]], slug: str) -> Message:
    pk, name = ctas[0]
    if len(ctas) == 1:
        return Message(f"{name} is yours now", reverse("ctas:detail", args=[slug, pk]), f"cta:{pk}")
    text = f"{len(ctas):,} CTAs are yours now, the first: {name}"
    return Message(text, reverse("ctas:cockpit", args=[slug]), COCKPIT)
