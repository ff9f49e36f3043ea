"""The workspaces chaos happens in: customers, and live playbooks that stack on each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account, AccountUser, EndUser, SendingPolicy, TraitDefinition
from cs_platform.chaos.channels import consent_of, member_of
from cs_platform.connectors import mailboxes
from cs_platform.connectors.managing import connect
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, User, WorkDue
from cs_platform.tenancy.roles import Role
from playbooks.versions import import_playbook, set_live

TRAIT = "stage"
TASKS = ({"title": "Call {{ account.name }}", "due_in_days": 2}, {"title": "Write down what they said"})


@dataclass(frozen=True, slots=True)
class Size:
    workspaces: int = 4
    accounts: int = 100  # of each workspace


def build(size: Size, *, hooks: str = "", seconds: float, now: datetime) -> list[Tenant]:
    """Each workspace's first evaluation falls due at another moment of the run. `hooks`: where calls go, if any do."""
    tenants = [_workspace(number, now) for number in range(size.workspaces)]
    for number, tenant in enumerate(tenants):
        with tenant_context(tenant.pk):
            _fill(tenant, size.accounts, now)
            if hooks:
                _connect(tenant, f"{hooks}/{tenant.slug}", now)
            for data in playbooks(external=bool(hooks)):
                set_live(import_playbook(data, by=None, now=now), by=None, now=now, expected_count=size.accounts)
        first_look = now + timedelta(seconds=seconds * 0.5 * number / size.workspaces)
        WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.EVALUATE, due_at=first_look)
    return tenants


def _workspace(number: int, now: datetime) -> Tenant:
    slug = f"chaos-{number + 1}"
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), evaluation_hour=0, created_at=now)
    user = User.objects.create_user(email=member_of(slug), password=None, name="Casey Moreno")
    Membership.objects.create(
        tenant=tenant, user=user, role=Role.ADMIN, name=user.name, email=user.email, joined_at=now
    )
    return tenant


def _fill(tenant: Tenant, accounts: int, now: datetime) -> None:
    # Mail may leave at once, whatever the hour and however much of it.
    SendingPolicy.objects.create(opens_at=0, closes_at=24, weekdays_only=False, mails_an_hour=10**6, hours_between=0)
    TraitDefinition.objects.create(scope="account", key=TRAIT, label="Stage", type="text", slot="t01")
    csm = tenant.memberships.get()
    known = {"csm": csm, "user_count": 1, "created_at": now, "updated_at": now}
    made = Account.objects.bulk_create(
        Account(external_id=f"a{n}", name=f"Customer {n}", plan=_plan(n), health=_health(n), **known)
        for n in range(accounts)
    )
    contacts = EndUser.objects.bulk_create(
        EndUser(
            external_id=f"u{n}", name=f"Contact {n}", email=f"u{n}@customer.example", created_at=now, updated_at=now
        )
        for n in range(accounts)
    )
    AccountUser.objects.bulk_create(
        AccountUser(account=account, end_user=contact, role="owner", is_key_contact=True)
        for account, contact in zip(made, contacts, strict=True)
    )


def _connect(tenant: Tenant, url: str, now: datetime) -> None:
    csm = tenant.memberships.get()
    for kind, at in (
        ("webhook", {"url": f"{url}/webhook"}),
        ("slack", {"secret": f"{url}/slack"}),
        ("segment", {"url": url, "secret": f"write-key-{tenant.slug}"}),
        ("intercom", {"url": url, "secret": f"token-{tenant.slug}"}),
    ):
        connect(kind=kind, key=kind, name=kind.title(), by=csm, now=now, **at)
    say_yes_at_google(tenant, now)


def say_yes_at_google(tenant: Tenant, now: datetime) -> None:
    """Whoever writes to the customers connects the own mailbox, for the first time or once more."""
    mailboxes.begin(tenant.memberships.get(), code=consent_of(tenant.slug), verifier="of no interest here", now=now)


def _plan(n: int) -> str:
    return "Basic" if n % 3 == 0 else "Pro"


