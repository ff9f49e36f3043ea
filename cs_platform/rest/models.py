"""What the API remembers between two requests: the answers it gave under an Idempotency-Key."""

from django.db import models

from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import ApiKey


class IdempotencyKey(TenantModel):
    """Written first in the transaction of the request it names, so effect and answer stand or fall together."""

    is_referenced = False

    api_key = TenantForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "api_key", "key"], name="rest_idempotencykey_once"),
        ]
        # Read when a new key is taken: which are old enough to forget?
        indexes = [models.Index(fields=["tenant", "created_at"], name="rest_idempotencykey_age")]

    def __str__(self) -> str:
        return self.key
