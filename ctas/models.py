"""Calls to action and their tasks. A task always lives in a CTA."""

from datetime import datetime
from typing import Any

from django.db import models
from django.urls import reverse

from accounts.models import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.models import Membership


class Worked(models.Model):
    """What automation made, and whether a person has worked on it since: undo asks both (TRUST: undo per action type)."""

    origin_run_id = models.UUIDField(null=True, blank=True)
    origin_ordinal = models.PositiveSmallIntegerField(default=0)
    touched_at = models.DateTimeField(null=True, blank=True)
    touched_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def touch(self, *, by: Membership, now: datetime) -> None:
        self.touched_at, self.touched_by = now, by


class CtaQuerySet(models.QuerySet["Cta"]):
    def present(self) -> "CtaQuerySet":
        return self.filter(archived_at__isnull=True)

    def open(self) -> "CtaQuerySet":
        return self.present().filter(status=Cta.Status.OPEN)

    def closed(self) -> "CtaQuerySet":
        return self.present().exclude(status=Cta.Status.OPEN)


class Cta(Worked, TenantModel):
    class Type(models.TextChoices):
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
        OPEN = "open", "Open"
        WON = "won", "Closed won"
        LOST = "lost", "Closed lost"
        CANCELLED = "cancelled", "Cancelled"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="ctas")
    end_user = TenantForeignKey(EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    name = models.TextField()
    type = models.CharField(max_length=12, choices=Type.choices)
    reason = models.CharField(max_length=100, blank=True, default="")
    priority = models.CharField(max_length=10, choices=Priority.choices, default=Priority.MEDIUM)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    owner = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    comment = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)  # "person:7" or "playbook:12"
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=100, blank=True, default="")

    objects = TenantManager.from_queryset(CtaQuerySet)()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "origin_run_id", "origin_ordinal"], name="ctas_cta_origin"),
        ]
        indexes = [
            # Read by the account page and by duplicate checks.
            models.Index(fields=["tenant", "account", "status", "type", "reason"], name="ctas_cta_of_account"),
            # Read by the cockpit: one person's open work by due date.
            models.Index(
                fields=["tenant", "owner", "due_on", "id"], condition=models.Q(status="open"), name="ctas_cta_open_of_owner"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("ctas:detail", args=[self.tenant.slug, self.pk])


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
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)
    completed_at = models.DateTimeField(null=True, blank=True)
    completed_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=60, blank=True, default="")

    objects: Any = TenantManager.from_queryset(TaskQuerySet)()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "origin_run_id", "origin_ordinal"], name="ctas_task_origin"),
        ]
        indexes = [
            # Read by the CTA's checklist.
            models.Index(fields=["tenant", "cta", "position", "id"], name="ctas_task_of_cta"),
        ]

    def __str__(self) -> str:
        return self.title
