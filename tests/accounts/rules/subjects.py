"""A workspace full of corner cases, and what the reference should know of it.

Every trait type stands once in a slot and once in jsonb alone; every value is missing, null, empty or odd somewhere.
"""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import (
    Account,
    AccountUser,
    EndUser,
    EventCount,
    EventType,
    HealthReading,
    HealthScore,
    Indicator,
    NpsResponse,
    Segment,
    SegmentMembership,
)
from accounts.nps.fields import NpsFields
from accounts.rules.fields import FieldSet, FieldSource
from accounts.rules.health import HealthFields
from accounts.rules.segments import SegmentFields
from accounts.rules.sources import EventFields, IndicatorFields
from accounts.rules.sql import Clock
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, User

from .reference import Day, Facts

# On 6 September 2026 Chile has no midnight: its day begins at 01:00, which is 04:00 UTC.
ZONE = ZoneInfo("America/Santiago")
NOW = datetime(2026, 9, 6, 15, 30, tzinfo=UTC)
CLOCK = Clock.at(NOW, ZONE)
TODAY = CLOCK.today
DAY = Day(TODAY, ZONE)

ODD_TEXTS = [
    "Pro",
    "pro",
    "PRO plan",
    "100%",
    "a_b",
    "back\\slash",
    "it's",
    "Ünïcode ŠĐ",
    "İstanbul",
    "straße",
    " ",
    "x" * 900,
]
TEXTS = [None, "", *ODD_TEXTS]
NUMBERS = [None, 0, -0.5, 1, 2.5, 3, 1e15, -1e15, 9.007199254740993e15, 5e-324, 1.7e308]
CENTS = [None, 0, -1, 1, 250, 120_000, 2**62, -(2**62)]
DATES = [None, date(1, 1, 1), date(2024, 2, 29), date(2028, 2, 29), date(9999, 12, 31)] + [
    TODAY + timedelta(days=days) for days in (-31, -30, -3, -2, -1, 0, 1, 2, 3, 30, 31)
]
MOMENTS = [None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 4, 5, 3, 30, tzinfo=UTC)] + [
    datetime(2026, 9, 6, 4, tzinfo=UTC) + timedelta(days=days, seconds=seconds)
    for days, seconds in itertools.product((-3, -1, 0, 1, 3), (-3601, -3600, -1, 0, 1))
]
LISTS = [None, [], ["a"], ["a", "b"], ["b", "c", "c"], ["A"], ["%", "é", "a b"], [""]]
BOOLEANS = [None, True, False]
POOLS: dict[str, list[Any]] = {
    "text": TEXTS,
    "url": [None, "", "https://example.org/?q=1%20", "HTTPS://EXAMPLE.ORG/"],
    "choice": [None, "red", "Red", "dark blue"],
    "number": NUMBERS,
    "currency": CENTS,
    "person": [None, 1, 2, 2**62],
    "boolean": BOOLEANS,
    "date": DATES,
    "moment": MOMENTS,
    "list": LISTS,
}
# What stands in jsonb after a trait changed its type, or was written by other hands: counts as not set.
WRONG: dict[str, list[Any]] = {
    "text": [None],
    "url": [None],
    "choice": [None],
    "number": ["3", True, None, 10**400],
    "currency": [2.5, "1", 10**30],
    "person": ["x", 10**30],
    "boolean": ["true", 1, None],
    "date": ["soon", "2026-02-30", "infinity", "2026-01-01x", 5, None],
    "moment": ["2026-13-01T00:00:00Z", "aaaaaaaaaaaaaaaaaaaa", 5],
    "list": ["a", {"a": 1}, None],
}
SLOTS = {
    "text": "t01",
    "url": "t02",
    "choice": "t03",
    "number": "n01",
    "currency": "m01",
    "person": "m02",
    "boolean": "b01",
    "date": "d01",
    "moment": "s01",
    "list": "l01",
}
EVENTS = ["Report Created", "100% done"]
TITLES = ["Low adoption", "Can't pay"]
SEGMENTS = [(scope, name) for scope in ("account", "user") for name in ("VIP", "100% ours", "Empty")]


