"""Calls to action and their tasks. A task always lives in a CTA."""

from datetime import date, datetime
from typing import Any

from django.db import models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Left, Lower
from django.urls import reverse

from accounts.models import Account, EndUser, TimelineEntry
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership


class Worked(models.Model):
    """What automation made, and whether a person has worked on it since: undo asks both (TRUST: undo per action type).

    A person's verbs are conditional updates, because a stop may be faster. Each says whether it changed anything.
    """

    origin_run_id = models.UUIDField(null=True, blank=True)
    origin_ordinal = models.PositiveSmallIntegerField(default=0)
    touched_at = models.DateTimeField(null=True, blank=True)
    touched_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def _work(self, only_if: dict[str, Any], changes: dict[str, Any], *, by: Doer, now: datetime) -> bool:
        """Change the row if it still is what the verb needs it to be, and remember that somebody worked on it."""
        changes = changes | {"touched_at": now, "touched_by": by.member}
        rows: Any = type(self)._default_manager
        if not rows.filter(pk=self.pk, **only_if).update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def _differing(self, changes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in changes.items() if getattr(self, name) != value}

    def _before_and_after(self, changes: dict[str, Any]) -> dict[str, Any]:
        """For the timeline, while the row still says what was before. Long texts are named, not repeated."""
        told = [name for name in changes if name not in ("comment", "description")]
        before = {name: _written(getattr(self, name)) for name in told}
        return {"before": before, "after": {name: _written(changes[name]) for name in told}} if told else {}


KEY_LENGTH = 100
EDITABLE = frozenset({"name", "type", "reason", "priority", "owner", "due_on", "comment"})
TASK_EDITABLE = frozenset({"title", "description", "owner", "due_on"})
CLOSED = ("won", "lost", "cancelled")
CLOSED_WITH_IT = "the CTA was closed"  # why a task is cancelled


def _allowed(changes: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    if unknown := changes.keys() - names:
        raise TypeError(f"{', '.join(sorted(unknown))} cannot be edited.")
    return changes


def _written(value: Any) -> str:
    return "" if value is None else str(value)


def _listed(changes: dict[str, Any]) -> str:
    return ", ".join(name.removesuffix("_on").replace("_", " ") for name in sorted(changes))


class Recurrence(TenantModel):
    """A CTA that comes again: every so often, after the last one was closed or on its day."""

    class Unit(models.TextChoices):
        DAY = "day", "days"
        WEEK = "week", "weeks"
        MONTH = "month", "months"

    class Begins(models.TextChoices):
        CLOSED = "closed", "When the last one is closed"
        DAY = "day", "On its day, whatever became of the last one"

    every = models.PositiveSmallIntegerField()
    unit = models.CharField(max_length=10, choices=Unit.choices)
    begins = models.CharField(max_length=10, choices=Begins.choices, default=Begins.CLOSED)
    next_on = models.DateField(null=True, blank=True)  # the day of the next one, where days decide
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.CheckConstraint(condition=models.Q(every__gte=1), name="ctas_recurrence_every")]
        indexes = [
            # Read every night: which are to come today?
            models.Index(
                fields=["tenant", "next_on"],
                condition=models.Q(ended_at__isnull=True, paused_at__isnull=True),
                name="ctas_recurrence_next",
            ),
        ]

    def __str__(self) -> str:
        often = f"{self.every} {self.get_unit_display()}" if self.every > 1 else self.unit
        return f"every {often}"


def is_awake(today: date) -> models.Q:
    return models.Q(snoozed_until=None) | models.Q(snoozed_until__lte=today)


