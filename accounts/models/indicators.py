"""Risks and opportunities raised on an account. An indicator stays active while anyone still claims it."""

from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.urls import reverse

from accounts.models.account import Account
from accounts.models.timeline import TimelineEntry
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Doer, Membership
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify


class Indicator(TenantModel):
    class Kind(models.TextChoices):
        RISK = "risk", "Risk"
        OPPORTUNITY = "opportunity", "Opportunity"

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        ADDRESSED = "addressed", "Addressed"
        ENDED = "ended", "Ended"

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="indicators")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.TextField()
    note = models.TextField(blank=True, default="")
    assignee = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    raised_at = models.DateTimeField()
    raised_by = models.CharField(max_length=100)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=100, blank=True, default="")
    reason = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        base_manager_name = "objects"
        constraints = [
            # Two playbooks that raise the same thing share one indicator, each with its own claim.
            models.UniqueConstraint(
                fields=["tenant", "account", "kind", "title"],
                condition=models.Q(state="active"),
                name="accounts_indicator_one_active",
            ),
        ]
        indexes = [
            # Read by rules: who has an active indicator of this title?
            models.Index(
                fields=["tenant", "title", "account"],
                condition=models.Q(state="active"),
                name="accounts_indicator_rule",
            ),
            # Read by the account page.
            models.Index(fields=["tenant", "account", "-raised_at"], name="accounts_indicator_page"),
        ]

    def __str__(self) -> str:
        return self.title

    @classmethod
    def raise_on(
        cls,
        account: Account,
        *,
        kind: str,
        title: str,
        note: str = "",
        assignee: Membership | None = None,
        by: Doer,
        now: datetime,
    ) -> "Indicator":
        """By hand. One that is active already is joined by a claim, so that no playbook's stop ends it."""
        made = {"note": note, "assignee": assignee, "raised_at": now, "raised_by": by.actor}
        with transaction.atomic():
            indicator, is_new = cls.objects.get_or_create(
                account=account, kind=kind, title=title, state=cls.State.ACTIVE, defaults=made
            )
            IndicatorClaim.objects.update_or_create(
                indicator=indicator, source=by.actor, defaults={"ended_at": None}, create_defaults={"made_at": now}
            )
            if is_new:
                indicator._notify(by=by, now=now)
                indicator._tell("indicator.raised", f"{indicator.get_kind_display()} raised: {title}", by=by, now=now)
        return indicator

    def address(self, *, by: Doer, now: datetime) -> bool:
        """Somebody took care of it. False when it was not active any more."""
        return self._settle(self.State.ADDRESSED, "marked as addressed", by=by, now=now)

    def end(self, *, by: Doer, now: datetime) -> bool:
        """It no longer holds. False when it was not active any more."""
        return self._settle(self.State.ENDED, "ended", by=by, now=now)

    def reopen(self, *, by: Doer, now: datetime) -> bool:
        """Active again, now by this person's claim. False when it is, or when another of the same title is."""
        same = Indicator.objects.filter(account=self.account_id, kind=self.kind, title=self.title)
        if same.filter(state=self.State.ACTIVE).exists():
            return False
        back = {"state": self.State.ACTIVE, "settled_at": None, "settled_by": "", "reason": ""}
        with transaction.atomic():
            if not self._change({"state__in": [self.State.ADDRESSED, self.State.ENDED]}, back):
                return False
            IndicatorClaim.objects.update_or_create(
                indicator=self, source=by.actor, defaults={"ended_at": None}, create_defaults={"made_at": now}
            )
            self._tell("indicator.reopened", f"{self.get_kind_display()} active again: {self.title}", by=by, now=now)
        return True

    def assign(self, assignee: Membership | None, *, by: Doer, now: datetime) -> bool:
        """False when it is theirs already."""
        others = Indicator.objects.filter(pk=self.pk).exclude(assignee=assignee)
        if assignee is None:
            others = Indicator.objects.filter(pk=self.pk, assignee__isnull=False)
        with transaction.atomic():
            if not others.update(assignee=assignee):
                return False
            self.assignee = assignee
            words = f"given to {assignee.name}" if assignee else "given to nobody"
            self._tell("indicator.assigned", f"{self.get_kind_display()} {words}: {self.title}", by=by, now=now)
            self._notify(by=by, now=now)
        return True

    def _notify(self, *, by: Doer, now: datetime) -> None:
        text = f"{self.get_kind_display()} is yours now: {self.title}"
        told = {"kind": Notification.Kind.ASSIGNMENT, "text": text, "subject": self.subject}
        notify(members=[self.assignee], url=self.get_absolute_url(), by=by, now=now, **told)

    @property
    def subject(self) -> str:
        """How the timeline and comments name it."""
        return f"indicator:{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("accounts:indicator", args=[self.tenant.slug, self.pk])

    def _settle(self, state: str, words: str, *, by: Doer, now: datetime) -> bool:
        changes = {"state": state, "settled_at": now, "settled_by": by.actor, "reason": ""}
        with transaction.atomic():
            if not self._change({"state": self.State.ACTIVE}, changes):
                return False
            self.claims.filter(ended_at__isnull=True).update(ended_at=now)
            self._tell(f"indicator.{state}", f"{self.get_kind_display()} {words}: {self.title}", by=by, now=now)
        return True

    def _change(self, only_if: dict[str, Any], changes: dict[str, Any]) -> bool:
        """Conditional, because a stop may be faster."""
        if not Indicator.objects.filter(pk=self.pk, **only_if).update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def _tell(self, kind: str, text: str, *, by: Doer, now: datetime) -> None:
        TimelineEntry.objects.create(
            account_id=self.account_id, at=now, kind=kind, actor=by.actor, text=text, subject=self.subject
        )


class IndicatorClaim(TenantModel):
    """Why an indicator is active: a person or a playbook's run. It ends with its last open claim."""

    is_referenced = False

    indicator = TenantForeignKey(Indicator, on_delete=models.CASCADE, related_name="claims")
    source = models.CharField(max_length=100)  # "person:7" or "run:<uuid>"
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "indicator", "source"], name="accounts_indicatorclaim_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source} on {self.indicator_id}"
