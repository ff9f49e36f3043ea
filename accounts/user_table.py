"""The users table: who the people at the accounts are, narrowed and ordered as the address says, by keyset."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import QueryDict

from accounts.models import Account, AccountUser, EndUser, TraitDefinition
from accounts.rules.compile import Audience, matching_users
from accounts.rules.grammar import Rule
from accounts.rules.sql import Clock
from accounts.trait_values import TraitValue, presented
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

PAGE_SIZE = 50
COUNT_LIMIT = 1_000
SEARCH_LIMIT = 100
ROLES_SHOWN = 50
TIES_SHOWN = 3
PASSING = ("after", *settings.DRAWERS)
SORTS: Mapping[str, str] = {
    "name": "name",
    "email": "email",
    "last_seen": "last_seen_at",
    "created": "created_at",
}
DEFAULT_SORT = "-last_seen"
SEEN: Mapping[str, str] = {"7": "in 7 days", "30": "in 30 days", "90": "in 90 days", "long": "not for 90 days"}
BUILT_IN: Mapping[str, str] = {
    "email": "Email",
    "accounts": "Accounts",
    "last_seen": "Last seen",
    "created": "User since",
}
_MOMENTS = ("last_seen_at", "created_at")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; words that mean nothing ask for nothing in particular."""

    params: QueryDict
    search: str
    account: Account | None
    role: str
    seen: str
    email: str
    key: bool
    sort: str
    descending: bool
    columns: Sequence[tuple[str, str]]
    rule: Rule | None = None

    @classmethod
    def of(cls, params: QueryDict, *, rule: Rule | None = None) -> "Asked":
        sort = params.get("sort", DEFAULT_SORT)
        known = sort.removeprefix("-") in SORTS
        return cls(
            params=params,
            search=" ".join(_plain(params, "q").split())[:SEARCH_LIMIT],
            account=_account(params.get("account", "")),
            role=_plain(params, "role")[:SEARCH_LIMIT],
            seen=params.get("seen", "") if params.get("seen") in SEEN else "",
            email=params.get("email", "") if params.get("email") in ("yes", "no") else "",
            key=params.get("key") == "yes",
            sort=sort.removeprefix("-") if known else DEFAULT_SORT.removeprefix("-"),
            descending=(sort if known else DEFAULT_SORT).startswith("-"),
            columns=_chosen_columns(params.getlist("column")),
            rule=rule,
        )

    @property
    def is_filtered(self) -> bool:
        return any((self.search, self.account, self.role, self.seen, self.email, self.key, self.rule))

    def address(self, **changes: Any) -> str:
        params = self.params.copy()
        for name in PASSING:
            params.pop(name, None)
        for name, value in changes.items():
            params.setlist(name, [] if value is None else [str(value)])
        return f"?{params.urlencode()}"

    def kept(self, *own: str) -> Iterator[tuple[str, str]]:
        """Parameters a form must carry along: all but those it brings."""
        for name, values in self.params.lists():
            if name not in (*PASSING, *own):
                yield from ((name, value) for value in values)


def _plain(params: QueryDict, name: str) -> str:
    return params.get(name, "").replace("\x00", "")


def _account(text: str) -> Account | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    return Account.objects.present().filter(pk=number).first() if number else None


def offered_columns() -> list[tuple[str, str]]:
    traits = TraitDefinition.objects.filter(scope=TraitDefinition.Scope.USER, archived_at=None, column="")
    labels = traits.order_by("label", "pk").values_list("key", "label")[:200]
    return [*BUILT_IN.items(), *((f"trait:{key}", label) for key, label in labels)]


def _chosen_columns(asked: Sequence[str]) -> list[tuple[str, str]]:
    return [one for one in offered_columns() if one[0] in asked] if asked else list(BUILT_IN.items())


def offered_roles() -> list[str]:
    roles = AccountUser.objects.exclude(role=None).order_by("role").values_list("role", flat=True)
    return [role for role in roles.distinct()[:ROLES_SHOWN] if role]


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    user: EndUser
    ties: Sequence[AccountUser]
    more_ties: int
    traits: Mapping[str, TraitValue | None]


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row]
    next: str


def matching(asked: Asked, *, clock: Clock) -> QuerySet[EndUser]:
    users: QuerySet[EndUser] = EndUser.objects.filter(archived_at=None)
    if asked.search:
        named = Q(name__icontains=asked.search) | Q(email__icontains=asked.search) | Q(external_id=asked.search)
        users = users.filter(named)
    if asked.seen:
        users = users.filter(_seen(asked.seen, clock.now))
    if asked.email:
        without = Q(email=None) | Q(email="")
        users = users.filter(without if asked.email == "no" else ~without)
    users = _at_accounts(users, asked)
    return _by_rule(users, asked.rule, clock) if asked.rule else users


def _seen(choice: str, now: datetime) -> Q:
    if choice == "long":
        return Q(last_seen_at=None) | Q(last_seen_at__lt=now - timedelta(days=90))
    return Q(last_seen_at__gte=now - timedelta(days=int(choice)))


