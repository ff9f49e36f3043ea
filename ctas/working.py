"""What people do with a CTA and its tasks together: close it with what its type asks for, give it another status, and
take its open tasks along when its due date or its owner changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import EndUser
from cs_platform.tenancy.models import Doer, Membership
from ctas.lists import CLOSE, LEAVE, REQUIRABLE, Entry, Kind, Lists, current_lists
from ctas.models import CLOSED, Cta, CtaUser, Task
from ctas.recurring import open_next
from ctas.telling import tell_owner, tell_task_owner

MOST_USERS = 50


class CannotWork(ValueError):
    """The text says why."""


class FieldsMissing(CannotWork):
    """`fields` must be filled in first."""

    def __init__(self, fields: Sequence[str], *, to: str) -> None:
        self.fields = fields
        super().__init__(f"To {to} this CTA, fill in its {missing_words(fields)}.")


def missing_to_open(facts: Mapping[str, Any], *, type: str, lists: Lists) -> list[str]:
    return [name for name in lists.find(Kind.TYPE, type).to_create if not facts.get(name)]


def missing_to_close(cta: Cta, *, lists: Lists) -> list[str]:
    """Of one that is closed: what it was closed without. Automation, and the end of its plan, never wait for it."""
    stored = {"owner": "owner_id"}  # who it is does not matter, and would be asked for
    return [name for name in lists.find(Kind.TYPE, cta.type).to_close if not getattr(cta, stored.get(name, name))]


def missing_words(names: Sequence[str]) -> str:
    return " and ".join(REQUIRABLE[name].lower() for name in names)


def close_cta(cta: Cta, *, stage: str, cancel_tasks: bool = False, today: date, by: Doer, now: datetime) -> bool:
    """`stage` is a closing status of the workspace, or a category. Raises FieldsMissing."""
    lists = current_lists()
    if missing := missing_to_close(cta, lists=lists):
        raise FieldsMissing(missing, to="close")
    status = _status(lists, stage, CLOSED)
    close = cta.close_with_tasks if cancel_tasks else cta.close
    with transaction.atomic():
        if not close(status=status.category, stage=status.key, by=by, now=now):
            return False
        open_next(cta, today=today, by=by, now=now)
    return True


def set_status(cta: Cta, *, stage: str, today: date, by: Doer, now: datetime) -> bool:
    """Any status there is: one of another category closes or reopens it, and its open tasks stay as they are."""
    status = _status(current_lists(), stage, ("open", *CLOSED))
    if status.category == cta.status:
        return cta.set_stage(status.key, category=status.category, called=status.name, by=by, now=now)
    if status.category == Cta.Status.OPEN:
        return cta.reopen_with_tasks(stage=status.key, by=by, now=now)
    if cta.status != Cta.Status.OPEN and not cta.reopen(by=by, now=now):
        return False
    return close_cta(cta, stage=stage, today=today, by=by, now=now)


def _status(lists: Lists, stage: str, categories: Sequence[str]) -> Entry:
    found = lists.known(Kind.STATUS, stage)
    if found is None and stage in categories:
        found = lists.stage("", stage)
    if found is None or found.category not in categories:
        raise CannotWork("Choose one of the workspace’s statuses.")
    return found


def edit_cta(cta: Cta, *, by: Doer, now: datetime, **changes: Any) -> bool:
    """And whoever owns it from now on is told."""
    owner_id = cta.owner_id
    if not cta.edit(by=by, now=now, **changes):
        return False
    if cta.owner_id != owner_id:
        tell_owner(cta, by=by, now=now)
    return True


def add_task(cta: Cta, *, title: str, by: Doer, now: datetime, **fields: Any) -> Task:
    task = cta.add_task(title=title, by=by, now=now, **fields)
    if task.owner_id != cta.owner_id:
        tell_task_owner(task, by=by, now=now)
    return task


def edit_task(task: Task, *, by: Doer, now: datetime, **changes: Any) -> bool:
    owner_id = task.owner_id
    if not task.edit(by=by, now=now, **changes):
        return False
    if task.owner_id != owner_id:
        tell_task_owner(task, by=by, now=now)
    return True


@dataclass(frozen=True, slots=True)
class Completed:
    acted: bool
    closed: bool = False  # its CTA with it, as the type of that says
    asks: bool = False  # somebody is to say whether the CTA is done


def complete_task(task: Task, *, today: date, by: Doer, now: datetime) -> Completed:
    """Under a lock of its CTA, so that of two who finish at once one finishes the last."""
    with transaction.atomic():
        cta = Cta.objects.select_for_update(no_key=True).get(pk=task.cta_id)
        if not task.complete(by=by, now=now):
            return Completed(False)
        if cta.status != Cta.Status.OPEN or cta.tasks.open().exists():
            return Completed(True)
        return _after_the_last(cta, today=today, by=by, now=now)


def _after_the_last(cta: Cta, *, today: date, by: Doer, now: datetime) -> Completed:
    """What cannot be closed without more being filled in is asked about."""
    lists = current_lists()
    follows = lists.find(Kind.TYPE, cta.type).last_task
    stage = lists.known(Kind.STATUS, follows.removeprefix(CLOSE))
    if not follows.startswith(CLOSE) or stage is None or stage.category not in CLOSED:
        return Completed(True, asks=follows != LEAVE)
    if missing_to_close(cta, lists=lists):
        return Completed(True, asks=True)
    return Completed(True, closed=close_cta(cta, stage=stage.key, today=today, by=by, now=now))


# Its open tasks -------------------------------------------------------------------------------------------------------


def shift_tasks(cta: Cta, *, days: int, by: Doer, now: datetime) -> int:
    """Open tasks that have a due date move with their CTA. Returns how many."""
    dated = cta.tasks.open().filter(due_on__isnull=False)
    moved = _touch(dated, by, now, due_on=F("due_on") + timedelta(days=days))
    if moved:
        way = f"{abs(days)} {'day' if abs(days) == 1 else 'days'} {'later' if days > 0 else 'earlier'}"
        cta._tell("edited", f"{_tasks(moved)} moved {way}: {cta.name}", by=by, now=now)
    return moved


def hand_over_tasks(
    cta: Cta, *, to: Membership | None, only_of: Membership | None = None, by: Doer, now: datetime
) -> int:
    """All open tasks, or only those the former owner had."""
    rows = cta.tasks.open().exclude(owner=to)
    handed = _touch(rows.filter(owner=only_of) if only_of else rows, by, now, owner=to)
    if handed:
        cta._tell("edited", f"{_tasks(handed)} handed to {to.name if to else 'nobody'}: {cta.name}", by=by, now=now)
    return handed


def _touch(tasks: "QuerySet[Task]", by: Doer, now: datetime, **changes: Any) -> int:
    return tasks.update(touched_at=now, touched_by=by.member, **changes)


def _tasks(count: int) -> str:
    return f"{count} open {'task' if count == 1 else 'tasks'}"


def order_tasks(cta: Cta, ids: Sequence[int], *, by: Doer, now: datetime) -> bool:
    """Those named first, in this order; others stay behind them as they were. A place is no work on a task."""
    with transaction.atomic():
        tasks = list(cta.tasks.present().select_for_update().order_by("position", "pk"))
        place = {pk: at for at, pk in enumerate(ids)}
        wanted = sorted(tasks, key=lambda task: place.get(task.pk, len(place)))
        moved = [task for at, task in enumerate(wanted) if task.position != at]
        for at, task in enumerate(wanted):
            task.position = at
        Task.objects.bulk_update(moved, ["position"])
    return bool(moved)


def move_task(task: Task, *, up: bool, by: Doer, now: datetime) -> bool:
    ids = list(task.cta.tasks.present().order_by("position", "pk").values_list("pk", flat=True))
    at = ids.index(task.pk)
    if not 0 <= (other := at + (-1 if up else 1)) < len(ids):
        return False
    ids[at], ids[other] = ids[other], ids[at]
    return order_tasks(task.cta, ids, by=by, now=now)


# The users it is about ------------------------------------------------------------------------------------------------


def linked_users(cta: Cta) -> list[EndUser]:
    """Whom a playbook opened it for, then those linked since."""
    linked = EndUser.objects.filter(pk__in=cta.linked.values("end_user")).order_by("name", "pk")
    first = [cta.end_user] if cta.end_user else []
    return [*first, *(user for user in linked if user not in first)]


def link_user(cta: Cta, user: EndUser, *, by: Doer, now: datetime) -> bool:
    if cta.linked.count() >= MOST_USERS:
        raise CannotWork(f"A CTA can be about {MOST_USERS} users.")
    if user.pk == cta.end_user_id:
        return False
    _link, made = CtaUser.objects.get_or_create(
        cta=cta, end_user=user, defaults={"linked_at": now, "linked_by": by.actor}
    )
    if made:
        cta._tell("edited", f"{user} linked to {cta.name}", by=by, now=now)
    return made


def unlink_user(cta: Cta, user: EndUser, *, by: Doer, now: datetime) -> bool:
    if user.pk == cta.end_user_id:
        return cta.unlink(by=by, now=now)
    gone, _ = CtaUser.objects.filter(cta=cta, end_user=user).delete()
    if gone:
        cta._tell("edited", f"{user} no longer linked to {cta.name}", by=by, now=now)
    return bool(gone)
