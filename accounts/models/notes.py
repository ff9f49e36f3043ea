"""What people write down about an account."""

from django.db import models

from accounts.models.account import Account
from cs_platform.tenancy.base import TenantForeignKey, TenantModel


class Note(TenantModel):
    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="notes")
    body = models.TextField()
    author = models.CharField(max_length=100)  # "person:7", "key:3", "run:0198…"
    written_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    edited_by = models.CharField(max_length=100, blank=True, default="")
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        # Read by the account page, newest first.
        indexes = [models.Index(fields=["tenant", "account", "-written_at", "-id"], name="accounts_note_page")]

    def __str__(self) -> str:
        return self.body[:80]