class CtaQuerySet(models.QuerySet["Cta"]):
    def present(self) -> "CtaQuerySet":
        return self.filter(archived_at__isnull=True)

    def open(self) -> "CtaQuerySet":
        return self.present().filter(status=Cta.Status.OPEN)

    def closed(self) -> "CtaQuerySet":
        return self.present().filter(status__in=CLOSED)

    def draft(self) -> "CtaQuerySet":
        """Objectives of a plan that has not begun: work nobody sees outside that plan."""
        return self.present().filter(status=Cta.Status.DRAFT)

    def begin(self) -> int:
        """Drafts become work. Their plan tells of it and remembers who; nobody has worked on them yet."""
        return self.draft().update(status=Cta.Status.OPEN)

    def withdraw(self) -> int:
        """Takes beginning back, of what is still open."""
        return self.open().update(status=Cta.Status.DRAFT, snoozed_until=None, snooze_reason="")

    def awake(self, today: date) -> "CtaQuerySet":
        """Not snoozed any more, or never: a snoozed CTA comes back on its day."""
        return self.open().filter(is_awake(today))

    def beginning(self, text: str) -> "CtaQuerySet":
        """Open ones whose name begins like this: what an index can look up."""
        ids = RawSQL(
            "SELECT c.id FROM ctas_cta c WHERE c.tenant_id = %s AND c.status = 'open' AND c.words ^@ %s",
            [current_tenant_id(), text.lower()],
        )
        return self.filter(pk__in=ids)

    def snoozed(self, today: date) -> "CtaQuerySet":
        return self.open().filter(snoozed_until__gt=today)


