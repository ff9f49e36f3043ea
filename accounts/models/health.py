"""Health: named scores of weighted measures, each measure two rules; the mean of the scores is the account's health."""

from django.db import models

from accounts.models.account import Account
from cs_platform.tenancy.base import TenantForeignKey, TenantModel


class HealthScore(TenantModel):
    """One aspect of an account, such as adoption or the relationship."""

    name = models.CharField(max_length=100)
    weight = models.FloatField(default=1)
    # Which accounts it is about (a stored rule); empty: all tracked ones.
    applies_to = models.JSONField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=models.Q(archived_at__isnull=True),
                name="accounts_healthscore_name",
            ),
            models.CheckConstraint(condition=models.Q(weight__gt=0), name="accounts_healthscore_weight"),
        ]

    def __str__(self) -> str:
        return self.name


class HealthMeasure(TenantModel):
    """Healthy where `healthy` holds, else poor where `poor` holds, else concerning."""

    class Unknown(models.TextChoices):
        LEAVE_OUT = "leave_out", "Leave it out"
        POOR = "poor", "Count it as poor"
        CONCERNING = "concerning", "Count it as concerning"
        HEALTHY = "healthy", "Count it as healthy"

    score = TenantForeignKey(HealthScore, on_delete=models.CASCADE, related_name="measures")
    name = models.CharField(max_length=100)
    weight = models.FloatField(default=1)
    healthy = models.JSONField()  # stored rules over accounts
    poor = models.JSONField(null=True, blank=True)
    # What an account counts as that has no value in any field the rules ask about.
    when_unknown = models.CharField(max_length=12, choices=Unknown.choices, default=Unknown.LEAVE_OUT)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "score", "name"], name="accounts_healthmeasure_name"),
            models.CheckConstraint(condition=models.Q(weight__gt=0), name="accounts_healthmeasure_weight"),
        ]

    def __str__(self) -> str:
        return self.name


class HealthReading(TenantModel):
    """A score's value from one day until the next reading; `score` empty: the account's health as a whole."""

    is_referenced = False

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    score = TenantForeignKey(HealthScore, on_delete=models.CASCADE, null=True, related_name="+")
    on = models.DateField()
    value = models.FloatField(null=True)  # 0 to the workspace's health_scale; empty: nothing to judge by
    # Measure id -> "poor", "concerning", "healthy" or "unknown", as the rules said that day.
    grades = models.JSONField(default=dict)
    is_current = models.BooleanField(default=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # Read by rules and by the next evaluation: neither should search the history for its end.
            models.UniqueConstraint(
                fields=["tenant", "score", "account"],
                condition=models.Q(is_current=True),
                include=["value"],
                nulls_distinct=False,
                name="accounts_healthreading_current",
            ),
            # Also the history of one account, read backwards, and that of all of them, read by reports: without a look
            # at the readings themselves, of which an account's lie far apart.
            models.UniqueConstraint(
                fields=["tenant", "account", "score", "on"],
                include=["value"],
                nulls_distinct=False,
                name="accounts_healthreading_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} on {self.on}"


class LifecycleRule(TenantModel):
    """Which accounts are ignored, trialing or churned; asked in that order, and who fits none is subscribed."""

    is_referenced = False

    class Outcome(models.TextChoices):
        IGNORED = "ignored", "Ignored"
        TRIALING = "trialing", "Trialing"
        CHURNED = "churned", "Churned"

    lifecycle = models.CharField(max_length=12, choices=Outcome.choices)
    rule = models.JSONField()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "lifecycle"], name="accounts_lifecyclerule_once"),
        ]

    def __str__(self) -> str:
        return self.lifecycle