@dataclass
class Workspace:
    tenant_id: int
    fields: FieldSet
    accounts: dict[int, Facts] = field(default_factory=dict)
    gates: dict[int, tuple[str, bool]] = field(default_factory=dict)  # lifecycle, archived
    ties: dict[tuple[int, int], Facts] = field(default_factory=dict)
    archived_users: set[int] = field(default_factory=set)

    def people(self, account_id: int) -> Iterator[Facts]:
        return (
            facts for (at, user), facts in self.ties.items() if at == account_id and user not in self.archived_users
        )


def definitions() -> list[SimpleNamespace]:
    made = []
    for scope, type in itertools.product(("account", "user"), SLOTS):
        choices = ["red", "Red", "dark blue"] if type == "choice" else []
        for key, slot in ((f"{type}_slot", SLOTS[type]), (f"{type} json 100%", None)):
            made.append(
                SimpleNamespace(
                    scope=scope, key=key, label=key.capitalize(), type=type, slot=slot, column="", choices=choices
                )
            )
    fed = SimpleNamespace(scope="account", key="Tier", label="Tier", type="text", slot=None, column="plan", choices=[])
    return [*made, fed]


def stored(type: str, value: Any) -> Any:
    """The canonical JSON of a trait value."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value


class Builder:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cycles = {type: itertools.cycle(pool) for type, pool in POOLS.items()}

    def workspace(self, slug: str, *, accounts: int, users: int) -> Workspace:
        tenant = Tenant.objects.create(slug=slug, name=slug, timezone=str(ZONE), created_at=NOW)
        members = [self._member(tenant, slug, at) for at in range(2)]
        with tenant_context(tenant.pk):
            types = EventType.objects.bulk_create(EventType(tenant=tenant, name=name) for name in EVENTS)
            sources: list[FieldSource] = [
                EventFields(tuple((type.pk, type.name) for type in types)),
                IndicatorFields(tuple(TITLES)),
                SegmentFields([(one.pk, one.name, one.scope, False) for one in self._segments(tenant)]),
                HealthFields([(self._score(tenant).pk, "Usage", False)]),
                NpsFields(),
            ]
            made = Workspace(tenant.pk, FieldSet.of(definitions(), sources))
            self._fill(made, members, types, accounts, users)
        return made

    def _member(self, tenant: Tenant, slug: str, at: int) -> Membership:
        email = f"{slug}{at}@example.org"
        user = User.objects.create(email=email, password="!")
        return Membership.objects.create(
            tenant=tenant, user=user, role="csm", name=f"Member {at}", email=email, joined_at=NOW
        )

    def _segments(self, tenant: Tenant) -> list[Segment]:
        return Segment.objects.bulk_create(
            Segment(tenant=tenant, scope=scope, name=name, created_at=NOW) for scope, name in SEGMENTS
        )

    def _score(self, tenant: Tenant) -> HealthScore:
        return HealthScore.objects.create(tenant=tenant, name="Usage", created_at=NOW)

    def _traits(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Slot columns, the jsonb document, and what the reference sees."""
        columns, document, seen = {}, {}, {}
        for type, slot in SLOTS.items():
            value = columns[slot] = next(self.cycles[type])
            seen[f"trait:{type}_slot"] = value
            other = self.random.choice(POOLS[type])
            seen[f"trait:{type} json 100%"] = other
            if other is not None:
                document[f"{type} json 100%"] = stored(type, other)
            elif self.random.random() < 0.5:
                document[f"{type} json 100%"] = self.random.choice(WRONG[type])
        return columns, document, seen

    def _fill(
        self, made: Workspace, members: list[Membership], types: list[EventType], accounts: int, users: int
    ) -> None:
        account_ids = [self._account(made, members, at) for at in range(accounts)]
        user_facts = dict(self._user(made, at) for at in range(users))
        tenant, pick = made.tenant_id, self.random
        ties = [
            (account, user) for user in user_facts for account in pick.sample(account_ids, pick.choice([0, 1, 1, 2]))
        ]
        for account, user in ties:
            self._tie(made, account, user, user_facts[user])
        self._events(made, types, account_ids, list(user_facts))
        for account in account_ids:
            for title in pick.sample(TITLES, pick.choice([0, 0, 1, 2])):
                self._indicator(made, account, title)
        self._answers(made, account_ids, list(user_facts))
        assert EventCount.objects.filter(tenant_id=tenant).exists()

    def _account(self, made: Workspace, members: list[Membership], at: int) -> int:
        pick = self.random.choice
        columns, document, seen = self._traits()
        csm, ae = pick([None, *members]), pick([None, *members])
        built_in: dict[str, Any] = {
            "name": pick(ODD_TEXTS),
            "external_id": f"acme-{at}",
            "plan": pick(TEXTS),
            "lifecycle": pick(["subscribed", "subscribed", "trialing", "churned", "ignored"]),
            "renewal_on": pick(DATES),
            "trial_end_on": pick(DATES),
            "known_cause_until": pick(DATES),
            "created_at": pick(MOMENTS[1:]),
            "health": pick([None, 0.0, 49.5, 100.0]),
            "last_seen_at": pick(MOMENTS),
            "user_count": pick([0, 1, 3]),
        }
        mrr, archived = pick(CENTS), pick([None, None, None, None, NOW])
        account = Account.objects.create(
            tenant_id=made.tenant_id, **built_in, mrr_cents=mrr, csm=csm, ae=ae, archived_at=archived, updated_at=NOW,
            traits=document, **columns,
        )  # fmt: skip
        people = {"csm": csm and csm.pk, "ae": ae and ae.pk}
        made.accounts[account.pk] = Facts(
            {**built_in, **people, "mrr": mrr, "trait:Tier": built_in["plan"], **seen}, {}
        )
        self._join(made.accounts[account.pk], "account", account_id=account.pk)
        self._read_health(made.accounts[account.pk], account.pk)
        made.gates[account.pk] = (built_in["lifecycle"], archived is not None)
        return account.pk

    def _user(self, made: Workspace, at: int) -> tuple[int, dict[str, Any]]:
        pick = self.random.choice
        columns, document, seen = self._traits()
        built_in = {"name": pick(["", *ODD_TEXTS]), "email": pick(TEXTS), "created_at": pick(MOMENTS[1:])}
        archived = pick([None] * 6 + [NOW])
        user = EndUser.objects.create(
            tenant_id=made.tenant_id, external_id=f"u-{at}", **built_in, archived_at=archived, updated_at=NOW,
            traits=document, **columns,
        )  # fmt: skip
        if archived:
            made.archived_users.add(user.pk)
        facts = Facts({**built_in, **seen})
        self._join(facts, "user", end_user_id=user.pk)
        return user.pk, dict(facts.values)

    def _join(self, facts: Facts, scope: str, **subject: int) -> None:
        """In some of the segments now, in others once."""
        known = list(Segment.objects.filter(scope=scope).exclude(name="Empty").order_by("pk"))
        chosen, was_in = self.random.sample(known, self.random.choice([0, 1, 2])), self.random.choice([*known, None])
        for segment, left_at in [*((one, None) for one in chosen), *([(was_in, NOW)] if was_in else [])]:
            SegmentMembership.objects.create(segment=segment, entered_at=MOMENTS[1], left_at=left_at, **subject)
        facts.values["segments"] = [str(one.pk) for one in chosen]  # type: ignore[index]

    def _read_health(self, facts: Facts, account_id: int) -> None:
        score, value = HealthScore.objects.get(), self.random.choice([None, 0.0, 5.0, 49.5])
        for at, (read, is_current) in enumerate([(7.5, False), (value, True)]):
            HealthReading.objects.create(
                account_id=account_id, score=score, on=TODAY + timedelta(days=at), value=read, is_current=is_current
            )
        facts.values[f"health:{score.pk}"] = value  # type: ignore[index]

    def _tie(self, made: Workspace, account: int, user: int, facts: dict[str, Any]) -> None:
        pick = self.random.choice
        own = {
            "role": pick(["admin", "owner", None, ""]),
            "last_seen_at": pick(MOMENTS),
            "is_key_contact": pick([True, False]),
        }
        AccountUser.objects.create(tenant_id=made.tenant_id, account_id=account, end_user_id=user, **own)
        made.ties[account, user] = Facts({**facts, **own}, {})

    def _events(self, made: Workspace, types: list[EventType], accounts: list[int], users: list[int]) -> None:
        pick = self.random.choice
        by_account: dict[tuple[int | None, str], list[tuple[date, int]]] = defaultdict(list)
        by_user: dict[tuple[int | None, str], list[tuple[date, int]]] = defaultdict(list)
        seen, rows = set(), []
        for _ in range(3 * len(accounts)):
            type, day = pick(types), TODAY + timedelta(days=pick([-60, -31, -30, -29, -3, -2, -1, 0, 1]))
            account, user, count = pick([None, *accounts]), pick([None, *users]), pick([1, 2, 50])
            if (type.pk, day, account, user) in seen:
                continue
            seen.add((type.pk, day, account, user))
            rows.append(
                EventCount(
                    tenant_id=made.tenant_id, event_type=type, day=day, account_id=account, end_user_id=user,
                    count=count, last_at=NOW,
                )
            )  # fmt: skip
            by_account[account, type.name].append((day, count))
            by_user[user, type.name].append((day, count))
        EventCount.objects.bulk_create(rows)
        for account, facts in made.accounts.items():
            facts.events.update({name: by_account[account, name] for name in EVENTS})  # type: ignore[attr-defined]
        for (_, user), facts in made.ties.items():
            facts.events.update({name: by_user[user, name] for name in EVENTS})  # type: ignore[attr-defined]

    def _indicator(self, made: Workspace, account: int, title: str) -> None:
        state = self.random.choice(["active", "addressed", "ended"])
        Indicator.objects.create(
            tenant_id=made.tenant_id, account_id=account, kind="risk", title=title, state=state, raised_at=NOW,
            raised_by="person:1",
        )  # fmt: skip
        if state == "active":
            facts = made.accounts[account]
            made.accounts[account] = Facts(facts.values, facts.events, facts.indicators | {title})

    def _answers(self, made: Workspace, accounts: list[int], users: list[int]) -> None:
        """Some of the same moment: then the one that came in later counts."""
        pick, moments = self.random.choice, MOMENTS[1:]
        rows = [
            (pick(users), pick([None, *accounts[::2]]), pick(range(11)), pick(moments)) for _ in range(3 * len(users))
        ]
        for user, account, score, moment in rows:
            NpsResponse.objects.create(
                tenant_id=made.tenant_id, end_user_id=user, account_id=account, score=score, answered_at=moment,
                source="survey",
            )  # fmt: skip
        rows.sort(key=lambda row: row[3])
        for (_, user), facts in made.ties.items():
            mine = [row for row in rows if row[0] == user]
            score, at = (mine[-1][2], mine[-1][3]) if mine else (None, None)
            facts.values.update({"nps_score": score, "nps_answered_at": at})  # type: ignore[attr-defined]
        for account, facts in made.accounts.items():
            here = [row for row in rows if row[1] == account]
            last = {user: score for user, _, score, _ in here}
            at = here[-1][3] if here else None
            facts.values.update({"nps": _net(list(last.values())), "nps_answered_at": at})  # type: ignore[attr-defined]


def _net(scores: list[int]) -> float | None:
    """Promoters less detractors in per cent, halves away from zero."""
    if not scores:
        return None
    net = Fraction(100 * (sum(score > 8 for score in scores) - sum(score < 7 for score in scores)), len(scores))
    return float(floor(abs(net) + Fraction(1, 2)) * (1 if net > 0 else -1))
