"""What users did, kept as one count per day, event, account and user."""

from django.db import models

from accounts.models.account import Account, EndUser
from cs_platform.tenancy.base import TenantForeignKey, TenantModel


class EventType(TenantModel):
    name = models.CharField(max_length=200)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="accounts_eventtype_name")]

    def __str__(self) -> str:
        return self.name


class EventCount(TenantModel):
    """`account` is empty when the event names none and the user belongs to several."""

    is_referenced = False

    event_type = TenantForeignKey(EventType, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    account = TenantForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+")
    end_user = TenantForeignKey(EndUser, on_delete=models.CASCADE, null=True, related_name="+")
    count = models.IntegerField()
    last_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # Also the evaluation's path to one event's window: the included count makes it an index-only scan.
            models.UniqueConstraint(
                fields=["tenant", "event_type", "day", "account", "end_user"],
                name="accounts_eventcount_day",
                nulls_distinct=False,
                include=["count"],
            ),
        ]
        # Read by the user page: what somebody did lately.
        indexes = [
            models.Index(
                fields=["tenant", "end_user", "day"],
                condition=models.Q(end_user__isnull=False),
                name="accounts_eventcount_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type_id} on {self.day}: {self.count}"