def _health(n: int) -> float:
    return float(n % 10)


def expected(accounts: int, *, external: bool) -> Iterator[tuple[str, str]]:
    """(playbook, account) pairs that the rules below must have enrolled."""
    for n in range(accounts):
        if external and _plan(n) == "Basic":
            yield "signals", f"a{n}"
        if _plan(n) == "Pro":
            yield "rescue", f"a{n}"
            yield "letters", f"a{n}"
        if _health(n) < 7:
            yield "renewal", f"a{n}"


def playbooks(*, external: bool) -> list[dict[str, Any]]:
    pro = {"field": "plan", "op": "is", "value": "Pro"}
    letters = [_mail("hello", 1), _mail("reviewed", 2, review_hours=24), _risk("quiet", 3, "Silent")]
    more = [_mail("third", 3), _mail("fourth", 4, review_hours=24), _mail("fifth", 5)]
    return [
        _playbook("rescue", pro, [*_rescue(), _mail("news", 3)]),
        _playbook("renewal", {"field": "health", "op": "less", "value": 7}, _renewal()),
        _playbook("letters", pro, letters + (more if external else [])),
        *([_playbook("signals", {"field": "plan", "op": "is", "value": "Basic"}, _signals())] if external else []),
    ]


def _signals() -> list[dict[str, Any]]:
    """By what each says, the judge knows whom it is about."""
    return [
        _call("hook", 1, "call_webhook", "webhook", event="signal"),
        _call("post", 2, "post_to_slack", "slack", text="{{ account.name }}"),
        _call("track", 2, "segment_track", "segment", event="Signal"),
        _call("hook-again", 4, "call_webhook", "webhook", event="signal-again"),
        _mail("gmail", 1, channel="gmail", subject="By Gmail to {{ account.name }}"),
        _mail("intercom", 2, channel="intercom", connector="intercom", subject="By Intercom to {{ account.name }}"),
        _mail("gmail-again", 3, review_hours=24, channel="gmail", subject="Again to {{ account.name }}"),
    ]


def _rescue() -> list[dict[str, Any]]:
    return [_risk("risk", 1, "Silent"), _set("begin", 1, "Rescue"), _cta("cta", 2), _set("end", 4, "Rescued")]


def _renewal() -> list[dict[str, Any]]:
    return [
        _set("begin", 1, "Renewal"),
        _risk("chance", 2, "Renewal is near"),
        _cta("cta", 3),
        _set("end", 3, "Signed"),
    ]


def _playbook(key: str, rule: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    again = {"policy": "once_ever"}
    return {"key": key, "name": key.title(), "rules": {"account": rule}, "reenrollment": again, "steps": steps}


def _risk(key: str, day: int, title: str) -> dict[str, Any]:
    return {"key": key, "day": day, "action": "create_indicator", "config": {"kind": "risk", "title": title}}


def _set(key: str, day: int, value: str) -> dict[str, Any]:
    config = {"trait": TRAIT, "mode": "set", "value": value, "on_stop": "restore"}
    return {"key": key, "day": day, "action": "update_trait", "config": config}


def _cta(key: str, day: int) -> dict[str, Any]:
    config = {
        "name": "Save {{ account.name }}",
        "type": "risk",
        "priority": "high",
        "owner": "csm",
        "duplicates": "allow",
        "tasks": list(TASKS),
    }
    return {"key": key, "day": day, "action": "create_cta", "config": config}


def _call(key: str, day: int, action: str, connector: str, **config: Any) -> dict[str, Any]:
    return {"key": key, "day": day, "action": action, "config": {"connector": connector, **config}}


def _mail(
    key: str, day: int, *, review_hours: int = 0, subject: str = "News for {{ account.name }}", **by: str
) -> dict[str, Any]:
    body = 'Hello {{ user.first_name | default: "there" }},\n\nhow are you?\n\n{{ sender.first_name }}'
    config = {"sender": "csm", "subject": subject, "body": body, "review_hours": review_hours, **by}
    return {"key": key, "day": day, "action": "start_conversation", "config": config}
