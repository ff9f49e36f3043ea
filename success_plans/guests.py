"""Stakeholders on a shared page: a code in their mail proves who they are, then they do what is theirs.

Their tasks, and nobody else's, can be completed and opened again; what they write is read by the team on the plan's
timeline, and what the team answers there stands on the shared page.
"""

import hmac
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from accounts.actors import Actor, ids_after
from cs_platform.connectors.smtp import Letter
from cs_platform.tenancy.models import Doer, hash_token
from cs_platform.workspace.comments import write_as_guest, write_comment
from cs_platform.workspace.letters import letter_to
from cs_platform.workspace.models import Comment, Notification, OutgoingMail
from cs_platform.workspace.notifications import notify
from cs_platform.workspace.outbox import put
from ctas.models import Cta, Task
from ctas.working import Completed, complete_task
from success_plans.models import CustomerTask, GuestCode, Objective, ShareLink, Stakeholder, SuccessPlan
from success_plans.planning import CannotPlan

ACT: Final = "act"  # the part of a link that lets stakeholders in
MAIL: Final = "guest"  # kind of mail, and how its row names the code: "guest:17"
CODE_LIVES = timedelta(minutes=15)
STAYS = timedelta(hours=12)
KEPT = timedelta(days=1)
MOST_CODES = 5  # of one link in an hour
MOST_TRIES = 3  # of one code
ACTOR = "stakeholder:"


@dataclass(frozen=True, slots=True)
class Guest:
    """A stakeholder as the doer of something: no member of the team."""

    stakeholder: Stakeholder
    member: None = None

    @property
    def actor(self) -> str:
        return f"{ACTOR}{self.stakeholder.pk}"


# Who they are ---------------------------------------------------------------------------------------------------------


def ask_for_code(link: ShareLink, *, email: str, now: datetime) -> GuestCode | None:
    """Mailed where the address is that of a stakeholder with whom this link is shared so. None: nothing is sent, which
    whoever asks is not told.
    """
    if ACT not in link.parts or not email:
        return None
    with transaction.atomic():
        ShareLink.objects.select_for_update(no_key=True).get(pk=link.pk)
        codes = GuestCode.objects.filter(link=link)
        codes.filter(created_at__lt=now - KEPT).delete()
        if codes.filter(created_at__gt=now - timedelta(hours=1)).count() >= MOST_CODES:
            return None
        stakeholder = _by_email(link.plan_id, email)
        if stakeholder is None:
            return None
        made: GuestCode = codes.create(link=link, stakeholder=stakeholder, created_at=now, expires_at=now + CODE_LIVES)
        about = f"{MAIL}:{made.pk}"
        put(kind=OutgoingMail.Kind.GUEST, once=about, about=about, now=now)
    return made


def _by_email(plan_id: int, email: str) -> Stakeholder | None:
    """By the address written here, or that of the user they are."""
    mine = Stakeholder.objects.filter(plan=plan_id)
    found: Stakeholder | None = mine.filter(email__iexact=email).order_by("pk").first()
    return found or mine.filter(email="", end_user__email__iexact=email).order_by("pk").first()


