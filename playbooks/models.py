"""Playbooks, what they were (versions), to whom they apply (enrollments) and what came of it (runs and the ledger).

Every state below moves by conditional UPDATE; a trigger owns the table of legal transitions (0002_guards).
"""

from typing import Self

from django.db import models
from django.db.models import F, Func, Q
from django.urls import reverse

from accounts.models import Account, EndUser
from actions.people import ADMINS, MANAGERS
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability, Role, allows
from ctas.models import Cta
from playbooks import icons


class Playbook(TenantModel):
    class Audience(models.TextChoices):
        ACCOUNTS = "accounts", "Accounts"
        USERS = "users", "Users"
        CTAS = "ctas", "CTAs"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        DRY_RUN = "dry_run", "Dry run"  # as if live, but only recorded (playbooks/dry_runs.py)
        LIVE = "live", "Live"
        PAUSED = "paused", "Paused"
        ARCHIVED = "archived", "Archived"

    key = models.SlugField(max_length=60, db_index=False)  # stable across export and import
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=100, blank=True, default="")
    icon = models.CharField(max_length=30, default=icons.USUAL)  # one of playbooks/icons.py
    audience = models.CharField(max_length=10, choices=Audience.choices, default=Audience.ACCOUNTS)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    version = TenantForeignKey("playbooks.PlaybookVersion", on_delete=models.PROTECT, null=True, related_name="+")
    # The count Review showed when it was set live: the first evaluation is held only far above it.
    expected_count = models.IntegerField(null=True, blank=True)
    first_evaluated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    live_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="playbooks_playbook_key")]
        # Read by the evaluation: which playbooks are live?
        indexes = [models.Index(fields=["tenant", "status", "id"], name="playbooks_by_status")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("playbooks:detail", args=[self.tenant.slug, self.pk])

    @property
    def actor(self) -> str:
        return f"playbook:{self.pk}"

    @property
    def tone(self) -> str:
        """Of its icon; one that was taken off the list is as quiet as the usual one."""
        return icons.ICONS.get(self.icon, icons.ICONS[icons.USUAL]).tone


class PlaybookVersion(TenantModel):
    """What a playbook says. Immutable once published (a trigger refuses); enrollments stay pinned to theirs."""

    playbook = TenantForeignKey(Playbook, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    # What stands in the wizard, finished or not, in the form that import reads. Publishing turns it into a definition
    # and steps, and leaves nothing here.
    draft = models.JSONField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=0, db_default=0)  # of the draft: one more with every change
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    # Who asked for it to go live, not being allowed to do so (playbooks/proposing.py).
    asked_at = models.DateTimeField(null=True, blank=True)
    asked_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_note = models.CharField(max_length=1_000, blank=True, default="", db_default="")
    # Everything but the steps: target, rules, re-enrollment, exit policy, brake, description (playbooks/definition.py).
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "playbook", "number"], name="playbooks_version_number"),
            # What names a playbook and a version of it points here.
            models.UniqueConstraint(fields=["tenant", "playbook", "id"], name="playbooks_version_of_playbook"),
            # One draft at a time.
            models.UniqueConstraint(
                fields=["tenant", "playbook"],
                condition=Q(published_at__isnull=True),
                name="playbooks_version_one_draft",
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True, draft__isnull=False)
                | Q(published_at__isnull=False, draft__isnull=True),
                name="playbooks_version_draft_until_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} v{self.number}"

    @property
    def outcome_name(self) -> str:
        """What it is for; empty without an outcome."""
        return (self.definition.get("outcome") or {}).get("name", "")  # type: ignore[no-any-return]


class Step(TenantModel):
    """One action on one day. `key` survives editing, so that a version change can tell the same step from a new one."""

    version = TenantForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(max_length=40)
    position = models.PositiveSmallIntegerField()
    # 0 = the day of activation, shown as "Day 1"; counted from the anchor's date if there is one.
    offset_days = models.IntegerField()
    anchor = models.CharField(max_length=110, blank=True, default="")  # a date field's key, such as "renewal_on"
    action = models.CharField(max_length=40)
    config = models.JSONField(default=dict)
    condition = models.JSONField(null=True, blank=True)
    keep_on_stop = models.BooleanField(default=False)
    # Who approves it before it runs, for how long that is waited for, and what happens then (playbooks/asking.py).
    approval = models.JSONField(null=True, blank=True)
    is_external = models.BooleanField(default=False)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "version", "key"], name="playbooks_step_key"),
            models.UniqueConstraint(fields=["tenant", "version", "position"], name="playbooks_step_position"),
        ]

    def __str__(self) -> str:
        return f"day {self.offset_days + 1}: {self.action}"


