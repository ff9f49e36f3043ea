"""The accounts or users table as a CSV file: its columns, filters and order, written by a job slice by slice."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.timezone import localtime

from accounts.models.traits import TraitType
from accounts.table import cells
from accounts.table.asked import CannotAsk, asked_table
from accounts.table.catalogue import Catalogue
from accounts.table.columns import Column
from accounts.table.listing import Listing, Thing
from accounts.table.lists import ACCOUNTS, USERS
from accounts.table.page import load_totals, rows_after, things_of
from accounts.table.state import Cursor, TableState
from accounts.trait_values import TraitValue
from cs_platform.jobs.kinds import JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Tenant
from cs_platform.tenancy.roles import Ability

EXPORTS = {ACCOUNTS: "export_accounts", USERS: "export_users"}
AT_ONCE = 1_000
A_DAY = 5  # exports of one person or key
BOM = b"\xef\xbb\xbf"
ID_COLUMN = Column("external_id", "External id", cells.text, loads=("external_id",))
_MONEY_COLUMNS = ("arr",)  # whose value is whole cents


class TooManyExports(Exception):
    def __init__(self) -> None:
        super().__init__(f"You have started {A_DAY} exports in the last 24 hours. Try again tomorrow.")


def start_export(query: str, *, bom: bool, tenant: Tenant, by: Doer, now: datetime, listing: Listing = ACCOUNTS) -> Job:
    """Raises CannotAsk and TooManyExports."""
    asked_table(listing, query, tenant=tenant, member=by.member, now=now)
    mine = Job.objects.filter(kind__in=EXPORTS.values(), actor=by.actor)
    lately = mine.filter(created_at__gt=now - timedelta(days=1))
    if lately.exclude(state__in=(Job.State.FAILED, Job.State.CANCELLED)).count() >= A_DAY:
        raise TooManyExports
    params = {"query": query, "bom": bom}
    return start_job(EXPORTS[listing], title=f"Export of {listing.key}", params=params, by=by, now=now)


class ExportAccounts(JobKind):
    key = EXPORTS[ACCOUNTS]
    listing: ClassVar[Listing] = ACCOUNTS
    label = "Export"
    icon = "download"
    ability = Ability.MANAGE_DATA
    file_type = "text/csv; charset=utf-8"

    def count(self, job: Job, *, now: datetime) -> int:
        return load_totals(self._table(job)[1], tenant_id=current_tenant_id(), exact=True).count

    def step(self, job: Job, *, now: datetime) -> Slice:
        catalogue, state = self._table(job)
        after = Cursor.read(job.cursor.get("after", ""), state.sort)
        found = rows_after(state, after, limit=AT_ONCE, tenant_id=current_tenant_id())
        columns = [ID_COLUMN, *(column for column in state.columns if column.key != ID_COLUMN.key)]
        lines = [] if after else [[column.label for column in columns]]
        lines += _lines(catalogue, columns, things_of(self.listing, found, columns), now=job.created_at)
        start = BOM if job.params["bom"] and not after else b""
        place = job.done + len(found)
        return Slice(
            cursor={"after": str(Cursor(found[-1][1], found[-1][0], place))} if len(found) == AT_ONCE else None,
            done=len(found),
            content=start + as_csv(lines),
        )

    def says(self, job: Job) -> str:
        return f"{job.done:,} {self.listing.noun}{'' if job.done == 1 else 's'} written"

    def file_name(self, job: Job) -> str:
        return f"{self.listing.key}-{job.created_at:%Y-%m-%d}-{job.pk}.csv"

    def _table(self, job: Job) -> tuple[Catalogue, TableState]:
        """As it was asked for: “today” stays the day of asking."""
        try:
            query = job.params["query"]
            return asked_table(self.listing, query, tenant=job.tenant, member=job.member, now=job.created_at)
        except CannotAsk as refusal:
            raise JobRefused(str(refusal)) from None


class ExportUsers(ExportAccounts):
    key = EXPORTS[USERS]
    listing = USERS


def _lines(
    catalogue: Catalogue, columns: Sequence[Column], things: Sequence[Thing], *, now: datetime
) -> list[list[str]]:
    values = catalogue.cells(columns, things, now=now, here="")
    own = {"external_id": lambda one: one.external_id, "name": lambda one: one.name}
    return [
        [
            cell_text(column, own[column.key](thing) if column.key in own else values.get((thing.pk, column.key)))
            for column in columns
        ]
        for thing in things
    ]


# --- cells ------------------------------------------------------------------------------------------------------------

# Spreadsheets take a text that begins so for a formula, in some languages in full width too (TRUST: D1).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠")


def cell_text(column: Column, value: Any) -> str:
    """As a person or another system reads it: days and moments in ISO form, money in units, yes or no."""
    if column.key in _MONEY_COLUMNS and isinstance(value, int):
        return _units(value)
    if isinstance(value, TraitValue):
        return _units(value.value) if value.kind == TraitType.CURRENCY else _plain(value.value)
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, datetime):
        return localtime(value).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return neutral(", ".join(map(str, value)))
    return neutral(str(getattr(value, "label", value)))


def _units(cents: int) -> str:
    return f"{Decimal(cents) / 100:.2f}".removesuffix(".00")


def neutral(text: str) -> str:
    """A quote in front keeps a spreadsheet from computing what somebody else wrote."""
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(lines: Iterable[Sequence[str]]) -> bytes:
    """RFC 4180."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