def letter_of(mail: OutgoingMail, now: datetime) -> Letter | None:
    """The code is made as its mail leaves, and only its hash is kept."""
    pk = ids_after(f"{MAIL}:", [mail.about])
    known = GuestCode.objects.filter(pk__in=pk, used_at=None, expires_at__gt=now, link__revoked_at=None)
    found = known.select_related("stakeholder__end_user", "link__plan__tenant").first()
    if found is None:
        return None
    code, who, plan = f"{secrets.randbelow(10**6):06}", found.stakeholder, found.link.plan
    found.code_hash = _hash(found.pk, code)
    found.save(update_fields=["code_hash"])
    minutes = int(CODE_LIVES.total_seconds() // 60)
    text = (
        f"Your code for “{plan.name}” with {plan.tenant.name}:\n\n{code}\n\n"
        f"Enter it on the page you have the link of. It works once, for {minutes} minutes.\n\n"
        "If you did not ask for it, do nothing.\n"
    )
    to = (who.name, who.email or (who.end_user.email if who.end_user else ""))
    return letter_to(mail, now, to=to, subject=f"{code} is your code for {plan.name}", body=text) if to[1] else None


def _hash(pk: int, code: str) -> str:
    return hash_token(f"{MAIL}:{pk}:{code}")


def enter(link: ShareLink, *, code_id: int, code: str, now: datetime) -> Stakeholder | None:
    """Once, with the right code, within its time and tries; a try counts before it is looked at."""
    usable = GuestCode.objects.filter(pk=code_id, link=link, used_at=None, expires_at__gt=now).exclude(code_hash="")
    if not usable.filter(tries__lt=MOST_TRIES).update(tries=F("tries") + 1):
        return None
    asked = usable.select_related("stakeholder").get()
    if not hmac.compare_digest(asked.code_hash, _hash(asked.pk, code)):
        return None
    if not usable.update(used_at=now):
        return None
    stakeholder: Stakeholder = asked.stakeholder
    return stakeholder


def guest_of(link: ShareLink, stakeholder_id: int) -> Guest | None:
    """As long as the link lets stakeholders in, and they are one."""
    if ACT not in link.parts:
        return None
    found = Stakeholder.objects.filter(pk=stakeholder_id, plan=link.plan_id).select_related("plan").first()
    return Guest(found) if found else None


# What is theirs -------------------------------------------------------------------------------------------------------


def give_tasks(objective: Objective, given: Mapping[int, Stakeholder | None], *, by: Doer, now: datetime) -> int:
    """Which of an objective's tasks somebody at the customer does. Returns how many changed. Raises CannotPlan."""
    tasks = {task.pk: task for task in objective.cta.tasks.present()}
    if given.keys() - tasks.keys():
        raise CannotPlan("This objective has no such task.", "tasks")
    if any(one and one.plan_id != objective.plan_id for one in given.values()):
        raise CannotPlan("Choose a stakeholder of this plan.", "tasks")
    with transaction.atomic():
        before = dict(CustomerTask.objects.filter(task__in=tasks).values_list("task_id", "stakeholder_id"))
        changed = {pk: one for pk, one in given.items() if before.get(pk) != (one.pk if one else None)}
        CustomerTask.objects.filter(task__in=changed).delete()
        made = [CustomerTask(task=tasks[pk], stakeholder=one) for pk, one in changed.items() if one]
        CustomerTask.objects.bulk_create(made)
        for one in made:
            text = f"{one.stakeholder.name} does “{one.task.title}”"
            objective.plan.tell("given", text, by=by, now=now)
    return len(changed)


def tasks_of(guest: Guest) -> list[Task]:
    """Those that are still there, of objectives that are in the plan."""
    mine = CustomerTask.objects.filter(stakeholder=guest.stakeholder).values("task")
    in_plan = Objective.objects.filter(plan=guest.stakeholder.plan_id).values("cta")
    rows = Task.objects.present().filter(pk__in=mine, cta__in=in_plan, cta__archived_at=None)
    rows = rows.exclude(status=Task.Status.CANCELLED).exclude(cta__status=Cta.Status.DRAFT)
    return list(rows.select_related("cta").order_by(F("due_on").asc(nulls_last=True), "pk"))


def complete(guest: Guest, task: Task, *, today: date, now: datetime) -> Completed:
    done = complete_task(task, today=today, by=guest, now=now)
    if done.acted:
        _tell_owner(guest, f"{guest.stakeholder.name} completed “{task.title}”", now=now)
    return done


def reopen(guest: Guest, task: Task, *, now: datetime) -> bool:
    return task.status == Task.Status.DONE and task.reopen(by=guest, now=now)


# What they and the team write -----------------------------------------------------------------------------------------


def thread_of(plan: SuccessPlan) -> str:
    """Apart from what the team says among itself."""
    return f"shared:{plan.pk}"


def say(guest: Guest, *, body: str, now: datetime) -> Comment:
    plan = guest.stakeholder.plan
    comment = _written(plan, body, write_as_guest, by=guest, now=now)
    _tell_owner(guest, f"{guest.stakeholder.name} wrote on {plan.name}", now=now)
    return comment


def answer(plan: SuccessPlan, *, body: str, by: Doer, now: datetime) -> Comment:
    """By the team, for the customer to read."""
    return _written(plan, body, write_comment, by=by, now=now)


def _written(plan: SuccessPlan, body: str, write: Callable[..., Comment], *, by: Doer, now: datetime) -> Comment:
    where = {"about": plan.name, "url": _page(plan)}
    comment = write(subject=thread_of(plan), body=body, by=by, now=now, **where)
    plan.tell("written", f"Comment on the shared page of {plan.name}", by=by, now=now)
    return comment


def _tell_owner(guest: Guest, text: str, *, now: datetime) -> None:
    plan = guest.stakeholder.plan
    what = {"kind": Notification.Kind.MENTION, "text": text, "url": _page(plan), "subject": plan.subject}
    notify(members=[plan.owner], by=guest, now=now, **what)


def _page(plan: SuccessPlan) -> str:
    return f"{plan.get_absolute_url()}?tab=timeline"


class Stakeholders:
    """Their names where something says who did it (settings.ACTOR_SOURCES) or wrote it (settings.COMMENTERS)."""

    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        return {actor: Actor(name, "user") for actor, name in self.names(wanted).items()}

    def names(self, wanted: Collection[str]) -> Mapping[str, str]:
        ids = ids_after(ACTOR, wanted)
        found = Stakeholder.objects.filter(pk__in=ids).values_list("pk", "name") if ids else ()
        return {f"{ACTOR}{pk}": name for pk, name in found}


def customers_of(tasks: Sequence[Any]) -> Mapping[int, int]:
    """Stakeholder by task."""
    rows = CustomerTask.objects.filter(task__in=[task.pk for task in tasks])
    return dict(rows.values_list("task_id", "stakeholder_id"))
