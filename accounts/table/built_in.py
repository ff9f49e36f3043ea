"""Columns and filters that every workspace has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.models import Account
from accounts.models.account import TRACKED
from accounts.rules.fields import LIFECYCLES
from accounts.rules.sql import Sql, compose
from accounts.table.columns import Cells, Choice, Column, Facet, Sort, Walk
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

RENEWAL_WINDOWS = (30, 90, 180)
MONTHS = 12  # of recurring revenue in a year
FIRST, LAST = "A to Z", "Z to A"
EARLIEST, LATEST = "Earliest first", "Latest first"
LEAST, MOST = "Lowest first", "Highest first"


_PEOPLE = "(SELECT m.id, m.name FROM tenancy_membership m WHERE m.tenant_id = {tenant}) p"


def _by_person(key: str) -> Sort:
    """From person to person by name, and from each to their accounts."""
    people, column = compose(_PEOPLE, tenant=Sql.value(current_tenant_id())), f"a.{key}_id"
    walk = Walk(people, absent=Sql(f"{column} IS NULL"), condition=Sql(f"{column} = p.id"), each=True)
    return Sort(key, Sql("p.name"), str, FIRST, LAST, walk=walk)


COLUMNS = (
    Column(
        "name",
        "Account",
        "accounts/cells/name.html",
        classes="first pin edge keep",
        sorts=(Sort("name", Sql("a.name"), str, FIRST, LAST, nullable=False),),
        loads=("name",),
    ),
    Column(
        "lifecycle",
        "Status",
        "accounts/cells/lifecycle.html",
        sorts=(Sort("lifecycle", Sql("a.lifecycle"), str, FIRST, LAST, nullable=False),),
        loads=("lifecycle",),
    ),
    Column(
        "health",
        "Health",
        "accounts/cells/health.html",
        classes="keep",
        sorts=(Sort("health", Sql("a.health"), float, LEAST, MOST),),
        loads=("health",),
    ),
    Column(
        "arr",
        "ARR",
        "accounts/cells/arr.html",
        classes="right",
        sorts=(Sort("arr", Sql("a.mrr_cents"), int, LEAST, MOST, starts_descending=True),),
        loads=("mrr_cents",),
    ),
    Column(
        "renewal_on",
        "Renewal",
        "accounts/cells/renewal.html",
        classes="keep renewal",
        sorts=(Sort("renewal_on", Sql("a.renewal_on"), date, EARLIEST, LATEST),),
        loads=("renewal_on", "lifecycle", "trial_end_on"),
    ),
)
# These stand after what upper layers add: looked up rather than worked on.
DETAILS = (
    Column(
        "last_seen_at",
        "Last seen",
        "accounts/cells/last_seen.html",
        classes="muted",
        sorts=(Sort("last_seen_at", Sql("a.last_seen_at"), datetime, EARLIEST, LATEST, starts_descending=True),),
        loads=("last_seen_at",),
    ),
    Column(
        "plan",
        "Plan",
        "accounts/cells/plan.html",
        sorts=(Sort("plan", Sql("a.plan"), str, FIRST, LAST),),
        loads=("plan",),
    ),
    Column(
        "user_count",
        "Users",
        "accounts/cells/users.html",
        classes="right",
        sorts=(Sort("user_count", Sql("a.user_count"), int, LEAST, MOST, starts_descending=True, nullable=False),),
        loads=("user_count",),
    ),
)
RARELY_SHOWN = (
    Column(
        "trial_end_on",
        "Trial end",
        "accounts/cells/trial_end.html",
        sorts=(Sort("trial_end_on", Sql("a.trial_end_on"), date, EARLIEST, LATEST),),
        loads=("trial_end_on",),
        usual=False,
    ),
    Column(
        "created_at",
        "Customer since",
        "accounts/cells/created.html",
        classes="muted",
        sorts=(Sort("created_at", Sql("a.created_at"), datetime, EARLIEST, LATEST, nullable=False),),
        loads=("created_at",),
        usual=False,
    ),
)


def _person(key: str, label: str, *, usual: bool) -> Column:
    return Column(key, label, f"accounts/cells/{key}.html", sorts=(_by_person(key),), loads=(key,), usual=usual)


class Details:
    """What stands at the end of the table."""

    def columns(self) -> Sequence[Column]:
        csm, ae = _person("csm", "CSM", usual=True), _person("ae", "AE", usual=False)
        return (csm, *DETAILS, ae, *RARELY_SHOWN)

    def facets(self) -> Sequence[Facet]:
        return ()

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        """Their templates read the account itself."""
        return {}


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """`me` is the person who looks, `today` the workspace's date."""

    me: Membership
    today: date

    def columns(self) -> Sequence[Column]:
        return COLUMNS

    def facets(self) -> Sequence[Facet]:
        return (self._status(), self._csm(), self._renewal())

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        """Only the year's revenue has to be worked out; the other templates read the account itself."""
        if not any(column.key == "arr" for column in columns):
            return {}
        return {(one.pk, "arr"): one.mrr_cents * MONTHS for one in accounts if one.mrr_cents is not None}

    def _status(self) -> Facet:
        choices = [Choice(key, label, _is("a.lifecycle", key)) for key, label in LIFECYCLES]
        tracked = tuple(choice.key for choice in choices if choice.key in TRACKED)
        return Facet("status", "Status", "circle-dot", tuple(choices), multiple=True, default=tracked)

    def _csm(self) -> Facet:
        people = Membership.objects.in_tenant(self.me.tenant_id).active().order_by("name", "pk")
        choices = [
            Choice("me", "Me", _is("a.csm_id", self.me.pk)),
            Choice("nobody", "Nobody", Sql("a.csm_id IS NULL")),
            *(Choice(str(pk), name, _is("a.csm_id", pk)) for pk, name in people.values_list("pk", "name")),
        ]
        return Facet("csm", "CSM", "user", tuple(choices))

    def _renewal(self) -> Facet:
        until = ((days, self.today + timedelta(days=days)) for days in RENEWAL_WINDOWS)
        choices = [
            Choice(str(days), f"within {days} days", _between("a.renewal_on", self.today, last)) for days, last in until
        ]
        overdue = Choice("past", "is past", compose("a.renewal_on < {today}", today=Sql.value(self.today)))
        return Facet("renews", "Renewal", "calendar-clock", (*choices, overdue))


def _is(column: str, value: object) -> Sql:
    return compose(f"{column} = {{value}}", value=Sql.value(value))


def _between(column: str, first: date, last: date) -> Sql:
    return compose(f"{column} BETWEEN {{first}} AND {{last}}", first=Sql.value(first), last=Sql.value(last))
