"""What the tables of accounts and of users are made of. Upper layers add columns and filters through
settings.TABLE_COLUMN_SOURCES and USER_COLUMN_SOURCES.

Everything here is SQL over `a` (accounts_account) or `u` (accounts_enduser), the aliases that compiled rules use too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Protocol

from accounts.rules.sql import Sql

TRUE = Sql("true")
ANY = "any"  # the word that switches a filter off which is in force otherwise
ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Walk:
    """Another table whose index has the order, so that a page is read from its rows and not sorted out of all accounts.

    `tables` joins `a` (or `u`) to it and yields each account at most once; `id` is its id as that index has it.
    With `each`, `tables` names only the other table, in few rows, and a page's worth is read of the accounts of each.
    """

    tables: Sql
    absent: Sql  # the accounts that it does not yield
    condition: Sql = TRUE
    id: Sql | None = None
    each: bool = False
    alike: Mapping[Sql, Sql] = field(
        default_factory=dict
    )  # a filter of accounts, and what says no less of this table's rows


@dataclass(frozen=True, slots=True, eq=False)
class Sort:
    """One way to order the table. Rows without a value come last in both directions, or count as the least.

    `walk` is only made for the one that is in force.
    """

    key: str
    value: Sql
    type: type  # what a cursor's value is read back as
    ascending: str = "Smallest first"
    descending: str = "Largest first"
    starts_descending: bool = False
    icons: tuple[str, str] = ("arrow-up", "arrow-down")  # of both directions in a menu
    nullable: bool = True
    absent_is_least: bool = False
    walk: Callable[[], Walk] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    key: str
    label: str
    predicate: Sql
    icon: str = "list-filter"  # in its column's menu


@dataclass(frozen=True, eq=False)
class Facet:
    """A filter with a few choices. With `multiple` an account may match any of those chosen.

    `offers` makes the choices: only where they are shown, or one of them is in force. A list has many facets, and most
    people use none of them.

    `default` is in force when the address says nothing of the facet; any other word, such as ANY, switches it off.
    `find` knows choices beside those that are offered. `tied`: predicates over `au`, the tie between user and account;
    all such filters hold at the same one.
    """

    key: str
    label: str
    icon: str
    offers: "Callable[[], Iterable[Choice]]"
    multiple: bool = False
    default: tuple[str, ...] = ()
    listed: bool = True  # offered under "Add filter"; else only in its column's menu
    tied: bool = False
    find: "Callable[[str], Choice | None] | None" = None
    op: str = ""  # between its label and what is chosen, where both alone do not read as a sentence

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(self.offers())

    def chosen(self, asked: Iterable[str]) -> tuple[Choice, ...]:
        """Of these words; in the order in which they are offered."""
        words = [word for word in dict.fromkeys(asked) if word not in (ANY, "")]
        if not words:
            return ()
        known = [choice for choice in self.choices if choice.key in words]
        others = set(words) - {choice.key for choice in known}
        more = [choice for word in words if self.find and word in others and (choice := self.find(word))]
        return tuple([*known, *more] if self.multiple else [*known, *more][:1])


def archived_facet(alias: str) -> Facet:
    """Those that somebody has archived, of whom lists know nothing otherwise."""
    archived = Choice("yes", "Yes", Sql(f"{alias}.archived_at IS NOT NULL"))
    return Facet(ARCHIVED, "Archived", "archive", lambda: (archived,))


@dataclass(frozen=True, slots=True)
class Around:
    """What a cell may know beside its value."""

    now: datetime
    today: date  # of the workspace
    path: str  # of the list
    health_scale: int = 100


Writer = Callable[[Any, Around], str]  # escaped, unless it is safe already


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    key: str
    label: str
    write: Writer  # of the cell
    icon: str = ""
    classes: str = ""
    sorts: tuple[Sort, ...] = ()
    facet: Facet | None = None
    loads: tuple[str, ...] = ()  # fields of the account or user that the cell reads
    usual: bool = True  # shown when nobody has chosen columns
    without: str = ""  # what a screen reader says where there is no `value`; `write` is then not asked
    group: str = "Account"  # under which it is offered to be chosen
    explained: str = ""  # what all columns of its group show, beside that heading
    aside: Callable[[], str] | None = None  # what stands beside it there; asked of nowhere else
    asks: tuple[tuple[str, str], ...] = ()  # (words, field): what else its menu offers to filter by
    shared: bool = False  # many accounts have the same `value`, which is hashable: their cells are written once


Cells = Mapping[tuple[int, str], Any]  # (id of account or user, column key) → the cell's `value`


class ColumnSource(Protocol):
    def columns(self) -> Sequence[Column]: ...

    def facets(self) -> Sequence[Facet]: ...

    def cells(self, columns: Sequence[Column], things: Sequence[Any], *, now: datetime, here: str) -> Cells:
        """The values of its own columns for one page, in a fixed number of queries.

        `here` is the address of the page, ready for one more `name=value`: a cell may open a drawer beside it.
        """


def sort_of(columns: Iterable[Column], key: str) -> Sort | None:
    return next((sort for column in columns for sort in column.sorts if sort.key == key), None)
