"""Work too long for a request: it shows how far it is, can be cancelled, lists what went wrong, and may be undone."""

from django.db import models

from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.models import Membership


class JobQuerySet(models.QuerySet["Job"]):
    def waiting(self) -> "JobQuerySet":
        return self.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING))

    def over(self) -> "JobQuerySet":
        return self.exclude(state__in=(Job.State.QUEUED, Job.State.RUNNING))


class Job(TenantModel):
    """Done in slices, one transaction each; `cursor` is where the next one starts, so a killed worker loses nothing."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    cursor = models.JSONField(default=dict)
    total = models.PositiveIntegerField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=100)  # "person:7", "key:3"
    member = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    undo_of = TenantForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    # A worker holds it by this token until then; each slice renews it.
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    claims = models.PositiveSmallIntegerField(default=0)

    objects = TenantManager.from_queryset(JobQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "undo_of"],
                condition=models.Q(undo_of__isnull=False) & ~models.Q(state__in=["failed", "cancelled"]),
                name="jobs_job_undone_once",
            ),
        ]
        indexes = [
            # Read by the worker.
            models.Index(
                fields=["tenant", "id"], condition=models.Q(state__in=["queued", "running"]), name="jobs_job_waiting"
            ),
            # Read by the list of jobs, newest first.
            models.Index(fields=["tenant", "-created_at", "-id"], name="jobs_job_newest"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_over(self) -> bool:
        return self.state not in (self.State.QUEUED, self.State.RUNNING)

    @property
    def percent(self) -> int | None:
        """None while nobody knows how much there is to do; 100 only at the end."""
        if self.state == self.State.DONE:
            return 100
        if not self.total:
            return None
        return min(99, 100 * (self.done + self.failed) // self.total)

    @property
    def undoing(self) -> "Job | None":
        """The job that takes this one back, unless it came to nothing."""
        found: Job | None = (
            Job.objects.filter(undo_of=self).exclude(state__in=(self.State.FAILED, self.State.CANCELLED)).first()
        )
        return found


class JobItem(TenantModel):
    """One thing a job changed, and what it was before: what its undo reads."""

    is_referenced = False

    job = TenantForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    subject = models.CharField(max_length=60)  # "account:7"
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "job", "subject"], name="jobs_jobitem_once")]
        # Read when what a job has written over is taken back from below (accounts/heirs.py).
        indexes = [models.Index(fields=["tenant", "subject"], name="jobs_jobitem_of_subject")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.job_id}"


class JobError(TenantModel):
    """One row or thing that could not be done, and what to do about it."""

    is_referenced = False

    job = TenantForeignKey(Job, on_delete=models.CASCADE, related_name="errors")
    position = models.PositiveIntegerField()  # the row of a file, or the place in the selection
    subject = models.CharField(max_length=200, blank=True, default="")
    message = models.TextField()

    class Meta:
        base_manager_name = "objects"
        # Read by the job's page.
        indexes = [models.Index(fields=["tenant", "job", "position", "id"], name="jobs_joberror_page")]

    def __str__(self) -> str:
        return self.message


class JobFile(TenantModel):
    """Part of what a job made for somebody to download."""

    is_referenced = False

    job = TenantForeignKey(Job, on_delete=models.CASCADE, related_name="parts")
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "job", "position"], name="jobs_jobfile_once")]

    def __str__(self) -> str:
        return f"{self.job_id} part {self.position}"
