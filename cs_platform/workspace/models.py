"""What people make for themselves and each other on top of any page: saved views, comments."""

from django.db import models

from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class SavedView(TenantModel):
    """A list as somebody set it up: the address's parameters, and how wide its columns are."""

    page = models.CharField(max_length=30)  # "accounts", "users"
    name = models.CharField(max_length=100)
    owner = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    is_shared = models.BooleanField(default=False)
    params = models.TextField(blank=True, default="")
    widths = models.JSONField(default=dict)  # column key -> pixels
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "page", "owner", "name"],
                condition=models.Q(archived_at__isnull=True),
                name="workspace_savedview_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultView(TenantModel):
    """What a page opens with: for one member, or (`member` empty) for everyone who chose nothing."""

    is_referenced = False

    page = models.CharField(max_length=30)
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, null=True, related_name="+")
    view = TenantForeignKey(SavedView, on_delete=models.CASCADE, related_name="+")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "page", "member"], nulls_distinct=False, name="workspace_defaultview_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.page} of {self.member_id or 'everyone'}"


class Comment(TenantModel):
    """Said about something another app owns."""

    subject = models.CharField(max_length=60)  # "indicator:5", "cta:9", "note:3"
    author = models.CharField(max_length=100)  # "person:7", "key:3"
    body = models.TextField()
    written_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        # Read by the discussion of one thing, oldest first.
        indexes = [models.Index(fields=["tenant", "subject", "written_at", "id"], name="workspace_comment_thread")]

    def __str__(self) -> str:
        return self.body[:80]
