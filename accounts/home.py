"""The figures and the health of a book, on the home page."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import Count, F, Q, QuerySet, Sum

from accounts.models import Account, HealthReading
from cs_platform.tenancy.models import Tenant
from cs_platform.web.drawers import Fragment
from cs_platform.web.home import Book, Fact
from cs_platform.web.pages import WorkspaceRequest
from cs_platform.web.templatetags.ui import GOOD_HEALTH, WATCHED_HEALTH, money_short

MONTHS = 12
SOON = timedelta(days=90)
LATELY = timedelta(days=30)
WORST_SHOWN = 3


def book_of(book: Book) -> QuerySet[Account]:
    tracked = Account.objects.tracked()
    return tracked.filter(csm=book.member) if book.member else tracked


class Facts:
    def facts(self, book: Book, tenant: Tenant) -> Iterator[Fact]:
        """One statement over the book."""
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
        yield Fact("Accounts", f"{found['accounts']:,}")
        yield Fact("ARR", _arr(found["mrr"]))
        yield Fact("Renewing in 90 days", _arr(found["renewing_mrr"]), _accounts(found["renewing"]))
        yield Fact("At risk", _arr(found["low_mrr"]), _accounts(found["low"]), "bad" if found["low"] else "")


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