class Cta(Worked, TenantModel):
    """`type`, `reason`, `priority` and `stage` are keys of the workspace's lists (ctas.lists)."""

    class Type(models.TextChoices):
        """What every workspace begins with."""

        RISK = "risk", "Risk"
        OPPORTUNITY = "opportunity", "Opportunity"
        LIFECYCLE = "lifecycle", "Lifecycle"
        ACTIVITY = "activity", "Activity"
        OBJECTIVE = "objective", "Objective"

    class Priority(models.TextChoices):
        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        WON = "won", "Closed won"
        LOST = "lost", "Closed lost"
        CANCELLED = "cancelled", "Cancelled"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="ctas")
    end_user = TenantForeignKey(EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    name = models.TextField()
    type = models.CharField(max_length=KEY_LENGTH)
    reason = models.CharField(max_length=KEY_LENGTH, blank=True, default="")
    priority = models.CharField(max_length=KEY_LENGTH, default=Priority.MEDIUM)
    # The category of its stage: all that queries, indexes and automation ask about.
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    # Empty, or of another category: the first stage of its category.
    stage = models.CharField(max_length=KEY_LENGTH, blank=True, default="", db_default="")
    owner = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    # Of a recurring one that is due later, as nobody works on that day: what the next one counts from.
    meant_on = models.DateField(null=True, blank=True)
    comment = models.TextField(blank=True, default="")
    # Until that day it stays out of the cockpit; it is open all the while.
    snoozed_until = models.DateField(null=True, blank=True)
    snooze_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)  # "person:7" or "playbook:12"
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=100, blank=True, default="")
    recurrence = TenantForeignKey(Recurrence, on_delete=models.SET_NULL, null=True, blank=True, related_name="ctas")
    recurrence_number = models.PositiveIntegerField(null=True, blank=True)  # from 1
    words = models.GeneratedField(
        expression=Lower(Left("name", 80)), output_field=models.TextField(null=True), db_persist=True
    )

    objects = TenantManager.from_queryset(CtaQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "origin_run_id", "origin_ordinal"], name="ctas_cta_origin"),
            # Whoever makes the next one, it is made once.
            models.UniqueConstraint(
                fields=["tenant", "recurrence", "recurrence_number"],
                condition=models.Q(recurrence__isnull=False),
                name="ctas_cta_recurs_once",
            ),
        ]
        indexes = [
            # Read by the account page and by duplicate checks.
            models.Index(fields=["tenant", "account", "status", "type", "reason"], name="ctas_cta_of_account"),
            # Read by Quick Jump: the beginning of an open one's name.
            models.Index(
                fields=["tenant", "words"],
                opclasses=["int8_ops", "text_pattern_ops"],
                condition=models.Q(status="open"),
                name="ctas_cta_words",
            ),
            # Read by the cockpit: one person's open work by due date.
            models.Index(
                fields=["tenant", "owner", "due_on", "id"],
                condition=models.Q(status="open"),
                name="ctas_cta_open_of_owner",
            ),
            # Read by the cockpit: everybody's open work by due date.
            models.Index(
                fields=["tenant", "due_on", "id"], condition=models.Q(status="open"), name="ctas_cta_open_by_due"
            ),
            # Read by the cockpit: what one person, or the team, closed last.
            models.Index(
                fields=["tenant", "owner", "-closed_at", "-id"],
                condition=models.Q(closed_at__isnull=False),
                name="ctas_cta_closed_of_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("ctas:detail", args=[self.tenant.slug, self.pk])

    @property
    def subject(self) -> str:
        """How the timeline, comments and files name it."""
        return f"cta:{self.pk}"

    def edit(self, *, by: Doer, now: datetime, **changes: Any) -> bool:
        """Change what a person may: name, type, reason, priority, owner, due_on, comment."""
        changes = self._differing(_allowed(changes, EDITABLE))
        detail = self._before_and_after(changes)
        if not changes or not self._work({"archived_at": None}, changes, by=by, now=now):
            return False
        self._tell("edited", f"CTA changed ({_listed(changes)}): {self.name}", detail=detail, by=by, now=now)
        return True

    def set_stage(self, stage: str, *, category: str, called: str, by: Doer, now: datetime) -> bool:
        """Another status of the category it is in; ctas.working knows which there are, and moves between categories."""
        still = {"status": category, "archived_at": None}
        if stage == self.stage or not self._work(still, {"stage": stage}, by=by, now=now):
            return False
        self._tell("edited", f"CTA {called.lower()}: {self.name}", by=by, now=now)
        return True

    def unlink(self, *, by: Doer, now: datetime) -> bool:
        """It is no longer about the user a playbook opened it for."""
        if not self._work({"end_user__isnull": False, "archived_at": None}, {"end_user": None}, by=by, now=now):
            return False
        self._tell("edited", f"User no longer linked: {self.name}", by=by, now=now)
        return True

    def close(self, *, status: str, stage: str = "", by: Doer, now: datetime) -> bool:
        """Won, lost or cancelled. Open tasks stay as they are: whoever closes decides about them."""
        if Cta.Status(status) not in CLOSED:
            raise ValueError("Close a CTA as won, lost or cancelled.")
        awake = {"snoozed_until": None, "snooze_reason": ""}
        changes = {"status": status, "stage": stage, "closed_at": now, "closed_by": by.actor} | awake
        if not self._work({"status": Cta.Status.OPEN, "archived_at": None}, changes, by=by, now=now):
            return False
        self._tell("closed", f"CTA {self.get_status_display().lower()}: {self.name}", by=by, now=now)
        return True

    def reopen(self, *, stage: str = "", by: Doer, now: datetime) -> bool:
        """The timeline keeps when it was closed before. Its tasks stay as they are."""
        changes = {"status": Cta.Status.OPEN, "stage": stage, "closed_at": None, "closed_by": ""}
        if not self._work({"status__in": CLOSED, "archived_at": None}, changes, by=by, now=now):
            return False
        self._tell("reopened", f"CTA reopened: {self.name}", by=by, now=now)
        return True

    def reopen_with_tasks(self, *, stage: str = "", by: Doer, now: datetime) -> bool:
        """As `reopen`, and the tasks that were cancelled as it closed are open again with it."""
        with transaction.atomic():
            if not self.reopen(stage=stage, by=by, now=now):
                return False
            for task in self.tasks.present().filter(status=Task.Status.CANCELLED, reason=CLOSED_WITH_IT):
                task.reopen(by=by, now=now)
        return True

    def snooze(self, *, until: date, reason: str = "", by: Doer, now: datetime) -> bool:
        """Out of the cockpit until that day; for duplicate checks it stays open."""
        changes = {"snoozed_until": until, "snooze_reason": reason}
        if not self._work({"status": Cta.Status.OPEN, "archived_at": None}, changes, by=by, now=now):
            return False
        why = f" ({reason})" if reason else ""
        self._tell("snoozed", f"CTA snoozed until {until:%-d %b %Y}{why}: {self.name}", by=by, now=now)
        return True

    def wake(self, *, by: Doer, now: datetime) -> bool:
        """Takes snoozing back."""
        asleep = {"snoozed_until__isnull": False, "archived_at": None}
        if not self._work(asleep, {"snoozed_until": None, "snooze_reason": ""}, by=by, now=now):
            return False
        self._tell("woken", f"CTA no longer snoozed: {self.name}", by=by, now=now)
        return True

    def close_with_tasks(self, *, status: str, stage: str = "", by: Doer, now: datetime) -> bool:
        """As `close`, and its open tasks are cancelled with it."""
        with transaction.atomic():
            if not self.close(status=status, stage=stage, by=by, now=now):
                return False
            for task in self.tasks.open():
                task.cancel(reason=CLOSED_WITH_IT, by=by, now=now)
        return True

    def archive(self, *, by: Doer, now: datetime) -> bool:
        """Leaves every list with its tasks, and can be restored."""
        if not self._work({"archived_at": None}, {"archived_at": now}, by=by, now=now):
            return False
        self._tell("archived", f"CTA archived: {self.name}", by=by, now=now)
        return True

    def restore(self, *, by: Doer, now: datetime) -> bool:
        if not self._work({"archived_at__isnull": False}, {"archived_at": None}, by=by, now=now):
            return False
        self._tell("restored", f"CTA restored: {self.name}", by=by, now=now)
        return True

    def add_task(self, *, title: str, by: Doer, now: datetime, **fields: Any) -> "Task":
        """By hand, after those that are there."""
        last = self.tasks.aggregate(last=models.Max("position"))["last"]
        position = 0 if last is None else last + 1
        made = _allowed(fields, TASK_EDITABLE) | {"created_at": now, "created_by": by.actor}
        task = Task.objects.create(cta=self, title=title, position=position, **made)
        task._tell("added", f"Task added: {title}", by=by, now=now)
        return task

    def _tell(self, verb: str, text: str, *, by: Doer, now: datetime, detail: dict[str, Any] | None = None) -> None:
        TimelineEntry.objects.create(
            account_id=self.account_id,
            end_user_id=self.end_user_id,
            at=now,
            kind=f"cta.{verb}",
            actor=by.actor,
            text=text,
            subject=f"cta:{self.pk}",
            detail=detail or {},
        )


class TaskQuerySet(models.QuerySet["Task"]):
    def present(self) -> "TaskQuerySet":
        return self.filter(archived_at__isnull=True)

    def open(self) -> "TaskQuerySet":
        return self.present().filter(status=Task.Status.OPEN)


class Task(Worked, TenantModel):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    cta = TenantForeignKey(Cta, on_delete=models.CASCADE, related_name="tasks")
    title = models.TextField()
    description = models.TextField(blank=True, default="")
    owner = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    meant_on = models.DateField(null=True, blank=True)  # as its CTA's
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)
    completed_at = models.DateTimeField(null=True, blank=True)
    completed_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=60, blank=True, default="")

    objects = TenantManager.from_queryset(TaskQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "origin_run_id", "origin_ordinal"], name="ctas_task_origin"),
        ]
        indexes = [
            # Read by the CTA's checklist.
            models.Index(fields=["tenant", "cta", "position", "id"], name="ctas_task_of_cta"),
            # Read by the cockpit: one person's open tasks by due date.
            models.Index(
                fields=["tenant", "owner", "due_on", "id"],
                condition=models.Q(status="open"),
                name="ctas_task_open_of_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def edit(self, *, by: Doer, now: datetime, **changes: Any) -> bool:
        """Change what a person may: title, description, owner, due_on."""
        changes = self._differing(_allowed(changes, TASK_EDITABLE))
        detail = self._before_and_after(changes)
        if not changes or not self._work({"archived_at": None}, changes, by=by, now=now):
            return False
        self._tell("edited", f"Task changed ({_listed(changes)}): {self.title}", detail=detail, by=by, now=now)
        return True

    def complete(self, *, by: Doer, now: datetime) -> bool:
        changes = {"status": Task.Status.DONE, "completed_at": now, "completed_by": by.member}
        if not self._work({"status": Task.Status.OPEN, "archived_at": None}, changes, by=by, now=now):
            return False
        self._tell("completed", f"Task completed: {self.title}", by=by, now=now)
        return True

    def cancel(self, *, reason: str = "", by: Doer, now: datetime) -> bool:
        changes = {"status": Task.Status.CANCELLED, "reason": reason}
        if not self._work({"status": Task.Status.OPEN, "archived_at": None}, changes, by=by, now=now):
            return False
        self._tell("cancelled", f"Task cancelled: {self.title}", by=by, now=now)
        return True

    def reopen(self, *, by: Doer, now: datetime) -> bool:
        """Takes completing or cancelling back."""
        ended = {"status__in": [Task.Status.DONE, Task.Status.CANCELLED], "archived_at": None}
        changes = {"status": Task.Status.OPEN, "completed_at": None, "completed_by": None, "reason": ""}
        if not self._work(ended, changes, by=by, now=now):
            return False
        self._tell("reopened", f"Task reopened: {self.title}", by=by, now=now)
        return True

    def archive(self, *, by: Doer, now: datetime) -> bool:
        if not self._work({"archived_at": None}, {"archived_at": now}, by=by, now=now):
            return False
        self._tell("archived", f"Task archived: {self.title}", by=by, now=now)
        return True

    def restore(self, *, by: Doer, now: datetime) -> bool:
        if not self._work({"archived_at__isnull": False}, {"archived_at": None}, by=by, now=now):
            return False
        self._tell("restored", f"Task restored: {self.title}", by=by, now=now)
        return True

    def _tell(self, verb: str, text: str, *, by: Doer, now: datetime, detail: dict[str, Any] | None = None) -> None:
        TimelineEntry.objects.create(
            account_id=self.cta.account_id,
            end_user_id=self.cta.end_user_id,
            at=now,
            kind=f"task.{verb}",
            actor=by.actor,
            text=text,
            subject=f"task:{self.pk}",
            detail=detail or {},
        )


class CtaUser(TenantModel):
    """A user at the customer whom a CTA is about, beside the one a playbook opened it for (`Cta.end_user`)."""

    is_referenced = False

    cta = TenantForeignKey(Cta, on_delete=models.CASCADE, related_name="linked")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, related_name="+")
    linked_at = models.DateTimeField()
    linked_by = models.CharField(max_length=100)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "cta", "end_user"], name="ctas_ctauser_once")]

    def __str__(self) -> str:
        return f"user {self.end_user_id} of CTA {self.cta_id}"


