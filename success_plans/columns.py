"""The accounts table's column of success plans: the one under way, how far it is, and its page a click away."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import F
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Account
from accounts.rules.sql import Sql, compose
from accounts.table.columns import Around, Cells, Choice, Column, Facet
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.web.templatetags.ui import day
from success_plans.models import SuccessPlan
from success_plans.progress import NOTHING, load_progress

_SOME = """
EXISTS (
    SELECT 1 FROM success_plans_successplan p
    WHERE p.tenant_id = {tenant} AND p.account_id = a.id AND p.archived_at IS NULL AND p.status = {status}
)
"""


@dataclass(frozen=True, slots=True)
class Cell:
    pk: int
    slug: str
    name: str
    percent: int
    due_on: date | None
    more: int  # other plans that are under way

    def __str__(self) -> str:
        return f"{self.name}, {self.percent}%"


def _written(plan: Cell, around: Around) -> SafeString:
    return format_html(
        '<a class="track-cell" href="{}"><span class="top"><b>{}%</b><span>{}</span></span>'
        '<small class="truncate">{}{}</small></a>',
        reverse("plans:detail", args=[plan.slug, plan.pk]),
        plan.percent,
        day(plan.due_on, around.today) if plan.due_on else "",
        plan.name,
        f", +{plan.more}" if plan.more else "",
    )


class PlanColumns:
    def columns(self) -> Sequence[Column]:
        return (Column("success_plan", "Success plan", _written, icon="flag", usual=False, without="None under way"),)

    def facets(self) -> Sequence[Facet]:
        return (Facet("success_plan", "Success plan", "flag", _choices),)

    def cells(self, columns: Sequence[Column], accounts: Sequence[Account], *, now: datetime, here: str) -> Cells:
        """The active plan that is due first, and how many there are beside it; two queries for the page."""
        active = SuccessPlan.objects.present().filter(
            account__in=[account.pk for account in accounts], status=SuccessPlan.Status.ACTIVE
        )
        found: dict[int, list[SuccessPlan]] = {}
        for plan in active.select_related("tenant").order_by("account", F("due_on").asc(nulls_last=True), "pk"):
            found.setdefault(plan.account_id, []).append(plan)
        progress = load_progress([plans[0].pk for plans in found.values()]) if found else {}
        return {
            (account_id, "success_plan"): _cell(plans, progress.get(plans[0].pk, NOTHING).percent)
            for account_id, plans in found.items()
        }


def _cell(plans: Sequence[SuccessPlan], percent: int) -> Cell:
    first = plans[0]
    return Cell(first.pk, first.tenant.slug, first.name, percent, first.due_on, len(plans) - 1)


def _choices() -> Iterator[Choice]:
    active, draft = (_some(status) for status in ("active", "draft"))
    yield Choice("active", "is under way", active)
    yield Choice("draft", "is a draft", draft)
    yield Choice("none", "is missing", compose("NOT {active} AND NOT {draft}", active=active, draft=draft))


def _some(status: str) -> Sql:
    return compose(_SOME, tenant=Sql.value(current_tenant_id()), status=Sql.value(status))
