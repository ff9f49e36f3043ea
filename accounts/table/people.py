"""Columns and filters of people: they are listed once, however many accounts they belong to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.models import Account, AccountUser, EndUser
from accounts.rules.sql import Sql, compose
from accounts.table import cells
from accounts.table.built_in import EARLIEST, FIRST, LAST, LATEST, pattern_of
from accounts.table.columns import Around, Cells, Choice, Column, Facet, Sort, archived_facet
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Tenant

ROLES_SHOWN = 50
ACCOUNTS_SHOWN = 3
LONG = 90  # days after which nobody counts on somebody coming back by themselves
SEEN = (7, 30, LONG)


@dataclass(frozen=True, slots=True)
class Place:
    """An account somebody belongs to, and as what."""

    name: str
    role: str
    is_key_contact: bool
    address: str

    def __str__(self) -> str:
        return f"{self.name} ({self.role})" if self.role else self.name


def _places_cell(places: Sequence[Place], around: Around) -> SafeString:
    shown = format_html_join(", ", "{}", ((_linked(place),) for place in places[:ACCOUNTS_SHOWN]))
    rest = len(places) - ACCOUNTS_SHOWN
    return format_html('{} <small class="muted">+{}</small>', shown, rest) if rest > 0 else shown


def _linked(place: Place) -> SafeString:
    role = format_html(' <small class="muted">{}</small>', place.role) if place.role else ""
    key = _KEY_CONTACT if place.is_key_contact else ""
    return format_html('<a class="link" href="{}">{}</a>{}{}', place.address, place.name, role, key)


_KEY_CONTACT = mark_safe(' <span class="badge acc">Key contact</span>')

COLUMNS = (
    Column(
        "name",
        "User",
        cells.user,
        classes="first pin edge keep",
        sorts=(Sort("name", Sql("u.name"), str, FIRST, LAST, nullable=False),),
        loads=("name", "email", "external_id", "unsubscribed_at"),
    ),
    Column(
        "email",
        "Email",
        cells.text,
        sorts=(Sort("email", Sql("u.email"), str, FIRST, LAST),),
        loads=("email",),
        without="Not known",
    ),
    Column("accounts", "Accounts", _places_cell, classes="keep renewal", without="At no account"),
    Column(
        "last_seen",
        "Last seen",
        cells.ago,
        classes="keep muted",
        sorts=(Sort("last_seen", Sql("u.last_seen_at"), datetime, EARLIEST, LATEST, starts_descending=True),),
        loads=("last_seen_at",),
        shared=True,
    ),
)
DETAILS = (
    Column(
        "created",
        "User since",
        cells.day,
        classes="muted",
        sorts=(Sort("created", Sql("u.created_at"), datetime, EARLIEST, LATEST, nullable=False),),
        loads=("created_at",),
        shared=True,
    ),
    Column(
        "external_id",
        "External id",
        cells.text,
        sorts=(Sort("external_id", Sql("u.external_id"), str, FIRST, LAST, nullable=False),),
        loads=("external_id",),
        usual=False,
    ),
)
_FIELDS = {"email": "email", "last_seen": "last_seen_at", "created": "created_at", "external_id": "external_id"}


@dataclass(frozen=True, slots=True)
class People:
    """`today` is the workspace's date."""

    tenant: Tenant
    today: date

    def columns(self) -> Sequence[Column]:
        return (*COLUMNS, *DETAILS)

    def facets(self) -> Sequence[Facet]:
        return (
            Facet("role", "Role", "id-card", _roles, tied=True, find=_in_role, op="is"),
            Facet("seen", "Seen", "eye", self._seen),
            Facet("email", "Email", "mail", _addresses),
            Facet("key", "Key contact", "user", _key_contacts, tied=True),
            # Too many to be listed; the page of an account leads here.
            Facet("account", "Account", "building-2", tuple, listed=False, tied=True, find=_at_account, op="is"),
            archived_facet("u"),
        )

    def cells(self, columns: Sequence[Column], users: Sequence[EndUser], *, now: datetime, here: str) -> Cells:
        fields = [(column.key, _FIELDS[column.key]) for column in columns if column.key in _FIELDS]
        found: dict[tuple[int, str], Any] = {(user.pk, "name"): user for user in users}
        found |= {(user.pk, key): getattr(user, field) or None for key, field in fields for user in users}
        return found | self._places(users) if any(column.key == "accounts" for column in columns) else found

    def _places(self, users: Sequence[EndUser]) -> dict[tuple[int, str], tuple[Place, ...]]:
        """The accounts of each, those first whose key contact they are."""
        ties = AccountUser.objects.filter(end_user__in=users, account__archived_at=None)
        ties = ties.prefetch_related(Prefetch("account", Account.objects.only("tenant_id", "name")))
        accounts = reverse("accounts:list", args=[self.tenant.slug])
        found: dict[tuple[int, str], tuple[Place, ...]] = {}
        for tie in ties.order_by("end_user", "-is_key_contact", "pk"):
            place = Place(tie.account.name, tie.role or "", tie.is_key_contact, f"{accounts}{tie.account_id}/")
            found[tie.end_user_id, "accounts"] = (*found.get((tie.end_user_id, "accounts"), ()), place)
        return found

    def _seen(self) -> Iterator[Choice]:
        yield from (Choice(str(days), f"in {days} days", self._seen_within(days)) for days in SEEN)
        long = compose("(u.last_seen_at IS NULL OR u.last_seen_at < {then})", then=self._days_ago(LONG))
        yield Choice("long", f"not for {LONG} days", long)

    def _seen_within(self, days: int) -> Sql:
        return compose("u.last_seen_at >= {then}", then=self._days_ago(days))

    def _days_ago(self, days: int) -> Sql:
        day = self.today - timedelta(days=days)
        return Sql.value(datetime.combine(day, time.min, tzinfo=ZoneInfo(self.tenant.timezone)))


