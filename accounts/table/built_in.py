"""Columns and filters that every workspace has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from accounts.health.reading import COMPARED_DAYS, healths_on
from accounts.models import Account
from accounts.models.account import TRACKED, Lifecycle
from accounts.rules.fields import LIFECYCLES
from accounts.rules.sql import Sql, compose
from accounts.table import cells
from accounts.table.cells import Scored
from accounts.table.columns import Cells, Choice, Column, Facet, Sort, Walk, archived_facet
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

RENEWAL_WINDOWS = (30, 90, 180)
FIRST, LAST = "A to Z", "Z to A"
EARLIEST, LATEST = "Earliest first", "Latest first"
LEAST, MOST = "Lowest first", "Highest first"


_PEOPLE = "(SELECT m.id, m.name FROM tenancy_membership m WHERE m.tenant_id = {tenant}) p"


def _from_person_to_person(key: str) -> Walk:
    """By name, and from each to their accounts."""
    people, column = compose(_PEOPLE, tenant=Sql.value(current_tenant_id())), f"a.{key}_id"
    return Walk(people, absent=Sql(f"{column} IS NULL"), condition=Sql(f"{column} = p.id"), each=True)


COLUMNS = (
    Column(
        "name",
        "Account",
        cells.account,
        classes="first pin edge keep",
        sorts=(Sort("name", Sql("a.name"), str, FIRST, LAST, nullable=False),),
        loads=("name",),
    ),
    Column(
        "lifecycle",
        "Status",
        cells.lifecycle,
        sorts=(Sort("lifecycle", Sql("a.lifecycle"), str, FIRST, LAST, nullable=False),),
        loads=("lifecycle",),
        shared=True,
    ),
    Column(
        "health",
        "Health",
        cells.health,
        classes="keep",
        without="No score",
        sorts=(Sort("health", Sql("a.health"), float, LEAST, MOST),),
        loads=("health",),
        shared=True,
    ),
    Column(
        "arr",
        "ARR",
        cells.money,
        classes="right",
        sorts=(Sort("arr", Sql("a.mrr_cents"), int, LEAST, MOST, starts_descending=True),),
        loads=("mrr_cents",),
        without="Not known",
        shared=True,
    ),
    Column(
        "renewal_on",
        "Renewal",
        cells.renewal,
        classes="keep renewal",
        sorts=(Sort("renewal_on", Sql("a.renewal_on"), date, EARLIEST, LATEST),),
        loads=("renewal_on",),
        without="Not known",
        shared=True,
    ),
)


def _person(key: str, label: str, *, usual: bool) -> Column:
    return Column(
        key,
        label,
        cells.person,
        sorts=(Sort(key, Sql("p.name"), str, FIRST, LAST, walk=partial(_from_person_to_person, key)),),
        loads=(key,),
        usual=usual,
        without="Nobody",
        shared=True,
    )


# These stand after what upper layers add: looked up rather than worked on.
DETAILS = (
    _person("csm", "CSM", usual=True),
    Column(
        "last_seen_at",
        "Last seen",
        cells.ago,
        classes="muted",
        sorts=(Sort("last_seen_at", Sql("a.last_seen_at"), datetime, EARLIEST, LATEST, starts_descending=True),),
        loads=("last_seen_at",),
        shared=True,
    ),
    Column(
        "plan",
        "Plan",
        cells.text,
        sorts=(Sort("plan", Sql("a.plan"), str, FIRST, LAST),),
        loads=("plan",),
        without="Not known",
        shared=True,
    ),
    Column(
        "user_count",
        "Users",
        cells.number,
        classes="right",
        sorts=(Sort("user_count", Sql("a.user_count"), int, LEAST, MOST, starts_descending=True, nullable=False),),
        loads=("user_count",),
        shared=True,
    ),
)
RARELY_SHOWN = (
    _person("ae", "AE", usual=False),
    Column(
        "external_id",
        "External id",
        cells.text,
        sorts=(Sort("external_id", Sql("a.external_id"), str, FIRST, LAST, nullable=False),),
        loads=("external_id",),
        usual=False,
    ),
    Column(
        "known_cause_until",
        "Known cause until",
        cells.day,
        sorts=(Sort("known_cause_until", Sql("a.known_cause_until"), date, EARLIEST, LATEST),),
        loads=("known_cause_until",),
        usual=False,
        without="No known cause",
        shared=True,
    ),
    Column(
        "trial_end_on",
        "Trial end",
        cells.day,
        sorts=(Sort("trial_end_on", Sql("a.trial_end_on"), date, EARLIEST, LATEST),),
        loads=("trial_end_on",),
        usual=False,
        without="No trial",
        shared=True,
    ),
    Column(
        "known_cause",
        "Known cause",
        cells.known_cause,
        classes="muted",
        loads=("known_cause", "known_cause_until"),
        usual=False,
        without="None",
        shared=True,
    ),
    Column(
        "created_at",
        "Customer since",
        cells.day,
        classes="muted",
        sorts=(Sort("created_at", Sql("a.created_at"), datetime, EARLIEST, LATEST, nullable=False),),
        loads=("created_at",),
        usual=False,
        shared=True,
    ),
)


_VALUES: dict[str, Callable[[Account], Any]] = {
    "name": lambda account: account,
    "lifecycle": lambda account: Lifecycle(account.lifecycle),
    "arr": lambda account: account.arr_cents,
    "renewal_on": lambda account: account.renewal_on,
    "csm": lambda account: account.csm and account.csm.name,
    "ae": lambda account: account.ae and account.ae.name,
    "last_seen_at": lambda account: account.last_seen_at,
    "plan": lambda account: account.plan,
    "user_count": lambda account: account.user_count,
    "external_id": lambda account: account.external_id,
    "known_cause_until": lambda account: account.known_cause_until,
    "trial_end_on": lambda account: account.trial_end_on,
    "created_at": lambda account: account.created_at,
    "known_cause": lambda account: account.known_cause_until and (account.known_cause, account.known_cause_until),
}


def _cells(columns: Sequence[Column], accounts: Sequence[Account]) -> Cells:
    values = [(column.key, _VALUES[column.key]) for column in columns if column.key in _VALUES]
    return {(account.pk, key): value(account) for key, value in values for account in accounts}


class Details:
    """What stands at the end of the table."""

    def columns(self) -> Sequence[Column]:
        return (*DETAILS, *RARELY_SHOWN)

    def facets(self) -> Sequence[Facet]:
        return ()

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        return _cells(columns, accounts)


def _delta(score: float, then: float | None) -> float | None:
    return None if then is None else round(score - then, 1)


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """`me` is the person who looks, `today` the workspace's date."""

    me: Membership
    today: date

    def columns(self) -> Sequence[Column]:
        return COLUMNS

    def facets(self) -> Sequence[Facet]:
        return (
            Facet("status", "Status", "circle-dot", _lifecycles, multiple=True, default=_TRACKED),
            Facet("csm", "CSM", "user", self._people, op="is"),
            Facet("renews", "Renewal", "calendar-clock", self._renewals),
            Facet("cause", "Known cause", "info", self._lasting),
            archived_facet("a"),
        )

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        found = _cells(columns, accounts)
        return {**found, **self._healths(accounts)} if any(one.key == "health" for one in columns) else found

    def _healths(self, accounts: Sequence[Account]) -> Cells:
        scored = [account for account in accounts if account.health is not None]
        then = healths_on(self.today - timedelta(days=COMPARED_DAYS), [account.pk for account in scored])
        return {
            (account.pk, "health"): Scored(account.health, _delta(account.health, then.get(account.pk)))
            for account in scored
            if account.health is not None
        }

    def _people(self) -> Iterator[Choice]:
        yield Choice("me", "Me", _is("a.csm_id", self.me.pk))
        yield Choice("nobody", "Nobody", Sql("a.csm_id IS NULL"))
        people = Membership.objects.in_tenant(self.me.tenant_id).active().order_by("name", "pk")
        yield from (Choice(str(pk), name, _is("a.csm_id", pk)) for pk, name in people.values_list("pk", "name"))

    def _lasting(self) -> Iterator[Choice]:
        yield Choice("lasts", "lasts", compose("a.known_cause_until >= {today}", today=Sql.value(self.today)))

    def _renewals(self) -> Iterator[Choice]:
        for days in RENEWAL_WINDOWS:
            last = self.today + timedelta(days=days)
            yield Choice(str(days), f"within {days} days", _between("a.renewal_on", self.today, last))
        yield Choice("past", "is past", compose("a.renewal_on < {today}", today=Sql.value(self.today)))


_TRACKED = tuple(key for key, _label in LIFECYCLES if key in TRACKED)


def _lifecycles() -> Iterator[Choice]:
    return (Choice(key, label, _is("a.lifecycle", key)) for key, label in LIFECYCLES)


def _is(column: str, value: object) -> Sql:
    return compose(f"{column} = {{value}}", value=Sql.value(value))


def _between(column: str, first: date, last: date) -> Sql:
    return compose(f"{column} BETWEEN {{first}} AND {{last}}", first=Sql.value(first), last=Sql.value(last))


_BY_WORDS = " OR ".join(f"a.{words} ^@ lower({{search}})" for words in ("words", "words_from_2", "words_from_3"))


def found(search: str, is_large: bool) -> Sql:
    """By a part of the name (in a large workspace, the beginning of a word of it), or the whole id it has elsewhere."""
    by_name = _BY_WORDS if is_large else "a.name ILIKE {pattern}"
    return compose(
        f"({by_name} OR a.external_id = {{search}})", pattern=Sql.value(pattern_of(search)), search=Sql.value(search)
    )


def pattern_of(search: str) -> str:
    return "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