def _at_accounts(users: QuerySet[EndUser], asked: Asked) -> QuerySet[EndUser]:
    """One tie must hold all of it: the role at that account, not at another."""
    ties = AccountUser.objects.filter(account__archived_at=None)
    if asked.account:
        ties = ties.filter(account=asked.account)
    if asked.role:
        ties = ties.filter(role=asked.role)
    if asked.key:
        ties = ties.filter(is_key_contact=True)
    if not (asked.account or asked.role or asked.key):
        return users
    return users.filter(pk__in=ties.values("end_user_id"))


def _by_rule(users: QuerySet[EndUser], rule: Rule, clock: Clock) -> QuerySet[EndUser]:
    ties = matching_users(Audience(user=rule, lifecycles=None), tenant_id=current_tenant_id(), clock=clock)
    return users.filter(pk__in=RawSQL(f"SELECT t.end_user_id FROM ({ties.text}) t", ties.params))


def load_page(asked: Asked, *, clock: Clock) -> Page:
    column = SORTS[asked.sort]
    found: list[EndUser] = []
    for part in _parts(matching(asked, clock=clock), asked, column):
        if len(found) <= PAGE_SIZE:
            found += part[: PAGE_SIZE + 1 - len(found)]
    shown = found[:PAGE_SIZE]
    after = _cursor(getattr(shown[-1], column), shown[-1].pk) if len(found) > PAGE_SIZE else ""
    return Page(_rows(shown, asked), after)


def _parts(users: QuerySet[EndUser], asked: Asked, column: str) -> Iterator[QuerySet[EndUser]]:
    """Those with a value, then those without, which come last in both directions."""
    sign = "lt" if asked.descending else "gt"
    order = [f"-{column}", "-pk"] if asked.descending else [column, "pk"]
    place = _read_cursor(asked.params.get("after", ""), column)
    valued, blank = users.filter(**{f"{column}__isnull": False}), users.filter(**{f"{column}__isnull": True})
    if place is None or place[0] is not None:
        if place:
            beyond = Q(**{f"{column}__{sign}": place[0]}) | Q(**{column: place[0], f"pk__{sign}": place[1]})
            valued = valued.filter(beyond)
        yield valued.order_by(*order)
    elif place:
        blank = blank.filter(**{f"pk__{sign}": place[1]})
    yield blank.order_by("-pk" if asked.descending else "pk")


def _cursor(value: Any, pk: int) -> str:
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([text, pk]).encode()).decode().rstrip("=")


def _read_cursor(text: str, column: str) -> tuple[Any, int] | None:
    """None for anything that is no place of this order: the list then starts at its beginning."""
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if value is not None and (not isinstance(value, str) or "\x00" in value):
            return None
        typed = datetime.fromisoformat(value) if value is not None and column in _MOMENTS else value
        if isinstance(typed, datetime) and typed.tzinfo is None:
            return None
        return (typed, pk) if isinstance(pk, int) and not isinstance(pk, bool) and 0 <= pk < 2**63 else None
    except (ValueError, TypeError, binascii.Error):
        return None


def _rows(users: Sequence[EndUser], asked: Asked) -> list[Row]:
    ties = _ties(users)
    keys = [key.removeprefix("trait:") for key, _ in asked.columns if key.startswith("trait:")]
    definitions = list(TraitDefinition.objects.filter(scope=TraitDefinition.Scope.USER, key__in=keys)) if keys else []
    people = _people(users, definitions)
    return [
        Row(
            user,
            ties.get(user.pk, [])[:TIES_SHOWN],
            max(len(ties.get(user.pk, [])) - TIES_SHOWN, 0),
            {f"trait:{one.key}": presented(one, user.traits.get(one.key), people=people) for one in definitions},
        )
        for user in users
    ]


def _ties(users: Sequence[EndUser]) -> dict[int, list[AccountUser]]:
    found: dict[int, list[AccountUser]] = {}
    present = AccountUser.objects.filter(end_user__in=[user.pk for user in users], account__archived_at=None)
    accounts = Prefetch("account", Account.objects.only("tenant_id", "name"))
    for tie in present.prefetch_related(accounts).order_by("end_user", "-is_key_contact", "pk"):
        found.setdefault(tie.end_user_id, []).append(tie)
    return found


def _people(users: Sequence[EndUser], definitions: Sequence[TraitDefinition]) -> dict[int, str]:
    keys = [one.key for one in definitions if one.type == "person"]
    ids = {user.traits.get(key) for user in users for key in keys} - {None}
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=ids) if ids else ()
    return {member.pk: member.name for member in members}


@dataclass(frozen=True, slots=True)
class Count:
    count: int
    capped: bool


def count_matching(asked: Asked, *, clock: Clock) -> Count:
    count = matching(asked, clock=clock).order_by()[: COUNT_LIMIT + 1].count()
    return Count(min(count, COUNT_LIMIT), count > COUNT_LIMIT)
