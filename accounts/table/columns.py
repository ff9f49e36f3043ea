"""What the accounts table is made of. Upper layers add columns and filters through settings.TABLE_COLUMN_SOURCES.

Everything here is SQL over `a` (accounts_account), the alias that compiled rules use too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from accounts.models import Account
from accounts.rules.sql import Sql

TRUE = Sql("true")
ACCOUNT_ID = Sql("a.id")


@dataclass(frozen=True, slots=True)
class Walk:
    """Another table whose index has the order, so that a page is read from its rows and not sorted out of all accounts.

    `tables` joins `a` to it and yields each account at most once; `id` is the account's id as that index has it.
    With `each`, `tables` names only the other table, in few rows, and a page's worth is read of the accounts of each.
    """

    tables: Sql
    absent: Sql  # the accounts that it does not yield
    condition: Sql = TRUE
    id: Sql = ACCOUNT_ID
    each: bool = False
    alike: Mapping[Sql, Sql] = field(
        default_factory=dict
    )  # a filter of accounts, and what says it of this table's rows


@dataclass(frozen=True, slots=True)
class Sort:
    """One way to order the table. Rows without a value come last in both directions, or count as the least."""

    key: str
    value: Sql
    type: type  # what a cursor's value is read back as
    ascending: str = "Smallest first"
    descending: str = "Largest first"
    starts_descending: bool = False
    nullable: bool = True
    absent_is_least: bool = False
    walk: Walk | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    key: str
    label: str
    predicate: Sql


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter with a few choices. With `multiple` an account may match any of those chosen.

    `default` is in force when the address says nothing of the facet; any other word, such as ANY, switches it off.
    """

    key: str
    label: str
    icon: str
    choices: tuple[Choice, ...]
    multiple: bool = False
    default: tuple[str, ...] = ()
    listed: bool = True  # offered under "Add filter"; else only in its column's menu


ANY = "any"


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    template: str  # of the cell: it sees `account`, `value` and `column`
    icon: str = ""
    classes: str = ""
    sorts: tuple[Sort, ...] = ()
    facet: Facet | None = None
    loads: tuple[str, ...] = ()  # fields of Account that the cell reads
    usual: bool = True  # shown when nobody has chosen columns
    without: str = ""  # what a screen reader says where there is no `value`; the template is then not asked
    group: str = "Account"  # under which it is offered to be chosen
    shared: bool = False  # the cell shows nothing but its `value`, so accounts with the same one share it


Cells = Mapping[tuple[int, str], Any]  # (account id, column key) → the cell's `value`


class ColumnSource(Protocol):
    def columns(self) -> Sequence[Column]: ...

    def facets(self) -> Sequence[Facet]: ...

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        """The values of its own columns for one page, in a fixed number of queries.

        `here` is the address of the page, ready for one more `name=value`: a cell may open a drawer beside it.
        """


def sort_of(columns: Iterable[Column], key: str) -> Sort | None:
    return next((sort for column in columns for sort in column.sorts if sort.key == key), None)
