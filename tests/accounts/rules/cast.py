"""A small named world for tests that tell a story: accounts by name, users by name, nothing odd."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import Account, AccountUser, EndUser, EventCount, EventType, Indicator
from accounts.rules.compile import Audience
from accounts.rules.fields import FieldSet, FieldSource
from accounts.rules.grammar import parse_pair
from accounts.rules.sources import EventFields, IndicatorFields
from accounts.rules.sql import Clock
from cs_platform.tenancy.models import Tenant

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CLOCK = Clock.at(NOW, ZoneInfo("UTC"))
REPORT = "Report Created"


@dataclass
class Cast:
    tenant: Tenant
    report: EventType
    fields: FieldSet
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def assemble(cls, slug: str = "acme") -> "Cast":
        """Call inside the tenant's context (`tenant_of` makes the tenant before it)."""
        tenant = Tenant.objects.get(slug=slug)
        report = EventType.objects.create(name=REPORT, tenant=tenant)
        sources: list[FieldSource] = [EventFields(((report.pk, report.name),)), IndicatorFields()]
        return cls(tenant, report, FieldSet.of([], sources))

    @property
    def where(self) -> dict[str, Any]:
        return {"tenant_id": self.tenant.pk, "clock": CLOCK}

    def account(self, name: str, **more: Any) -> Account:
        plain = {"lifecycle": "subscribed", "plan": "Pro", "created_at": NOW, "updated_at": NOW, "external_id": name}
        made = Account.objects.create(tenant=self.tenant, name=name, **(plain | more))
        self.names[made.pk] = name
        return made

    def user(self, name: str, *accounts: Account, role: str = "admin", **more: Any) -> EndUser:
        made = EndUser.objects.create(
            tenant=self.tenant, external_id=name, name=name, email=f"{name}@example.org", created_at=NOW,
            updated_at=NOW, **more,
        )  # fmt: skip
        for account in accounts:
            AccountUser.objects.create(tenant=self.tenant, account=account, end_user=made, role=role)
        return made

    def report_by(self, user: EndUser, account: Account, *, times: int) -> None:
        EventCount.objects.create(
            tenant=self.tenant, event_type=self.report, day=CLOCK.today, account=account, end_user=user, count=times,
            last_at=NOW,
        )  # fmt: skip

    def risk(self, account: Account, title: str) -> None:
        Indicator.objects.create(
            tenant=self.tenant, account=account, kind="risk", title=title, raised_at=NOW, raised_by="person:1"
        )

    def audience(self, account: Any = None, user: Any = None, **more: Any) -> Audience:
        return Audience(*parse_pair(account, user, fields=self.fields), **more)


def tenant_of(slug: str = "acme") -> Tenant:
    return Tenant.objects.create(slug=slug, name=slug.capitalize(), created_at=NOW)
