"""CTAs that come again. The next one is a copy of the last with its tasks, made when that is closed or on its day.

Both a person's click and the nightly run may make it; a constraint lets one of them. What would be due on a weekend or
holiday is due on the next working day, while the rhythm goes on from the day that was meant.
"""

import calendar
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, OuterRef, Subquery

from accounts.models import TimelineEntry
from cs_platform.tenancy.models import Doer
from cs_platform.workspace.holidays import load_holidays, working_day
from ctas.models import CLOSED, Cta, CtaUser, Recurrence, Task

LONGEST = 365
AT_ONCE = 500
COPIED = ("account_id", "end_user_id", "name", "type", "reason", "priority", "owner_id", "comment")
Unit, Begins = Recurrence.Unit, Recurrence.Begins


def repeat(cta: Cta, *, every: int, unit: str, begins: str, today: date, by: Doer, now: datetime) -> bool:
    """From this CTA on. False when it comes again already."""
    often = {"every": every, "unit": Unit(unit), "begins": Begins(begins)}
    with transaction.atomic():
        recurrence = Recurrence(created_at=now, created_by=by.actor, **often)
        if recurrence.begins == Begins.DAY:
            recurrence.next_on = _after(cta.due_on or today, recurrence, past=today)
        recurrence.save()
        changes = {"recurrence": recurrence, "recurrence_number": 1}
        if not cta._work({"recurrence": None, "archived_at": None}, changes, by=by, now=now):
            recurrence.delete()
            return False
        cta._tell("edited", f"CTA comes again {recurrence}: {cta.name}", by=by, now=now)
    return True


def stop_repeating(cta: Cta, *, by: Doer, now: datetime) -> bool:
    """Those there are stay; no more will come."""
    return _set(cta, {"ended_at": None}, {"ended_at": now}, "no longer comes again", by=by, now=now)


def pause(cta: Cta, *, by: Doer, now: datetime) -> bool:
    running = {"ended_at": None, "paused_at": None}
    return _set(cta, running, {"paused_at": now}, "does not come again for now", by=by, now=now)


def resume(cta: Cta, *, today: date, by: Doer, now: datetime) -> bool:
    """What would have come meanwhile does not come any more."""
    recurrence = cta.recurrence
    if recurrence is None:
        return False
    next_on = _after(recurrence.next_on, recurrence, past=today - timedelta(days=1)) if recurrence.next_on else None
    changes = {"paused_at": None, "next_on": next_on}
    paused = {"ended_at": None, "paused_at__isnull": False}
    return _set(cta, paused, changes, f"comes again {recurrence}", by=by, now=now)


def _set(cta: Cta, only_if: dict[str, Any], changes: dict[str, Any], words: str, *, by: Doer, now: datetime) -> bool:
    if not Recurrence.objects.filter(pk=cta.recurrence_id, **only_if).update(**changes):
        return False
    cta._tell("edited", f"CTA {words}: {cta.name}", by=by, now=now)
    return True


# The next one ---------------------------------------------------------------------------------------------------------


def open_next(cta: Cta, *, today: date, by: Doer, now: datetime) -> Cta | None:
    """After this one was closed, where it comes again and no later one is there yet."""
    recurrence = Recurrence.objects.filter(
        pk=cta.recurrence_id, begins=Begins.CLOSED, paused_at=None, ended_at=None
    ).first()
    if recurrence is None:
        return None
    holidays = load_holidays()
    day = _after(_meant(cta, holidays) or today, recurrence, past=today)
    return _copy(cta, recurrence, holidays, day=day, actor=by.actor, now=now)


def open_due(*, today: date, now: datetime) -> int:
    """Nightly: those whose day has come, and those whose last one was closed by what knows nothing of this."""
    made = 0
    if not _running().exists():  # as on most nights: planning what follows costs more than that
        return made
    holidays = load_holidays()
    for recurrence, last in _with_last(_running().filter(begins=Begins.DAY, next_on__lte=today)):
        next_on = _after(recurrence.next_on or today, recurrence, past=today)
        taken = Recurrence.objects.filter(pk=recurrence.pk, next_on=recurrence.next_on).update(next_on=next_on)
        made += bool(taken and _copy(last, recurrence, holidays, day=today, actor=last.created_by, now=now))
    closed = _running().filter(begins=Begins.CLOSED)
    for recurrence, last in _with_last(closed, ended=True):
        day = _after(_meant(last, holidays) or today, recurrence, past=today)
        made += _copy(last, recurrence, holidays, day=day, actor=last.created_by, now=now) is not None
    return made


