"""What each trait is: its type decides the slot it is mirrored in, its source who may write it."""

from django.db import models

from cs_platform.tenancy.base import TenantModel


class TraitType(models.TextChoices):
    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    CURRENCY = "currency", "Currency"
    BOOLEAN = "boolean", "Yes or no"
    DATE = "date", "Date"
    MOMENT = "moment", "Date and time"
    CHOICE = "choice", "Single choice"
    LIST = "list", "List"
    URL = "url", "Link"
    PERSON = "person", "Team member"


SLOT_FAMILY: dict[str, str] = {
    TraitType.TEXT: "t",
    TraitType.CHOICE: "t",
    TraitType.URL: "t",
    TraitType.NUMBER: "n",
    TraitType.CURRENCY: "m",
    TraitType.PERSON: "m",
    TraitType.DATE: "d",
    TraitType.MOMENT: "s",
    TraitType.BOOLEAN: "b",
    TraitType.LIST: "l",
}


# Built-in columns as pages call them.
COLUMN_WORDS = {
    "mrr_cents": "MRR",
    "csm_id": "CSM",
    "ae_id": "AE",
    "renewal_on": "renewal date",
    "trial_end_on": "trial end",
    "created_at": "date of creation",
    "timezone": "time zone",
}


class TraitDefinition(TenantModel):
    class Scope(models.TextChoices):
        ACCOUNT = "account", "Account"
        USER = "user", "User"

    class Source(models.TextChoices):
        CUSTOM = "custom", "Edited here"
        INTEGRATION = "integration", "From an integration"

    scope = models.CharField(max_length=10, choices=Scope.choices)
    key = models.CharField(max_length=100)
    label = models.CharField(max_length=100)
    type = models.CharField(max_length=10, choices=TraitType.choices)
    source = models.CharField(max_length=12, choices=Source.choices, default=Source.CUSTOM)
    # The slot column that mirrors it; none left of its family: filterable by scan, not sortable.
    slot = models.CharField(max_length=3, null=True, blank=True)
    # The built-in column it feeds instead of a slot, such as mrr_cents; empty for none.
    column = models.CharField(max_length=30, blank=True, default="")
    # The column it fed before the workspace's own rules took it over; it gets it back when the last of them goes.
    yielded_column = models.CharField(max_length=30, blank=True, default="")
    choices = models.JSONField(default=list)
    description = models.TextField(blank=True, default="")
    # Its slot is one that an index covers, so that a table of a million accounts sorts and filters by it at once.
    is_fast = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "scope", "key"], name="accounts_trait_key"),
            models.UniqueConstraint(fields=["tenant", "scope", "slot"], name="accounts_trait_slot"),
        ]

    @property
    def column_words(self) -> str:
        return COLUMN_WORDS.get(self.column, self.column)

    def __str__(self) -> str:
        return self.label
