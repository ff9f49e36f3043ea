"""What a table lists: accounts, or the people at them. All else in this package serves both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from accounts.models import Account, EndUser
from accounts.rules.fields import Subject
from accounts.rules.sql import Sql, compose
from accounts.table.columns import ColumnSource
from cs_platform.tenancy.models import Membership

Thing = Account | EndUser
Preset = tuple[str, Mapping[str, str]]  # a ready-made view: its label, its filters and order


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """`alias` names its table in every predicate, as compiled rules do."""

    key: str  # of its page, its addresses and its saved views
    noun: str
    subject: Subject
    model: type[Thing]
    alias: str
    search: str  # what can be searched for
    found: Callable[[str, bool], Sql]  # by these words; whether it is too large to read everything
    sort: str  # in force when nobody has chosen one
    presets: Sequence[Preset]
    sources: Callable[[Membership, date], Sequence[ColumnSource]]
    summed: str = "NULL::bigint"  # totalled beside the count, in cents a month
    tied: Callable[[Sequence[Sql]], Sql] | None = None  # one tie to an account for which all of these hold

    @property
    def id(self) -> Sql:
        return Sql(f"{self.alias}.id")

    @property
    def table(self) -> Sql:
        return Sql(f"{self.model._meta.db_table} {self.alias}")

    def own(self, tenant_id: int) -> Sql:
        return compose(f"{self.alias}.tenant_id = {{tenant}}", tenant=Sql.value(tenant_id))

    def present(self, tenant_id: int) -> Sql:
        return compose(f"{{own}} AND {self.alias}.archived_at IS NULL", own=self.own(tenant_id))

    def __str__(self) -> str:
        return self.key.capitalize()
