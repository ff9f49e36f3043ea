"""The fixed cast of every test: two workspaces, named people, and short words for what they do.

Orbiton is where stories happen. Halyard looks just the same and must never see, or be seen by, any of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password

from accounts.models import Account, AccountUser, EndUser, TraitDefinition
from accounts.models.traits import SLOT_FAMILY
from cs_platform.tenancy.models import Membership, Tenant, User
from cs_platform.tenancy.roles import Role
from playbooks.definition import Definition
from playbooks.delivery import Deliver, deliver_directly
from playbooks.enrollment import apply_by_hand
from playbooks.evaluation import evaluate_now
from playbooks.models import Enrollment, EvaluationRun, Playbook
from playbooks.pump import pump
from playbooks.versions import import_playbook, set_live

MONDAY = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

PEOPLE = {
    "olga": ("Olga Lind", Role.OWNER),
    "jonah": ("Jonah Weiss", Role.ADMIN),
    "maya": ("Maya Osei", Role.MANAGER),
    "priya": ("Priya Raman", Role.CSM),
    "tom": ("Tom Lindqvist", Role.CSM),
    "omar": ("Omar Haddad", Role.OBSERVER),
}


@dataclass(slots=True)
class Workspace:
    """One tenant with its people by first name. Everything but building it happens inside `tenant_context`."""

    tenant: Tenant
    people: dict[str, Membership] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Membership:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None


def workspace(slug: str, *, timezone: str = "UTC", now: datetime = MONDAY) -> Workspace:
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), timezone=timezone, created_at=now)
    return Workspace(tenant, _people(tenant, now))


def _people(tenant: Tenant, now: datetime) -> dict[str, Membership]:
    """Two statements, because nearly every test begins with them."""
    password = make_password("correct horse battery", salt="salt")
    users = [
        User(email=f"{first}@{tenant.slug}.example", password=password, name=name)
        for first, (name, _role) in PEOPLE.items()
    ]
    members = [
        Membership(tenant=tenant, user=user, role=role, name=user.name, email=user.email, joined_at=now)
        for user, (_name, role) in zip(User.objects.bulk_create(users), PEOPLE.values(), strict=True)
    ]
    return dict(zip(PEOPLE, Membership.objects.bulk_create(members), strict=True))


def account(name: str = "Harbourline Logistics", *, now: datetime = MONDAY, **fields: Any) -> Account:
    known = {
        "external_id": name.lower().replace(" ", "-"),
        "lifecycle": "subscribed",
        "created_at": now,
        "updated_at": now,
    }
    return Account.objects.create(name=name, **(known | fields))


def user(name: str, *accounts: Account, role: str = "member", now: datetime = MONDAY, **fields: Any) -> EndUser:
    email = f"{name.lower().replace(' ', '.')}@customer.example"
    known = {"external_id": f"u-{email}", "email": email, "created_at": now, "updated_at": now}
    person = EndUser.objects.create(name=name, **(known | fields))
    for at in accounts:
        AccountUser.objects.create(account=at, end_user=person, role=role)
        Account.objects.filter(pk=at.pk).update(user_count=at.user_count + 1)
    return person


def trait(key: str, type: str = "text", *, scope: str = "account", **fields: Any) -> TraitDefinition:
    """A custom trait in the next free slot of its family."""
    family = SLOT_FAMILY[type]
    taken = TraitDefinition.objects.filter(scope=scope, slot__startswith=family).count()
    label = key.replace("_", " ").capitalize()
    return TraitDefinition.objects.create(
        scope=scope, key=key, type=type, slot=f"{family}{taken + 1:02}", **({"label": label} | fields)
    )


def playbook_json(key: str = "rescue", **parts: Any) -> dict[str, Any]:
    """A small valid playbook for accounts on plan Pro; `parts` replaces any of it."""
    return {
        "key": key,
        "name": key.replace("-", " ").capitalize(),
        "audience": "accounts",
        "target": "tracked",
        "rules": {"account": {"field": "plan", "op": "is", "value": "Pro"}},
        "reenrollment": {"policy": "once_ever"},
        "steps": [raise_risk()],
    } | parts


def raise_risk(day: int = 1, *, key: str = "risk", title: str = "At risk", **parts: Any) -> dict[str, Any]:
    config = {"kind": "risk", "title": title, "note": "", "assignee": ""}
    return {"key": key, "day": day, "action": "create_indicator", "config": config} | parts


def set_trait_step(
    value: Any, *, trait: str = "stage", day: int = 1, key: str = "stage", **parts: Any
) -> dict[str, Any]:
    config = {"trait": trait, "mode": "set", "value": value, "on_stop": "restore"}
    return {"key": key, "day": day, "action": "update_trait", "config": config} | parts


def task_list_json(key: str = "kickoff", **parts: Any) -> dict[str, Any]:
    """A small valid CTA playbook; `parts` replaces any of it."""
    return {
        "key": key,
        "name": key.replace("-", " ").capitalize(),
        "audience": "ctas",
        "types": [],
        "skip_weekends": False,
        "tasks": [{"title": "Prepare", "day": 1}, {"title": "Call {{ account.name }}", "day": 6, "owner": "ae"}],
    } | parts


def live(data: Mapping[str, Any] | Definition, *, by: Membership | None = None, now: datetime = MONDAY) -> Playbook:
    playbook = import_playbook(data, by=by, now=now)
    set_live(playbook, by=by, now=now, expected_count=10_000)
    playbook.refresh_from_db()
    return playbook


def tick(*, now: datetime, deliver: Deliver = deliver_directly) -> None:
    """Everything that is due, as the workers would do it at this moment."""
    for _ in range(3):  # what one queue finishes may make the other one due
        pump("apply", clock=lambda: now)
        pump("deliver", clock=lambda: now, deliver=deliver)


def evaluate(tenant: Tenant, *, now: datetime) -> EvaluationRun:
    return evaluate_now(tenant, by=None, now=now)


def apply_now(
    playbook: Playbook, account: Account, *, user: EndUser | None = None, now: datetime, until: datetime | None = None
) -> Enrollment:
    """Applied by hand at one moment, and everything done that is due until another."""
    enrollment = apply_by_hand(playbook=playbook, account=account, end_user=user, by="person:1", now=now)
    tick(now=until or now)
    enrollment.refresh_from_db()
    return enrollment


def enrolled(playbook: Playbook, account: Account) -> Enrollment:
    return Enrollment.objects.filter(playbook=playbook, account=account).latest("pk")


def days(n: float) -> timedelta:
    return timedelta(days=n)


def on(day: int, month: int = 11, year: int = 2026) -> date:
    return date(year, month, day)