class EvaluationRunQuerySet(models.QuerySet["EvaluationRun"]):
    def asked(self) -> Self:
        """What somebody asked for, or let through, and no worker has finished."""
        return self.exclude(trigger=EvaluationRun.Trigger.NIGHTLY).filter(finished_at=None)


class EvaluationRun(TenantModel):
    """One look at all live playbooks of a workspace. The nightly one is unique per local date, whatever beat does."""

    class Trigger(models.TextChoices):
        NIGHTLY = "nightly", "Nightly"
        MANUAL = "manual", "Evaluate now"
        RELEASE = "release", "Let through"  # of one playbook, without the brake

    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    local_date = models.DateField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.IntegerField(null=True, blank=True)
    looked_at = models.IntegerField(default=0)
    requested_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    playbook = TenantForeignKey(Playbook, on_delete=models.CASCADE, null=True, related_name="+")  # the only one meant

    objects = TenantManager.from_queryset(EvaluationRunQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "local_date"],
                condition=Q(trigger="nightly"),
                name="playbooks_evaluation_once_a_night",
            ),
            models.CheckConstraint(
                condition=~Q(trigger="release") | Q(playbook__isnull=False),
                name="playbooks_evaluation_releases_one",
            ),
        ]
        indexes = [
            # Read by the evaluations page, newest first.
            models.Index(fields=["tenant", "-started_at"], name="playbooks_evalrun_newest"),
            # Read by pages and workers: has anybody asked for a look?
            models.Index(fields=["tenant"], condition=Q(finished_at=None), name="playbooks_evalrun_open"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.local_date}"


class Evaluation(TenantModel):
    """What one look came to for one playbook."""

    class State(models.TextChoices):
        DONE = "done", "Done"
        HELD = "held", "Held"
        RELEASED = "released", "Let through"
        DROPPED = "dropped", "Dropped"

    run = TenantForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="evaluations")
    playbook = TenantForeignKey(Playbook, on_delete=models.CASCADE, related_name="evaluations")
    version = TenantForeignKey(PlaybookVersion, on_delete=models.PROTECT, sharing="playbook", related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DONE)
    matched = models.IntegerField(default=0)
    enrolled = models.IntegerField(default=0)
    released = models.IntegerField(default=0)  # stopped because the rules no longer match
    held_back = models.IntegerField(default=0, db_default=0)  # would be enrolled but for a known cause
    left_out = models.IntegerField(default=0, db_default=0)  # would be enrolled but for the holdout
    would_enroll = models.IntegerField(default=0)
    would_release = models.IntegerField(default=0)
    limit = models.IntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True, default="")
    is_dry = models.BooleanField(default=False, db_default=False)  # of a dry run: enrolled for the record alone
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        base_manager_name = "objects"
        # Its order is read by the playbook page, newest first.
        constraints = [models.UniqueConstraint(fields=["tenant", "playbook", "run"], name="playbooks_evaluation_once")]
        indexes = [
            # Read by the list of held evaluations.
            models.Index(fields=["tenant"], condition=Q(state="held"), name="playbooks_eval_held"),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} in {self.run_id}"


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    def real(self) -> Self:
        """Those that act: what a dry run enrolls is only recorded."""
        return self.filter(is_dry=False)

    def that_count(self) -> Self:
        """On the page of their playbook: while it is in a dry run what that has recorded, else real ones."""
        recorded = Q(is_dry=True, playbook__status=Playbook.Status.DRY_RUN, activated_at__gte=F("playbook__live_at"))
        return self.filter(recorded | (Q(is_dry=False) & ~Q(playbook__status=Playbook.Status.DRY_RUN)))

    def under_way(self) -> Self:
        return self.filter(state__in=("active", "paused", "stopping"))


