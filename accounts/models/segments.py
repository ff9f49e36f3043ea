"""Named sets of accounts or of users: one stays in while any source claims it (a rule, a run, a person)."""

from django.db import models

from accounts.models.account import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class Segment(TenantModel):
    class Scope(models.TextChoices):
        ACCOUNT = "account", "Accounts"
        USER = "user", "Users"

    scope = models.CharField(max_length=10, choices=Scope.choices)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True, default="")
    # The stored form of a rule over its scope (accounts/rules/grammar.py); empty: playbooks and people fill it.
    rule = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    evaluated_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "scope", "name"],
                condition=models.Q(archived_at__isnull=True),
                name="accounts_segment_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMembership(TenantModel):
    """One stay of one subject in one segment. It ends with its last open claim."""

    segment = TenantForeignKey(Segment, on_delete=models.CASCADE, related_name="memberships")
    account = TenantForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, null=True, related_name="+")
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # One stay at a time; also the path of rules, filters and the list of members.
            models.UniqueConstraint(
                fields=["tenant", "segment", "account", "end_user"],
                condition=models.Q(left_at__isnull=True),
                nulls_distinct=False,
                name="accounts_segment_one_stay",
            ),
            models.CheckConstraint(
                condition=models.Q(account__isnull=False) ^ models.Q(end_user__isnull=False),
                name="accounts_segment_one_subject",
            ),
        ]
        indexes = [
            # Read by the account's and the user's page.
            models.Index(
                fields=["tenant", "account", "-entered_at"],
                condition=models.Q(account__isnull=False),
                name="accounts_segment_of_account",
            ),
            models.Index(
                fields=["tenant", "end_user", "-entered_at"],
                condition=models.Q(end_user__isnull=False),
                name="accounts_segment_of_user",
            ),
            # Read by the segment's page: who came and went lately.
            models.Index(fields=["tenant", "segment", "-entered_at", "-id"], name="accounts_segment_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id or self.end_user_id} in {self.segment_id}"


class SegmentClaim(TenantModel):
    """Why somebody is in: "rule", "person:7" or "run:<uuid>"."""

    is_referenced = False

    membership = TenantForeignKey(SegmentMembership, on_delete=models.CASCADE, related_name="claims")
    source = models.CharField(max_length=100)
    # What a bar would name: "rule" or "playbook:12". Empty for people, whose word automation does not undo.
    automation = models.CharField(max_length=100, blank=True, default="")
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # Who ended it. Whoever took the subject out puts back only what nobody has withdrawn since.
    ended_by = models.CharField(max_length=100, blank=True, default="", db_default="")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "membership", "source"], name="accounts_segmentclaim_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source} on {self.membership_id}"


class SegmentBar(TenantModel):
    """A person took the subject out: automation that held it then may not put it back."""

    is_referenced = False

    segment = TenantForeignKey(Segment, on_delete=models.CASCADE, related_name="bars")
    account = TenantForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, null=True, related_name="+")
    source = models.CharField(max_length=100)  # "rule" or "playbook:12"
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=100)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "segment", "account", "end_user", "source"],
                nulls_distinct=False,
                name="accounts_segmentbar_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} kept out of {self.segment_id}"
