"""The reports, put together from what each layer knows: for the page, for files and for the API."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from accounts import revenue
from accounts.revenue import Renewing, RetainedMonth
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.workspace.models import Team, TeamMember
from ctas.own_days import own_days
from ctas.ownership import Punctuality, Workload, punctuality, workloads
from playbooks.effect import Effect, effects

PERIODS = (1, 3, 6, 12)  # months
USUAL_PERIOD = 12
LATELY = timedelta(days=30)
BOOKS_SHOWN = 100
YEAR = 12  # months of a recurring revenue


class Report(StrEnum):
    RETENTION = "retention"
    RENEWALS = "renewals"
    BOOKS = "books"
    PLAYBOOKS = "playbooks"


@dataclass(frozen=True, slots=True)
class Book:
    """A CSM's accounts and work, or the accounts nobody has."""

    member: Membership | None
    accounts: int
    arr_cents: int
    good: int
    watch: int
    risk: int
    work: Workload
    net_share: float | None

    @property
    def name(self) -> str:
        return self.member.name if self.member else "Nobody"


@dataclass(frozen=True)
class Asked:
    """Whose reports, and over how many months."""

    tenant: Tenant
    now: datetime
    months: int = USUAL_PERIOD
    team: Team | None = None

    @cached_property
    def csms(self) -> Sequence[int] | None:
        if self.team is None:
            return None
        return list(TeamMember.objects.filter(team=self.team).values_list("member_id", flat=True))

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tenant.timezone)

    @property
    def since(self) -> datetime:
        """The first day of this month, and as many months before as were asked for less this one."""
        first = revenue.months_until(self.now.astimezone(self.zone).date(), self.months)[0]
        return datetime(first.year, first.month, 1, tzinfo=self.zone)

    @cached_property
    def retention(self) -> list[RetainedMonth]:
        return revenue.retention(tenant=self.tenant, over=self.months, csms=self.csms, now=self.now)

    @cached_property
    def renewals(self) -> list[Renewing]:
        return revenue.renewals(tenant=self.tenant, csms=self.csms, now=self.now)

    @cached_property
    def books(self) -> list[Book]:
        """Who has the most revenue first; what nobody looks after last."""
        today = own_days(self.tenant, now=self.now)
        work = workloads(today=today, since=self.now - LATELY)
        stayed = self.retention[-1].by_csm
        found = revenue.books(tenant=self.tenant, csms=self.csms)
        people = Membership.objects.in_tenant(self.tenant.pk).in_bulk([one.csm_id for one in found if one.csm_id])
        made = [
            Book(
                member=people[one.csm_id] if one.csm_id else None,
                accounts=one.accounts,
                arr_cents=one.mrr_cents * YEAR,
                good=one.good,
                watch=one.watch,
                risk=one.risk,
                work=work.get(one.csm_id, Workload()),
                net_share=stayed[one.csm_id].net_share if one.csm_id in stayed else None,
            )
            for one in found
        ]
        return sorted(made, key=lambda one: (one.member is None, -one.arr_cents, one.name))[:BOOKS_SHOWN]

    @cached_property
    def effects(self) -> list[Effect]:
        return effects(since=self.since, csms=self.csms)

    @cached_property
    def punctuality(self) -> tuple[Punctuality, Punctuality]:
        """In the time, and in the same time before it."""
        before = self.since - (self.now - self.since)
        asked: dict[str, Any] = {"zone": self.zone, "owners": self.csms}
        return (
            punctuality(since=self.since, until=self.now, **asked),
            punctuality(since=before, until=self.since, **asked),
        )


# --- as files ---------------------------------------------------------------------------------------------------------


def lines(report: Report, asked: Asked) -> Iterator[Sequence[str]]:
    """Head and rows; money in units with cents, shares in per cent, and nothing where nothing is known."""
    match report:
        case Report.RETENTION:
            yield ("month", "net_retention", "gross_retention", "base_mrr", "net_mrr", "gross_mrr")
            for month in asked.retention:
                whole = month.whole
                sums = (_units(cents) for cents in (whole.base, whole.net, whole.gross))
                yield (f"{month.first_day:%Y-%m}", _share(whole.net_share), _share(whole.gross_share), *sums)
        case Report.RENEWALS:
            yield ("month", "accounts", "renewed_arr", "forecast_arr", "at_risk_arr")
            for due in asked.renewals:
                sums = (_units(cents * YEAR) for cents in (due.renewed, due.forecast, due.at_risk))
                yield (f"{due.first_day:%Y-%m}", str(due.accounts), *sums)
        case Report.BOOKS:
            yield (
                "csm", "accounts", "arr", "healthy", "watch", "at_risk", "open_ctas", "late_ctas", "tasks_done_30_days",
                "net_retention",
            )  # fmt: skip
            for book in asked.books:
                counts = (book.good, book.watch, book.risk, book.work.open, book.work.late, book.work.tasks_done)
                yield (
                    book.name, str(book.accounts), _units(book.arr_cents), *map(str, counts), _share(book.net_share)
                )  # fmt: skip
        case Report.PLAYBOOKS:
            yield (
                "playbook", "applied", "active", "finished", "stopped", "tasks", "tasks_done", "messages", "replies",
                "nps_answers", "nps",
            )  # fmt: skip
            for one in asked.effects:
                counts = (one.applied, one.active, one.finished, one.stopped, one.tasks, one.tasks_done)
                more = (one.messages, one.replies, one.nps.answers)
                score = "" if one.nps.score is None else str(one.nps.score)
                yield (one.playbook.name, *map(str, (*counts, *more)), score)


def _units(cents: int) -> str:
    return f"{cents / 100:.2f}"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1f}"
