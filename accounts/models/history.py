"""What a trait or a built-in field was before, when it changed, and who or what changed it."""

from django.db import models

from accounts.models.account import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantModel


class TraitChange(TenantModel):
    """One change of one value. First values leave none: they begin with their subject.

    `before` and `after` are the canonical JSON of accounts/traits.py; SQL NULL stands for "not set".
    """

    is_referenced = False

    account = TenantForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, null=True, related_name="+")
    field = models.CharField(max_length=110)  # as rules name it: "trait:plan", "csm", "lifecycle"
    at = models.DateTimeField()
    actor = models.CharField(max_length=100)  # whose word the value is: "person:7", "run:0198…", "import:3"
    # Who or what took another change back, so that it is that actor's word again: "stop:0198…" of a run, "job:8".
    undone_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account__isnull=False) ^ models.Q(end_user__isnull=False),
                name="accounts_traitchange_one_subject",
            ),
        ]
        indexes = [
            # Read by the history of one subject, newest first; partial, so that each change stands in one of them.
            models.Index(
                fields=["tenant", "account", "-at"],
                condition=models.Q(account__isnull=False),
                name="accounts_traitchange_account",
            ),
            models.Index(
                fields=["tenant", "end_user", "-at"],
                condition=models.Q(end_user__isnull=False),
                name="accounts_traitchange_user",
            ),
            # Read by the undo of an import and by the retention job.
            models.Index(fields=["tenant", "at"], name="accounts_traitchange_at"),
        ]

    def __str__(self) -> str:
        return f"{self.field} by {self.actor}"
