"""What people write down about an account."""

from datetime import datetime
from typing import Any

from django.db import models, transaction

from accounts.models.account import Account
from accounts.models.timeline import TimelineEntry
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Doer


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

    @classmethod
    def write(cls, account: Account, *, body: str, by: Doer, now: datetime) -> "Note":
        """The timeline is told that there is one; what it says is read from here, so that an archived note is gone."""
        with transaction.atomic():
            note: Note = cls.objects.create(account=account, body=body, author=by.actor, written_at=now)
            TimelineEntry.objects.create(
                account=account, at=now, kind="note.written", actor=by.actor, text="Wrote a note", subject=note.subject
            )
        return note

    @property
    def subject(self) -> str:
        """How the timeline and comments name it."""
        return f"note:{self.pk}"

    def is_of(self, doer: Doer) -> bool:
        """Its author's; what a playbook wrote is everybody's."""
        return self.author == doer.actor or self.author.startswith("run:")

    def edit(self, *, body: str, by: Doer, now: datetime) -> bool:
        """By its author alone. False when it is archived, somebody else's, or says that already."""
        if body == self.body or not self.is_of(by):
            return False
        return self._change({"archived_at": None, "author": self.author}, body=body, edited_at=now, edited_by=by.actor)

    def archive(self, *, now: datetime) -> bool:
        return self._change({"archived_at": None}, archived_at=now)

    def restore(self) -> bool:
        return self._change({"archived_at__isnull": False}, archived_at=None)

    def _change(self, only_if: dict[str, Any], **changes: Any) -> bool:
        if not Note.objects.filter(pk=self.pk, **only_if).update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True