def _running() -> Any:
    return Recurrence.objects.filter(paused_at=None, ended_at=None)


def _with_last(recurrences: Any, *, ended: bool = False) -> Iterable[tuple[Recurrence, Cta]]:
    """At most so many a night; what is left over is as due tomorrow."""
    if not recurrences.exists():
        return
    newest = Cta.objects.filter(recurrence=OuterRef("pk")).order_by("-recurrence_number").values("pk")[:1]
    found = recurrences.annotate(last=Subquery(newest)).exclude(last=None)
    ctas = Cta.objects.filter(pk__in=found.values("last"), account__archived_at=None)
    if ended:
        ctas = ctas.filter(status__in=CLOSED, archived_at=None)
    for cta in ctas.select_related("recurrence").order_by("pk")[:AT_ONCE]:
        assert cta.recurrence
        yield cta.recurrence, cta


def _copy(
    last: Cta, recurrence: Recurrence, holidays: Collection[date], *, day: date, actor: str, now: datetime
) -> Cta | None:
    facts = {name: getattr(last, name) for name in COPIED} | {"recurrence": recurrence} | _due(day, holidays)
    number = (Cta.objects.filter(recurrence=recurrence).aggregate(n=Max("recurrence_number"))["n"] or 0) + 1
    if (last.recurrence_number or 0) + 1 != number:
        return None
    try:
        with transaction.atomic():
            made = Cta.objects.create(recurrence_number=number, created_at=now, created_by=actor, **facts)
    except IntegrityError:
        return None  # somebody else was faster
    _copy_tasks(last, made, holidays, by=day - (_meant(last, holidays) or last.created_at.date()), now=now)
    CtaUser.objects.bulk_create(
        CtaUser(cta=made, end_user_id=link.end_user_id, linked_at=now, linked_by=actor) for link in last.linked.all()
    )
    text = f"CTA came again ({recurrence}): {made.name}"
    subject = {"account_id": made.account_id, "end_user_id": made.end_user_id, "subject": f"cta:{made.pk}"}
    TimelineEntry.objects.create(at=now, kind="cta.opened", actor=actor, text=text, **subject)
    return made


def _copy_tasks(last: Cta, made: Cta, holidays: Collection[date], *, by: timedelta, now: datetime) -> None:
    """At the same distance from the due date."""
    tasks = last.tasks.present().order_by("position", "pk")
    Task.objects.bulk_create(
        Task(
            cta=made,
            title=task.title,
            description=task.description,
            owner_id=task.owner_id,
            position=task.position,
            created_at=now,
            created_by=made.created_by,
            **_due(day + by if (day := _meant(task, holidays)) else None, holidays),
        )
        for task in tasks
    )


def _due(day: date | None, holidays: Collection[date]) -> dict[str, date | None]:
    """The day that was meant is kept: the next one would otherwise be later, too, and so on with every one."""
    due_on = day and working_day(day, holidays)
    return {"due_on": due_on, "meant_on": day if day != due_on else None}


def _meant(one: Cta | Task, holidays: Collection[date]) -> date | None:
    """Unless somebody has given it another due date since."""
    moved = one.meant_on and working_day(one.meant_on, holidays) == one.due_on
    return one.meant_on if moved else one.due_on


def _after(day: date, recurrence: Recurrence, *, past: date) -> date:
    """The next day of its rhythm after `day` that is not over yet."""
    steps = 1
    while (found := _step(day, recurrence, steps)) <= past:
        steps += 1
    return found


def _step(day: date, recurrence: Recurrence, times: int) -> date:
    """A month later is the same day of the month, or its last."""
    every = recurrence.every * times
    if recurrence.unit != Unit.MONTH:
        return day + timedelta(days=every * (7 if recurrence.unit == Unit.WEEK else 1))
    months = day.month - 1 + every
    year, month = day.year + months // 12, months % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
