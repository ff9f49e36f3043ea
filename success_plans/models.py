"""Success plans: what a customer wants to reach, as objectives with their tasks, in time.

An objective is the place of a CTA in a plan. The CTA keeps its own life: any can join or leave, with its history.
"""

from datetime import date, datetime
from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Left, Lower
from django.urls import reverse

from accounts.models import Account, EndUser, TimelineEntry
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership
from ctas.models import Cta, Task, Worked

EDITABLE = frozenset(
    {
        "name",
        "type",
        "owner",
        "start_on",
        "due_on",
        "highlights",
        "values",
        "metric",
        "metric_unit",
        "metric_start",
        "metric_now",
        "metric_goal",
    }
)
_WORDS = {"values": "details", "start_on": "start", "due_on": "due"}


class PlanType(TenantModel):
    """What plans of one kind share: how their progress is counted, their categories, their own fields in order."""

    class Formula(models.TextChoices):
        TASKS = "tasks", "Finished tasks"
        OBJECTIVES = "objectives", "Closed objectives"
        WEIGHTED = "weighted", "Closed objectives by weight"

    name = models.CharField(max_length=100)
    formula = models.CharField(max_length=12, choices=Formula.choices, default=Formula.TASKS)
    categories = models.JSONField(default=list)  # names, in the order objectives are grouped
    fields = models.JSONField(default=list)  # success_plans/custom_fields.py says what each holds
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=models.Q(archived_at__isnull=True),
                name="success_plans_plantype_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlanTemplate(TenantModel):
    """A plan that is started often. What was started from it stays as it was when the template changes."""

    key = models.CharField(max_length=60)  # how playbooks name it
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    type = TenantForeignKey(PlanType, on_delete=models.PROTECT, related_name="templates")
    duration_days = models.PositiveSmallIntegerField(null=True, blank=True)
    definition = models.JSONField(default=dict)  # success_plans/templates.py says what it holds
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="success_plans_plantemplate_key")]

    def __str__(self) -> str:
        return self.name


class PlanQuerySet(models.QuerySet["SuccessPlan"]):
    def present(self) -> "PlanQuerySet":
        return self.filter(archived_at__isnull=True)

    def archived(self) -> "PlanQuerySet":
        return self.filter(archived_at__isnull=False)

    def beginning(self, text: str) -> "PlanQuerySet":
        """Those whose name begins like this: what an index can look up."""
        ids = RawSQL(
            "SELECT p.id FROM success_plans_successplan p WHERE p.tenant_id = %s AND p.words ^@ %s",
            [current_tenant_id(), text.lower()],
        )
        return self.filter(pk__in=ids)


class SuccessPlan(Worked, TenantModel):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        CLOSED = "closed", "Closed"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="success_plans")
    type = TenantForeignKey(PlanType, on_delete=models.PROTECT, related_name="plans")
    template = TenantForeignKey(PlanTemplate, on_delete=models.SET_NULL, null=True, blank=True, related_name="plans")
    name = models.TextField()
    owner = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    start_on = models.DateField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    highlights = models.TextField(blank=True, default="")
    values = models.JSONField(default=dict)  # of the fields of its type, by key
    # What the customer measures: “Missed scans”, from 4.2 % to 2.0 %, at 3.1 % now.
    metric = models.CharField(max_length=100, blank=True, default="")
    metric_unit = models.CharField(max_length=12, blank=True, default="")
    metric_start = models.FloatField(null=True, blank=True)
    metric_now = models.FloatField(null=True, blank=True)
    metric_goal = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)  # "person:7" or "playbook:12"
    activated_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=100, blank=True, default="")
    words = models.GeneratedField(
        expression=Lower(Left("name", 80)), output_field=models.TextField(null=True), db_persist=True
    )

    objects = TenantManager.from_queryset(PlanQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "origin_run_id", "origin_ordinal"], name="success_plans_origin"),
            models.CheckConstraint(
                condition=models.Q(start_on__isnull=True)
                | models.Q(due_on__isnull=True)
                | models.Q(due_on__gte=models.F("start_on")),
                name="success_plans_ends_after_its_start",
            ),
        ]
        indexes = [
            # Read by the account page, by rules and by the accounts table.
            models.Index(fields=["tenant", "account", "status"], name="success_plans_of_account"),
            # Read by the list of plans: by due date, by name, the newest.
            models.Index(fields=["tenant", "due_on", "id"], name="success_plans_by_due"),
            models.Index(fields=["tenant", "name", "id"], name="success_plans_by_name"),
            models.Index(fields=["tenant", "created_at", "id"], name="success_plans_by_created"),
            # Read by Quick Jump: the beginning of its name.
            models.Index(
                fields=["tenant", "words"], opclasses=["int8_ops", "text_pattern_ops"], name="success_plans_words"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        return f"plan:{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("plans:detail", args=[self.tenant.slug, self.pk])

    def edit(self, *, by: Doer, now: datetime, **changes: Any) -> bool:
        """Change what a person may; what stays the same is no change."""
        if unknown := changes.keys() - EDITABLE:
            raise TypeError(f"{', '.join(sorted(unknown))} cannot be edited.")
        changes = self._differing(changes)
        if not changes or not self._work({"archived_at": None}, changes, by=by, now=now):
            return False
        words = ", ".join(sorted({_WORDS.get(name, name.replace("_", " ")) for name in changes}))
        self.tell("edited", f"Plan changed ({words}): {self.name}", by=by, now=now)
        return True

    def work(self, only_if: dict[str, Any], changes: dict[str, Any], *, by: Doer, now: datetime) -> bool:
        """A verb of this layer: the change if the plan still is what it needs to be."""
        return self._work({"archived_at": None} | only_if, changes, by=by, now=now)

    def tell(self, verb: str, text: str, *, by: Doer, now: datetime) -> None:
        TimelineEntry.objects.create(
            account_id=self.account_id, at=now, kind=f"plan.{verb}", actor=by.actor, text=text, subject=self.subject
        )


class Objective(TenantModel):
    """The place of a CTA in a plan; a CTA is in one plan at most."""

    plan = TenantForeignKey(SuccessPlan, on_delete=models.CASCADE, related_name="objectives")
    cta = TenantForeignKey(Cta, on_delete=models.CASCADE, related_name="+")
    category = models.CharField(max_length=100, blank=True, default="")
    weight = models.PositiveSmallIntegerField(default=1)
    position = models.PositiveSmallIntegerField(default=0)
    start_on = models.DateField(null=True, blank=True)
    joined_at = models.DateTimeField()
    joined_by = models.CharField(max_length=100)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # Read from a CTA to its plan.
            models.UniqueConstraint(fields=["tenant", "cta"], name="success_plans_objective_once"),
            models.CheckConstraint(condition=models.Q(weight__gte=1), name="success_plans_objective_weighs"),
        ]
        # Read by the plan.
        indexes = [models.Index(fields=["tenant", "plan", "position", "id"], name="success_plans_objective_of")]

    def __str__(self) -> str:
        return f"{self.cta_id} in {self.plan_id}"


class Dependency(TenantModel):
    """One objective begins when another has ended. Both are of one plan."""

    is_referenced = False

    objective = TenantForeignKey(Objective, on_delete=models.CASCADE, related_name="needs")
    needed = TenantForeignKey(Objective, on_delete=models.CASCADE, related_name="needed_by")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "objective", "needed"], name="success_plans_dependency_once"),
        ]
        # Read when an objective leaves its plan.
        indexes = [models.Index(fields=["tenant", "needed"], name="success_plans_dependency_back")]

    def __str__(self) -> str:
        return f"{self.objective_id} after {self.needed_id}"


