"""The figures and the health of a book, on the home page."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, QuerySet, Sum

from accounts.models import Account, HealthReading
from accounts.movement import LARGEST_BOOK, Moved, moved, quarter_of
from cs_platform.tenancy.models import Tenant
from cs_platform.web.drawers import Fragment
from cs_platform.web.home import Book, Fact
from cs_platform.web.pages import WorkspaceRequest
from cs_platform.web.templatetags.ui import GOOD_HEALTH, MINUS, WATCHED_HEALTH, money_short

MONTHS = 12
SOON = timedelta(days=90)
LATELY = timedelta(days=30)
WEEK = timedelta(days=7)
WORST_SHOWN = 3


def book_of(book: Book) -> QuerySet[Account]:
    tracked = Account.objects.tracked()
    return tracked.filter(csm=book.member) if book.member else tracked


class Facts:
    def facts(self, book: Book, tenant: Tenant) -> Iterator[Fact]:
        """One statement over the book, and one over its histories."""
        soon = Q(renewal_on__gte=book.today, renewal_on__lte=book.today + SOON)
        low = Q(health__lt=tenant.health_scale * WATCHED_HEALTH / 100)
        found = book_of(book).aggregate(
            accounts=Count("pk"),
            mrr=Sum("mrr_cents"),
            renewing=Count("pk", filter=soon),
            renewing_mrr=Sum("mrr_cents", filter=soon),
            low=Count("pk", filter=low),
            low_mrr=Sum("mrr_cents", filter=low),
        )
        since = _moved(book, tenant, found["accounts"])
        yield Fact("Accounts", f"{found['accounts']:,}")
        yield Fact("ARR", _arr(found["mrr"]), *_revenue_words(since.mrr_cents))
        yield Fact("Renewing in 90 days", _arr(found["renewing_mrr"]), _accounts(found["renewing"]))
        yield Fact("At risk", _arr(found["low_mrr"]), *_risk_words(since.at_risk, found["low"]))


def _moved(book: Book, tenant: Tenant, size: int) -> Moved:
    """Since the quarter began, and since a week ago. The histories of a very large book are not read for it."""
    if size > LARGEST_BOOK:
        return Moved()
    quarter = datetime.combine(quarter_of(book.today), time(), ZoneInfo(tenant.timezone))
    csm_id = book.member.pk if book.member else None
    return moved(tenant=tenant, csm_id=csm_id, quarter=quarter, week=book.today - WEEK, now=book.now)


def _revenue_words(cents: int | None) -> tuple[str, str]:
    """How far it moved, and whether that is good; nothing where it did not, or nobody can tell."""
    return (f"{_signed(cents, _arr(abs(cents)))} this quarter", "ok" if cents > 0 else "bad") if cents else ("", "")


def _risk_words(more: int, low: int) -> tuple[str, str]:
    """How many more or fewer; where that did not change, how many there are."""
    if more:
        return f"{_signed(more, str(abs(more)))} this week", "bad" if more > 0 else "ok"
    return _accounts(low), "bad" if low else ""


def _signed(change: int, size: str) -> str:
    return f"{'+' if change > 0 else MINUS}{size}"


def _arr(mrr_cents: int | None) -> str:
    return str(money_short((mrr_cents or 0) * MONTHS))


def _accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


class Health:
    key: ClassVar[str] = "health"
    side: ClassVar[bool] = True

    def fragment(self, request: WorkspaceRequest, book: Book) -> Fragment:
        scale = request.tenant.health_scale
        good, watched = scale * GOOD_HEALTH / 100, scale * WATCHED_HEALTH / 100
        counted = book_of(book).aggregate(
            good=Count("pk", filter=Q(health__gte=good)),
            watch=Count("pk", filter=Q(health__gte=watched, health__lt=good)),
            risk=Count("pk", filter=Q(health__lt=watched)),
            without=Count("pk", filter=Q(health=None)),
        )
        worst = list(book_of(book).exclude(health=None).order_by("health", "pk")[:WORST_SHOWN])
        was = _month_ago(worst, book)
        lines = [(one, _delta(one, was)) for one in worst]
        whose = "my book" if book.member else "all accounts"
        context: dict[str, Any] = {"counts": counted, "worst": lines, "whose": whose, "total": sum(counted.values())}
        return Fragment("accounts/_home_health.html", context | {"says": ""})


def _month_ago(accounts: list[Account], book: Book) -> dict[int, float]:
    before = HealthReading.objects.filter(account__in=accounts, score=None, on__lte=book.today - LATELY)
    latest = before.order_by("account", F("on").desc(), "-pk").distinct("account")
    return {row.account_id: row.value for row in latest if row.value is not None}


def _delta(account: Account, was: dict[int, float]) -> int | None:
    if account.pk not in was or account.health is None:
        return None
    return round(account.health - was[account.pk])
