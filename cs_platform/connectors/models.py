"""Connections to other systems, each with its secret, and how they are doing: they outlive whoever set them up."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from cs_platform.connectors.providers import PROVIDERS, Provider
from cs_platform.connectors.sealing import seal, unseal
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership


class ConnectorQuerySet(models.QuerySet["Connector"]):
    def present(self) -> Self:
        return self.filter(archived_at__isnull=True)


class Connector(TenantModel):
    """One other system we speak to. Playbooks name it by its key."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        NEEDS_REAUTH = "needs_reauth", "Refuses us"

    key = models.CharField(max_length=40)
    kind = models.CharField(max_length=20)  # of cs_platform.connectors.providers
    name = models.CharField(max_length=100)
    url = models.TextField(blank=True, default="")
    sealed = models.TextField()
    last_four = models.CharField(max_length=4)
    # The secret before this one signs, too, until then.
    former_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=15, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=300, blank=True, default="")
    told_at = models.DateTimeField(null=True, blank=True)  # when somebody was last told that it refuses us
    # Breaker: answers in a row that were none, and until when nothing is sent.
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    # Bucket: what may be sent at once, as of a moment.
    tokens = models.FloatField(default=0)
    filled_at = models.DateTimeField()
    test_asked_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_worked = models.BooleanField(default=False)
    test_result = models.CharField(max_length=300, blank=True, default="")
    look_at = models.DateTimeField(null=True, blank=True)  # when a worker brings back next what was answered there
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = TenantManager.from_queryset(ConnectorQuerySet)()  # type: ignore[misc]

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key"], condition=Q(archived_at__isnull=True), name="connectors_connector_key"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(PROVIDERS)), name="connectors_connector_kind"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def provider(self) -> Provider:
        return PROVIDERS[self.kind]

    @property
    def subject(self) -> str:
        return f"connector:{self.pk}"

    def hold(self, secrets: dict[str, str]) -> None:
        self.sealed, self.last_four = seal(secrets, tenant_id=current_tenant_id()), secrets["secret"][-4:]

    def secrets(self, *, now: datetime) -> dict[str, str]:
        """Raises CannotOpen. The former secret only while it is still good."""
        found = unseal(self.sealed, tenant_id=current_tenant_id())
        if not self.former_until or self.former_until <= now:
            found.pop("former", None)
        return found


class Mailbox(TenantModel):
    """A team member's own mailbox at Google: playbooks write in their name, and what is answered comes back."""

    is_referenced = False

    class State(models.TextChoices):
        CONNECTING = "connecting", "Connecting"  # its owner said yes; a worker has yet to tell Google
        ACTIVE = "active", "Active"
        NEEDS_REAUTH = "needs_reauth", "Refuses us"

    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    email = models.TextField(blank=True, default="")  # as Google says
    state = models.CharField(max_length=15, choices=State.choices, default=State.CONNECTING)
    state_reason = models.CharField(max_length=300, blank=True, default="")
    told_at = models.DateTimeField(null=True, blank=True)  # when its owner was last told that it refuses us
    sealed = models.TextField()
    good_until = models.DateTimeField(null=True, blank=True)  # the token it sends and reads with
    refusals = models.PositiveSmallIntegerField(default=0)  # to send, in a row
    history = models.TextField(blank=True, default="")  # how far it has been read
    read_at = models.DateTimeField(null=True, blank=True)
    look_at = models.DateTimeField(null=True, blank=True)  # when a worker looks after it next
    connected_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "member"], name="connectors_mailbox_of_member")]
        indexes = [
            # Read by the workers: whose turn is it?
            models.Index(
                fields=["tenant", "look_at"],
                condition=Q(look_at__isnull=False),
                name="connectors_mailbox_turn",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def hold(self, secrets: dict[str, str]) -> None:
        self.sealed = seal(secrets, tenant_id=current_tenant_id())

    def secrets(self) -> dict[str, str]:
        """Raises CannotOpen. Asked in threads of their own too, where no workspace is set."""
        assert self.tenant_id is not None
        return unseal(self.sealed, tenant_id=self.tenant_id)

    def sends_at(self, now: datetime) -> bool:
        return bool(self.state == self.State.ACTIVE and self.good_until and self.good_until > now)


class Retraction(TenantModel):
    """A message that says that an earlier one no longer holds. It leaves once, after its playbook was stopped."""

    is_referenced = False

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "On its way"
        SENT = "sent", "Sent"
        REFUSED = "refused", "Refused"
        UNCERTAIN = "uncertain", "Uncertain"

    run_id = models.UUIDField()  # whose message it takes back
    connector = models.CharField(max_length=40)  # its key
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=300)  # what people call it
    message = models.JSONField()
    account_id = models.BigIntegerField()  # on whose timeline its end is told
    actor = models.CharField(max_length=100)  # "playbook:12"
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING, db_default="waiting")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField()  # of one on its way: since when
    settled_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "run_id"], name="connectors_retraction_once")]
        indexes = [
            # Read by the pump: what leaves next?
            models.Index(
                fields=["tenant", "due_at", "id"],
                condition=Q(state__in=["waiting", "sending"]),
                name="connectors_retraction_due",
            )
        ]

    def __str__(self) -> str:
        return self.name