class Enrollment(TenantModel):
    """One application of a playbook to one account, user or CTA."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        COMPLETED = "completed", "Finished"
        STOPPING = "stopping", "Stopping"
        STOPPED = "stopped", "Stopped"

    playbook = TenantForeignKey(Playbook, on_delete=models.PROTECT, related_name="enrollments")
    version = TenantForeignKey(PlaybookVersion, on_delete=models.PROTECT, sharing="playbook", related_name="+")
    account = TenantForeignKey(Account, on_delete=models.PROTECT, related_name="enrollments")
    end_user = TenantForeignKey(EndUser, on_delete=models.PROTECT, null=True, related_name="enrollments")
    cta = TenantForeignKey(Cta, on_delete=models.PROTECT, null=True, related_name="enrollments")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE, db_default="active")
    timezone = models.TextField()  # a snapshot: a later change of zone moves nothing by itself
    activated_at = models.DateTimeField()
    activated_on = models.DateField()
    # The date this enrollment is about (such as the renewal day) for "once per value of that date".
    occasion = models.TextField(null=True, blank=True)
    evaluation = TenantForeignKey(Evaluation, on_delete=models.SET_NULL, null=True, related_name="+")
    applied_by = models.CharField(max_length=100)  # "evaluation:4" or "person:7"
    # Its rules found it: an evaluation made it, or it was begun for real when its dry run was promoted.
    by_rules = models.BooleanField(default=False, db_default=False)
    parent_run_id = models.UUIDField(null=True, blank=True)
    steps_total = models.PositiveSmallIntegerField()
    steps_done = models.PositiveSmallIntegerField(default=0, db_default=0)
    progress = models.PositiveSmallIntegerField(default=0, db_default=0)  # per cent
    completed_at = models.DateTimeField(null=True, blank=True)
    # The first evaluation, within its days, that found the outcome of its version reached (playbooks/outcomes.py).
    outcome_at = models.DateTimeField(null=True, blank=True)
    # The first evaluation after which its rules no longer matched: "every time it matches again" asks for it.
    left_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    stop_note = models.TextField(blank=True, default="", db_default="")
    # Of a dry run: its runs are recorded and never act, and it counts for nothing but that dry run.
    is_dry = models.BooleanField(default=False, db_default=False)
    # It is over, and the playbook was applied to the same subject again since: it never speaks for it any more.
    # Not every such one is marked, so the mark only saves the reading of those that are.
    is_superseded = models.BooleanField(default=False, db_default=False)

    objects = TenantManager.from_queryset(EnrollmentQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # A finished one may be stopped, too, while the playbook is applied again.
            models.UniqueConstraint(
                fields=["tenant", "playbook", "account", "end_user", "cta", "is_dry"],
                condition=Q(state__in=["active", "paused", "stopping"], completed_at__isnull=True),
                nulls_distinct=False,
                name="playbooks_enrollment_one_active",
            ),
            # One CTA playbook on a CTA at a time.
            models.UniqueConstraint(
                fields=["tenant", "cta"],
                condition=Q(state__in=["active", "paused"], cta__isnull=False),
                name="playbooks_enrollment_one_on_cta",
            ),
            # "Once per value of the date" holds even when two evaluations meet.
            models.UniqueConstraint(
                fields=["tenant", "playbook", "account", "end_user", "occasion"],
                condition=Q(occasion__isnull=False, is_dry=False),
                nulls_distinct=False,
                name="playbooks_enrollment_occasion",
            ),
            models.CheckConstraint(
                condition=Q(is_superseded=False) | Q(state__in=["completed", "stopped"]),
                name="playbooks_enrollment_superseded_is_over",
            ),
        ]
        indexes = [
            # Read by the account page.
            models.Index(fields=["tenant", "account", "playbook", "state"], name="playbooks_enr_of_account"),
            # Read by the users table, and by the page of a user.
            models.Index(
                fields=["tenant", "end_user", "playbook", "state"],
                condition=Q(end_user__isnull=False),
                name="playbooks_enr_of_user",
            ),
            # Read by the accounts table: its sorts by a playbook's column.
            models.Index(
                fields=["tenant", "playbook", "progress", "account"],
                condition=Q(is_superseded=False),
                name="playbooks_enr_by_progress",
            ),
            models.Index(
                fields=["tenant", "playbook", "activated_on", "account"],
                condition=Q(is_superseded=False),
                name="playbooks_enr_by_date",
            ),
            # The finished ones stand together at 100 %: whoever wants to see what is under way need not pass them.
            models.Index(
                fields=["tenant", "playbook", "progress", "account"],
                condition=Q(state__in=["active", "paused", "stopping"]),
                name="playbooks_enr_under_way",
            ),
            # Read by the accounts table's filters, the playbook page, and alone by the evaluation: who was enrolled?
            models.Index(
                fields=["tenant", "playbook", "state", "activated_on", "account"],
                include=["is_dry"],
                name="playbooks_enr_of_playbook",
            ),
            # Read by a CTA's drawer: what was applied here?
            models.Index(fields=["tenant", "cta", "id"], condition=Q(cta__isnull=False), name="playbooks_enr_of_cta"),
            # Read by a stop: what did the runs of this enrollment apply?
            models.Index(
                fields=["tenant", "parent_run_id"],
                condition=Q(parent_run_id__isnull=False),
                name="playbooks_enr_of_parent",
            ),
            # Read by the pump: which stops are still under way?
            models.Index(fields=["tenant", "id"], condition=Q(state="stopping"), name="playbooks_enr_stopping"),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} on {self.account_id}"


class Withheld(TenantModel):
    """A subject that the rules found and that was left without the playbook, to compare (playbooks/holdout.py)."""

    is_referenced = False

    playbook = TenantForeignKey(Playbook, on_delete=models.CASCADE, related_name="withheld")
    # The one that found it first: its outcome counts.
    version = TenantForeignKey(PlaybookVersion, on_delete=models.CASCADE, sharing="playbook", related_name="+")
    account = TenantForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    end_user = TenantForeignKey(EndUser, on_delete=models.PROTECT, null=True, related_name="+")
    matched_at = models.DateTimeField()
    outcome_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # Read by the evaluation and by reports, too: who was left out?
            models.UniqueConstraint(
                fields=["tenant", "playbook", "account", "end_user"],
                nulls_distinct=False,
                name="playbooks_withheld_once",
            ),
        ]
        indexes = [
            # Read by the playbook's page: who was left out last?
            models.Index(fields=["tenant", "playbook", "matched_at", "id"], name="playbooks_withheld_latest"),
            # Read by the account page: what does it go without?
            models.Index(fields=["tenant", "account", "playbook"], name="playbooks_withheld_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} without {self.playbook_id}"


class ActionRun(TenantModel):
    """One step of one enrollment: the exactly-once unit of everything automation does.

    `due_at` never moves; `try_at` does (retries, review delay). While `running` or `undoing` it is leased, and only
    the holder of the lease's token may settle it.
    """

    is_referenced = False  # what a run made lies in layers below it and names it without a foreign key

    class State(models.TextChoices):
        SCHEDULED = "scheduled", "Scheduled"
        HELD = "held", "Held"
        RUNNING = "running", "Running"
        APPLIED = "applied", "Applied"
        SKIPPED = "skipped", "Skipped"
        UNCERTAIN = "uncertain", "Uncertain"
        DEAD = "dead", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        UNDOING = "undoing", "Undoing"
        UNDONE = "undone", "Undone"
        KEPT = "kept", "Kept"
        UNDO_DEAD = "undo_dead", "Undo failed"

    id = models.UUIDField(primary_key=True, db_default=Func(function="uuidv7"), editable=False)
    enrollment = TenantForeignKey(Enrollment, on_delete=models.PROTECT, related_name="runs")
    step = TenantForeignKey(Step, on_delete=models.PROTECT, related_name="+")
    fan_key = models.CharField(max_length=60, blank=True, default="", db_default="")
    position = models.PositiveSmallIntegerField()
    is_external = models.BooleanField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.SCHEDULED, db_default="scheduled")
    anchor_on = models.DateField(null=True)  # the anchor's date it was scheduled by; when that moves, so does the run
    due_on = models.DateField(null=True)
    due_at = models.DateTimeField(null=True)  # null: anchored to a date that is not set yet
    try_at = models.DateTimeField(null=True)
    prepared_at = models.DateTimeField(null=True)  # an external effect drafted and waiting for its review delay
    attempt = models.PositiveSmallIntegerField(default=0, db_default=0)
    claims = models.PositiveSmallIntegerField(default=0, db_default=0)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    sent_marker_at = models.DateTimeField(null=True)  # committed before an outside call, until it is answered
    cancel_requested_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    receipt = models.JSONField(null=True)
    reason = models.TextField(blank=True, default="", db_default="")
    reason_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    cause_depth = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "enrollment", "step", "fan_key"], name="playbooks_run_once"),
            models.CheckConstraint(
                condition=Q(state__in=["running", "undoing"], lease_token__isnull=False, lease_until__isnull=False)
                | (~Q(state__in=["running", "undoing"]) & Q(lease_token__isnull=True, lease_until__isnull=True)),
                name="playbooks_run_leased_while_working",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["applied", "undone", "kept"]) | Q(receipt__isnull=False),
                name="playbooks_run_has_receipt",
            ),
            models.CheckConstraint(condition=Q(attempt__lte=25), name="playbooks_run_attempts"),
        ]
        indexes = [
            # Read by the pump: what is due, per step, internal or external, in the order in which it is claimed.
            # Thousands fall due together: without their ids, which would tell each from each, they share an entry.
            models.Index(
                fields=["tenant", "is_external", "try_at", "step"],
                condition=Q(state="scheduled"),
                name="playbooks_run_due",
            ),
            # Read by the pump: whose lease ran out?
            models.Index(
                fields=["tenant", "lease_until"],
                condition=Q(state__in=["running", "undoing"]),
                name="playbooks_run_leased",
            ),
            # Read by the failures page.
            models.Index(
                fields=["tenant", "state"],
                condition=Q(state__in=["dead", "uncertain", "held", "undo_dead"]),
                name="playbooks_run_open",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


# Who a step may ask beside the account's CSM and AE and named members: anybody of these roles.
TEAMS: dict[str, frozenset[str]] = {
    ADMINS: frozenset({Role.OWNER, Role.ADMIN}),
    MANAGERS: frozenset({Role.OWNER, Role.ADMIN, Role.MANAGER}),
}


class ApprovalQuerySet(models.QuerySet["Approval"]):
    def waiting(self) -> Self:
        return self.filter(state=Approval.State.WAITING)

    def answered(self) -> Self:
        return self.exclude(state=Approval.State.WAITING)

    def asked_of(self, member: Membership) -> Self:
        """Whoever holds the role now is asked, not whoever held it when the action fell due."""
        teams = [team for team, roles in TEAMS.items() if member.role in roles]
        return self.filter(
            Q(asks="csm", enrollment__account__csm=member)
            | Q(asks="ae", enrollment__account__ae=member)
            | Q(asks__in=[f"member:{member.email.lower()}", *teams])
        )

    def decidable_by(self, member: Membership) -> Self:
        """Whoever is asked; and whoever sets playbooks live, so that nothing waits for somebody who is gone."""
        if allows(Role(member.role), Ability.PUBLISH_PLAYBOOKS):
            return self
        return self.asked_of(member) if allows(Role(member.role), Ability.WORK_CTAS) else self.none()


class Approval(TenantModel):
    """A question put to somebody before one action runs. While it waits its run is held, and only then."""

    is_referenced = False

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        EXPIRED = "expired", "Nobody answered"
        WITHDRAWN = "withdrawn", "No longer asked"

    class Otherwise(models.TextChoices):
        SKIP = "skip", "it is skipped"
        APPLY = "apply", "it runs all the same"
        STOP = "stop", "the playbook is stopped"

    run_id = models.UUIDField()
    enrollment = TenantForeignKey(Enrollment, on_delete=models.PROTECT, related_name="approvals")
    asks = models.CharField(max_length=270)  # "csm", "ae", "member:ada@example.com", "team:admin"
    otherwise = models.CharField(max_length=5, choices=Otherwise.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING, db_default="waiting")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    note = models.TextField(blank=True, default="", db_default="")

    objects = TenantManager.from_queryset(ApprovalQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run_id"], name="playbooks_approval_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True)
                | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="playbooks_approval_decided",
            ),
        ]
        indexes = [
            # Read by the pump: which have waited long enough? And by the page, the next to expire first.
            models.Index(
                fields=["tenant", "expires_at", "id"], condition=Q(state="waiting"), name="playbooks_approval_waiting"
            ),
            # Read by the page of those that were answered, newest first.
            models.Index(
                fields=["tenant", "-decided_at", "-id"],
                condition=~Q(state="waiting"),
                name="playbooks_approval_answered",
            ),
            # Read by the notices: who has not been told yet?
            models.Index(
                fields=["tenant"], condition=Q(state="waiting", told_at__isnull=True), name="playbooks_approval_untold"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asks} about {self.run_id}"


class LedgerEntry(TenantModel):
    """Every transition of every run and enrollment, with its cause. Append-only by grant and trigger."""

    is_referenced = False
    append_only = True

    run_id = models.UUIDField(null=True)
    enrollment_id = models.BigIntegerField()
    at = models.DateTimeField()
    from_state = models.CharField(max_length=10, blank=True, default="", db_default="")
    to_state = models.CharField(max_length=10)
    actor = models.CharField(max_length=100)  # "engine", "person:7", "evaluation:4"
    reason = models.TextField(blank=True, default="", db_default="")
    receipt = models.JSONField(null=True)

    class Meta:
        base_manager_name = "objects"
        # Read by the history panel.
        indexes = [models.Index(fields=["tenant", "enrollment_id", "id"], name="playbooks_ledger_story")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.from_state} → {self.to_state}"
