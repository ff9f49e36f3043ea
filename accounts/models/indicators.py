"""Risks and opportunities raised on an account. An indicator stays active while anyone still claims it."""

from django.db import models

from accounts.models.account import Account
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class Indicator(TenantModel):
    class Kind(models.TextChoices):
        RISK = "risk", "Risk"
        OPPORTUNITY = "opportunity", "Opportunity"

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        ADDRESSED = "addressed", "Addressed"
        ENDED = "ended", "Ended"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="indicators")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.TextField()
    note = models.TextField(blank=True, default="")
    assignee = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    raised_at = models.DateTimeField()
    raised_by = models.CharField(max_length=100)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=100, blank=True, default="")
    reason = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # Two playbooks that raise the same thing share one indicator, each with its own claim.
            models.UniqueConstraint(
                fields=["tenant", "account", "kind", "title"],
                condition=models.Q(state="active"),
                name="accounts_indicator_one_active",
            ),
        ]
        indexes = [
            # Read by rules: who has an active indicator of this title?
            models.Index(
                fields=["tenant", "title", "account"], condition=models.Q(state="active"), name="accounts_indicator_rule"
            ),
            # Read by the account page.
            models.Index(fields=["tenant", "account", "-raised_at"], name="accounts_indicator_page"),
        ]

    def __str__(self) -> str:
        return self.title


class IndicatorClaim(TenantModel):
    """Why an indicator is active: a person or a playbook's run. It ends with its last open claim."""

    is_referenced = False

    indicator = TenantForeignKey(Indicator, on_delete=models.CASCADE, related_name="claims")
    source = models.CharField(max_length=100)  # "person:7" or "run:<uuid>"
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "indicator", "source"], name="accounts_indicatorclaim_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source} on {self.indicator_id}"
