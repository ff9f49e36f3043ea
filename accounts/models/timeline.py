"""Everything that happened on an account, in words: appended by whichever layer acts, in the same transaction."""

from django.db import models

from accounts.models.account import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantModel


class TimelineEntry(TenantModel):
    is_referenced = False
    append_only = True

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="timeline")
    end_user = TenantForeignKey(EndUser, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    kind = models.CharField(
        max_length=40
    )  # "playbook.applied", "action.applied", "action.undone", "cta.closed", "trait.changed" …
    actor = models.CharField(max_length=100)  # "person:7", "playbook:12", "import"
    text = models.TextField()
    subject = models.CharField(max_length=60, blank=True, default="", db_default="")  # "enrollment:31", "cta:9"
    detail = models.JSONField(default=dict, db_default={})

    class Meta:
        base_manager_name = "objects"
        indexes = [
            # Read by the account page, newest first.
            models.Index(fields=["tenant", "account", "-at", "-id"], name="accounts_timeline_page"),
            # Read by the user page, newest first.
            models.Index(
                fields=["tenant", "end_user", "-at", "-id"],
                condition=models.Q(end_user__isnull=False),
                name="accounts_timeline_user",
            ),
        ]

    def __str__(self) -> str:
        return self.text