# --- filters ----------------------------------------------------------------------------------------------------------

# From one role to the next by the index: looking at every tie would be felt where there are millions.
_ROLES = """
WITH RECURSIVE found AS (
    (SELECT min(role) AS role, 1 AS n FROM accounts_accountuser WHERE tenant_id = %(tenant)s AND role > '')
    UNION ALL
    SELECT (
        SELECT min(t.role) FROM accounts_accountuser t WHERE t.tenant_id = %(tenant)s AND t.role > found.role
    ), n + 1
    FROM found WHERE role IS NOT NULL AND n < %(most)s
)
SELECT role FROM found WHERE role IS NOT NULL ORDER BY role
"""
_AT_ONE_ACCOUNT = """
EXISTS (
    SELECT FROM accounts_accountuser au JOIN accounts_account a ON a.tenant_id = au.tenant_id AND a.id = au.account_id
    WHERE au.tenant_id = {tenant} AND au.end_user_id = u.id AND a.archived_at IS NULL AND {all}
)
"""


def at_one_account(predicates: Sequence[Sql]) -> Sql:
    """The role at that account, not at another."""
    return compose(_AT_ONE_ACCOUNT, tenant=Sql.value(current_tenant_id()), all=Sql.join(" AND ", predicates))


def _roles() -> Iterator[Choice]:
    roles = fetch(_ROLES, {"tenant": current_tenant_id(), "most": ROLES_SHOWN})
    return (_in_role(role) for (role,) in roles)


def _in_role(role: str) -> Choice:
    return Choice(role, role, compose("au.role = {role}", role=Sql.value(role)))


def _addresses() -> Iterator[Choice]:
    yield Choice("yes", "known", Sql("u.email <> ''"))
    yield Choice("no", "not known", Sql("(u.email IS NULL OR u.email = '')"))


def _key_contacts() -> Iterator[Choice]:
    yield Choice("yes", "Yes", Sql("au.is_key_contact"))


def _at_account(text: str) -> Choice | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    account = Account.objects.present().filter(pk=number).first() if number else None
    return Choice(text, account.name, compose("au.account_id = {id}", id=Sql.value(account.pk))) if account else None


_BY_WORDS = "u.words ^@ lower({search}) OR u.words_from_2 ^@ lower({search}) OR u.email ^@ lower({search})"


def found(search: str, is_large: bool) -> Sql:
    """By a part of name or email (of many users, the beginning of first name, last name or email), or the whole id."""
    by_name = _BY_WORDS if is_large else "u.name ILIKE {pattern} OR u.email ILIKE {pattern}"
    return compose(
        f"({by_name} OR u.external_id = {{search}})", pattern=Sql.value(pattern_of(search)), search=Sql.value(search)
    )
