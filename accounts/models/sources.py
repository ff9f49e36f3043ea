"""Where data comes in: write keys and their accepted calls that still wait, and files to import."""

from django.db import models

from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class DataSource(TenantModel):
    """A Segment-compatible source. Its write key is public by nature (browsers hold it): it can only send."""

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


class ReceivedBatch(TenantModel):
    """Calls that were answered 200 and are not taken in yet, in order of id. The row goes when they are."""

    source = TenantForeignKey(DataSource, on_delete=models.CASCADE, related_name="+")
    received_at = models.DateTimeField()
    calls = models.PositiveIntegerField()
    body = models.BinaryField()  # JSON lines, one call each, compressed with zlib
    # Times a worker has taken it up: one that keeps failing is set aside for a person.
    claims = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

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
