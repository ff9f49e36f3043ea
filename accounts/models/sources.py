"""Where data comes in: write keys and their accepted calls that still wait, and files to import."""

import secrets
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.models import Credential, Doer, Membership, hash_token


class DataSource(TenantModel):
    """A Segment-compatible source. Its write key is public by nature (browsers hold it): it can only send."""

    PREFIX: ClassVar[str] = "cs_write_"
    RECEIVED_EVERY: ClassVar[timedelta] = timedelta(minutes=1)

    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64)
    last_four = models.CharField(max_length=4)
    created_at = models.DateTimeField()
    created_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    last_received_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "token_hash"], name="accounts_datasource_token")]

    def __str__(self) -> str:
        return self.name

    @property
    def actor(self) -> str:
        """How problems and histories name it."""
        return f"source:{self.pk}"

    @classmethod
    def open(cls, *, name: str, by: Doer, now: datetime) -> tuple["DataSource", str]:
        """Returns the source and its write key, which is shown once and never stored."""
        key = _new_key()
        source = cls(name=name, created_at=now, created_by=by.member)
        source._hold(key)
        source.save(force_insert=True)
        return source, key

    def rotate(self) -> str:
        """A new write key; the old one is refused from now on."""
        Credential.objects.filter(token_hash=self.token_hash).delete()
        key = _new_key()
        self._hold(key)
        self.save(update_fields=["token_hash", "last_four"])
        return key

    def revoke(self, *, now: datetime) -> bool:
        """What was accepted before is still taken in."""
        Credential.objects.filter(token_hash=self.token_hash).delete()
        open_still = DataSource.objects.filter(pk=self.pk, revoked_at__isnull=True)
        return bool(open_still.update(revoked_at=now))

    def _hold(self, key: str) -> None:
        self.token_hash, self.last_four = hash_token(key), key[-4:]
        Credential.objects.create(token_hash=self.token_hash, kind=Credential.Kind.WRITE_KEY, tenant=self.tenant)

    def remember_receipt(self, *, now: datetime) -> None:
        """At most once a minute, so that a busy source is not a row everybody waits for."""
        if self.last_received_at is None or self.last_received_at <= now - self.RECEIVED_EVERY:
            stale = Q(last_received_at__isnull=True) | Q(last_received_at__lte=now - self.RECEIVED_EVERY)
            DataSource.objects.filter(stale, pk=self.pk).update(last_received_at=now)


def _new_key() -> str:
    return f"{DataSource.PREFIX}{secrets.token_urlsafe(24)}"


class ReceivedBatchQuerySet(models.QuerySet["ReceivedBatch"]):
    def waiting(self) -> "ReceivedBatchQuerySet":
        return self.filter(failed_at__isnull=True)

    def set_aside(self) -> "ReceivedBatchQuerySet":
        return self.filter(failed_at__isnull=False)

    def free_at(self, now: datetime) -> "ReceivedBatchQuerySet":
        return self.waiting().filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now))


class ReceivedBatch(TenantModel):
    """Calls that were answered 200 and are not taken in yet, in order of id. The row goes when they are."""

    source = TenantForeignKey(DataSource, on_delete=models.CASCADE, related_name="+")
    received_at = models.DateTimeField()
    calls = models.PositiveIntegerField()
    body = models.BinaryField()  # JSON lines, one call each, compressed with zlib
    # Times a worker has taken it up: one that keeps failing is set aside for a person.
    claims = models.PositiveSmallIntegerField(default=0)
    # Until then it belongs to the worker that claimed it, or rests after a failure.
    lease_until = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    objects = TenantManager.from_queryset(ReceivedBatchQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.calls} calls of {self.source_id}"


class CsvImport(TenantModel):
    """One uploaded file on its way in: uploaded, mapped, tried, run, and perhaps undone."""

    class Scope(models.TextChoices):
        ACCOUNT = "account", "Accounts"
        USER = "user", "Users"

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        UNDONE = "undone", "Undone"

    scope = models.CharField(max_length=10, choices=Scope.choices)
    file_name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    encoding = models.CharField(max_length=20, default="utf-8")
    delimiter = models.CharField(max_length=1, default=",")
    header = models.JSONField(default=list)
    samples = models.JSONField(default=list)  # the first rows, for the mapping page
    # Column position -> {"to": "external_id" | "name" | "trait:plan" | "new:text:Seats" | ""}.
    mapping = models.JSONField(default=dict)
    rows = models.PositiveIntegerField(null=True, blank=True)
    result = models.JSONField(default=dict)  # created, changed, unchanged, refused
    created_at = models.DateTimeField()
    created_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        # Read by the list of imports, newest first.
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="accounts_csvimport_newest")]

    def __str__(self) -> str:
        return self.file_name


class CsvPart(TenantModel):
    """A megabyte of an uploaded file: workers on other hosts read it from here."""

    is_referenced = False

    csv_import = TenantForeignKey(CsvImport, on_delete=models.CASCADE, related_name="parts")
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "csv_import", "position"], name="accounts_csvpart_once")
        ]

    def __str__(self) -> str:
        return f"{self.csv_import_id} part {self.position}"
