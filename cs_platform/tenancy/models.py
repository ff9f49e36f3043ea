"""Who works where: workspaces, logins, memberships, keys. Only tables of this module are outside row-level security."""

import hashlib
import secrets
import zlib
from datetime import date, datetime
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import connection, models

from .base import TenantForeignKey, TenantManager, TenantModel
from .roles import Ability, Role, allows

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Credential",
    "Doer",
    "Heartbeat",
    "Membership",
    "Tenant",
    "TenantForeignKey",
    "TenantManager",
    "TenantModel",
    "User",
    "WorkDue",
]


class Tenant(models.Model):
    """A workspace: one company that uses the platform."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, default="UTC")
    evaluation_hour = models.PositiveSmallIntegerField(default=6)
    action_hour = models.PositiveSmallIntegerField(default=9)
    # The best health score there is, in the terms of whoever sends it: 100, or 10 where a vendor's score ends there.
    health_scale = models.PositiveSmallIntegerField(default=100)
    # Which trait feeds which built-in column, by column name (DECISIONS: mrr_cents, plan, lifecycle, renewal_on …).
    column_traits = models.JSONField(default=dict)
    # How long changes of traits and daily counts of events are kept.
    history_days = models.PositiveSmallIntegerField(default=730)
    event_days = models.PositiveSmallIntegerField(default=400)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, *, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser):
    """A login. It holds no workspace data; what a person may do is on their Membership."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's own permissions are not used: abilities belong to memberships."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False


class Doer(Protocol):
    """Whoever does something: a team member, or an API key that nobody's name stands for."""

    @property
    def actor(self) -> str:
        """How the ledger and the timeline name them: "person:7", "key:3"."""

    @property
    def member(self) -> "Membership | None":
        """Who to write where only a team member can stand."""


class MembershipQuerySet(models.QuerySet["Membership"]):
    def active(self) -> "MembershipQuerySet":
        return self.filter(deactivated_at__isnull=True)

    def in_tenant(self, tenant_id: int) -> "MembershipQuerySet":
        return self.filter(tenant_id=tenant_id)


class Membership(models.Model):
    """A team member: every CSM, owner and author points here, never at the login. Deactivated, not deleted."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    name = models.CharField(max_length=200)
    email = models.EmailField()
    theme = models.CharField(max_length=10, default="system")
    density = models.CharField(max_length=12, default="comfortable")
    timezone = models.CharField(max_length=64, blank=True, default="")  # empty: the workspace's
    single_keys = models.BooleanField(default=True)  # shortcuts of one letter (WCAG 2.1.4)
    joined_at = models.DateTimeField()
    deactivated_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="tenancy_membership_tenant_key"),
            models.UniqueConstraint(fields=["tenant", "user"], name="tenancy_membership_once_per_tenant"),
            models.UniqueConstraint(fields=["tenant", "email"], name="tenancy_membership_email_in_tenant"),
        ]

    def __str__(self) -> str:
        return self.name

    def can(self, ability: Ability) -> bool:
        return allows(Role(self.role), ability)

    @property
    def zone(self) -> str:
        """Where their days begin; asks for the workspace where they chose none."""
        return self.timezone or self.tenant.timezone

    def day(self, now: datetime) -> date:
        """Today, where they are."""
        return now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def actor(self) -> str:
        """How the ledger names this person as the cause or writer of something."""
        return f"person:{self.pk}"

    @property
    def member(self) -> "Membership":
        return self


class Credential(models.Model):
    """Where a secret from outside is looked up before its tenant is known. Holds only a hash."""

    class Kind(models.TextChoices):
        API_KEY = "api_key", "API key"
        WRITE_KEY = "write_key", "Write key"
        INVITATION = "invitation", "Invitation"
        SHARE_LINK = "share_link", "Share link"

    token_hash = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return self.kind


def hash_token(token: str) -> str:
    """SHA-256 is enough here: tokens carry 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiKey(TenantModel):
    """A key of the REST API: `cs_live_` + 43 random characters + a checksum that refuses typos before any look-up."""

    PREFIX: ClassVar[str] = "cs_live_"

    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64)
    last_four = models.CharField(max_length=4)
    scopes = models.JSONField(default=list)
    created_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "token_hash"], name="tenancy_apikey_token_in_tenant"),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(
        cls,
        *,
        name: str,
        scopes: list[str],
        created_by: Membership | None,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> tuple["ApiKey", str]:
        """Returns the key and its token, which is shown once and never stored."""
        body = secrets.token_urlsafe(32)
        token = f"{cls.PREFIX}{body}{_checksum(body)}"
        key = cls.objects.create(
            name=name,
            scopes=scopes,
            token_hash=hash_token(token),
            last_four=token[-4:],
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
        )
        Credential.objects.create(token_hash=key.token_hash, kind=Credential.Kind.API_KEY, tenant_id=key.tenant_id)
        return key, token

    @classmethod
    def looks_genuine(cls, token: str) -> bool:
        body, checksum = token.removeprefix(cls.PREFIX)[:-8], token[-8:]
        return token.startswith(cls.PREFIX) and _checksum(body) == checksum

    @property
    def actor(self) -> str:
        """How the ledger names this key as the cause or writer of something."""
        return f"key:{self.pk}"

    @property
    def member(self) -> None:
        return None

    def usable_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


class WorkDue(models.Model):
    """Which tenants have work, and from when. It holds nothing but times, so workers may read it across tenants."""

    class Queue(models.TextChoices):
        APPLY = "apply"
        DELIVER = "deliver"
        ERRANDS = "errands"
        EVALUATE = "evaluate"
        INGEST = "ingest"
        JOBS = "jobs"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    queue = models.CharField(max_length=10, choices=Queue.choices)
    due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "queue"], name="tenancy_workdue_once_per_queue"),
        ]
        # Read by the pump: whose turn is it?
        indexes = [models.Index(fields=["queue", "due_at"], name="tenancy_workdue_turn")]

    def __str__(self) -> str:
        return f"{self.queue} for {self.tenant_id}"

    @classmethod
    def announce(cls, *, tenant_id: int, queue: str, due_at: datetime) -> None:
        """Call last in the transaction that made the work: the row is shared by the whole tenant."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenancy_workdue (tenant_id, queue, due_at) VALUES (%s, %s, %s) "
                "ON CONFLICT (tenant_id, queue) DO UPDATE SET due_at = LEAST(tenancy_workdue.due_at, EXCLUDED.due_at) "
                "WHERE EXCLUDED.due_at < tenancy_workdue.due_at",
                [tenant_id, queue, due_at],
            )


class Heartbeat(models.Model):
    """When each part of the engine last did its work; /healthz judges by this, not by processes."""

    part = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.part

    @classmethod
    def beat(cls, *, part: str, now: datetime) -> None:
        cls.objects.update_or_create(part=part, defaults={"at": now})


class AuditEntry(TenantModel):
    """Who did what, when, from where. Append-only: a trigger and the grants refuse anything else."""

    is_referenced = False
    append_only = True

    at = models.DateTimeField()
    actor = models.CharField(max_length=100)
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    detail = models.JSONField(default=dict)
    ip_address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        # Read by the audit page, newest first.
        indexes = [models.Index(fields=["tenant", "-at"], name="tenancy_audit_newest")]

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.subject_type} {self.subject_id}"