class Stakeholder(TenantModel):
    """Somebody at the customer the plan matters to: a user we know, or a name."""

    plan = TenantForeignKey(SuccessPlan, on_delete=models.CASCADE, related_name="stakeholders")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=254, blank=True, default="")
    role = models.CharField(max_length=100, blank=True, default="")
    added_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "plan", "end_user"],
                condition=models.Q(end_user__isnull=False),
                name="success_plans_stakeholder_once",
            ),
        ]
        # Read by the plan.
        indexes = [models.Index(fields=["tenant", "plan", "id"], name="success_plans_stakeholder_of")]

    def __str__(self) -> str:
        return self.name


class ShareQuerySet(models.QuerySet["ShareLink"]):
    def usable(self, now: datetime) -> "ShareQuerySet":
        return self.filter(revoked_at=None, expires_at__gt=now)


class ShareLink(TenantModel):
    """A page for the customer that shows what was picked, to whoever has the link (Credential knows its token)."""

    plan = TenantForeignKey(SuccessPlan, on_delete=models.CASCADE, related_name="links")
    name = models.CharField(max_length=100)  # for whom
    parts = models.JSONField(default=list)  # success_plans/sharing.py says which there are
    token_hash = models.CharField(max_length=64)
    last_four = models.CharField(max_length=4)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=100)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantManager.from_queryset(ShareQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "token_hash"], name="success_plans_sharelink_token")]
        # Read by the plan, the newest first.
        indexes = [models.Index(fields=["tenant", "plan", "-created_at", "-id"], name="success_plans_sharelink_of")]

    def __str__(self) -> str:
        return self.name

    def holds_at(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class ShareVisit(TenantModel):
    """Who opened a link, as far as it can be known. Openings from one place within an hour are one visit."""

    is_referenced = False

    link = TenantForeignKey(ShareLink, on_delete=models.CASCADE, related_name="visits")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    browser = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        base_manager_name = "objects"
        # Read by the access log, the latest first.
        indexes = [models.Index(fields=["tenant", "link", "-last_at", "-id"], name="success_plans_sharevisit_of")]

    def __str__(self) -> str:
        return f"{self.link_id} at {self.last_at}"


class CustomerTask(TenantModel):
    """A task that somebody at the customer does: a stakeholder of its plan."""

    is_referenced = False

    task = TenantForeignKey(Task, on_delete=models.CASCADE, related_name="+")
    stakeholder = TenantForeignKey(Stakeholder, on_delete=models.CASCADE, related_name="tasks")

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "task"], name="success_plans_customertask_once")]
        # Read by the shared page: what is theirs.
        indexes = [models.Index(fields=["tenant", "stakeholder"], name="success_plans_customertask_of")]

    def __str__(self) -> str:
        return f"task {self.task_id} of {self.stakeholder_id}"


class GuestCode(TenantModel):
    """Six digits in a stakeholder's mail: with them they do what is theirs on the page of one link."""

    is_referenced = False

    link = TenantForeignKey(ShareLink, on_delete=models.CASCADE, related_name="codes")
    stakeholder = TenantForeignKey(Stakeholder, on_delete=models.CASCADE, related_name="+")
    code_hash = models.CharField(max_length=64, blank=True, default="")  # empty until its mail leaves
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        # Read when another one is asked for: how many were there lately?
        indexes = [models.Index(fields=["tenant", "link", "created_at"], name="success_plans_guestcode_of")]

    def __str__(self) -> str:
        return f"{self.link_id} for {self.stakeholder_id}"


def span(start: date | None, end: date | None) -> tuple[date, date] | None:
    """From and to, where at least one of them is known."""
    first, last = start or end, end or start
    return (min(first, last), last) if first and last else None
