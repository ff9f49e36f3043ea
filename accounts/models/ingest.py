"""What ingest remembers: which calls it has seen, and what it had to refuse or coerce."""

from django.db import models

from cs_platform.tenancy.base import TenantManager, TenantModel


class IngestedMessage(TenantModel):
    """A call already taken in, by its messageId: a repeat changes nothing."""

    is_referenced = False

    message_id = models.TextField()
    received_on = models.DateField()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "message_id"], name="accounts_ingestedmessage_once")]
        # Read by the retention job.
        indexes = [models.Index(fields=["tenant", "received_on"], name="accounts_ingested_on")]

    def __str__(self) -> str:
        return self.message_id


class TraitProblemQuerySet(models.QuerySet["TraitProblem"]):
    def refused(self) -> "TraitProblemQuerySet":
        return self.filter(outcome=TraitProblem.Outcome.REFUSED)

    def coerced(self) -> "TraitProblemQuerySet":
        return self.filter(outcome=TraitProblem.Outcome.COERCED)

    def from_source(self, source: str) -> "TraitProblemQuerySet":
        return self.filter(source=source)

    def by_trait(self) -> "TraitProblemQuerySet":
        """What was refused before what was mended, trait by trait."""
        return self.order_by("scope", "key", "-outcome", "reason", "id")


class TraitProblem(TenantModel):
    """Values of one trait (or calls of one kind) that were coerced or refused, for an admin to see."""

    is_referenced = False

    class Outcome(models.TextChoices):
        COERCED = "coerced", "Coerced"
        REFUSED = "refused", "Refused"

    source = models.CharField(max_length=60)
    scope = models.CharField(max_length=10)  # "account" or "user" (a trait), "event" (by name), "call" (a whole one)
    key = models.CharField(max_length=100)  # the trait's key, the event's name, the call's type
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=200)
    sample = models.TextField()
    count = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    objects = TenantManager.from_queryset(TraitProblemQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "scope", "key", "outcome", "reason"], name="accounts_traitproblem_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope}.{self.key}: {self.reason}"