class ListEntry(TenantModel):
    """An entry of one of the lists an admin edits. A list that nobody has edited has no rows (ctas.lists)."""

    is_referenced = False

    class Kind(models.TextChoices):
        TYPE = "type", "Types"
        REASON = "reason", "Reasons"
        PRIORITY = "priority", "Priorities"
        STATUS = "status", "Statuses"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=KEY_LENGTH)
    name = models.CharField(max_length=KEY_LENGTH)
    position = models.PositiveSmallIntegerField()
    tone = models.CharField(max_length=10, default="neutral")
    icon = models.CharField(max_length=40, blank=True, default="")
    category = models.CharField(max_length=10, blank=True, default="")  # of a status
    types = models.JSONField(default=list)  # of a reason: the types it is for; empty: all
    to_create = models.JSONField(default=list)  # of a type: what must be filled in to open one
    to_close = models.JSONField(default=list)  # and to close it
    last_task = models.CharField(max_length=KEY_LENGTH + 10, blank=True, default="")  # of a type (ctas.lists)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "key"], name="ctas_listentry_key"),
            models.CheckConstraint(
                condition=models.Q(kind="status", category__in=["open", *CLOSED])
                | (~models.Q(kind="status") & models.Q(category="")),
                name="ctas_listentry_category",
            ),
        ]

    def __str__(self) -> str:
        return self.name
