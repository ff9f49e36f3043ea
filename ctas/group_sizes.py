"""How many there are in each group of a page of the cockpit.

A group that begins and ends on the page is counted as it is shown. Those that may reach beyond it, the first and the
last, are counted in one statement, up to a limit.
"""

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from cs_platform.common.together import count_each
from cs_platform.tenancy.models import Membership
from ctas.cockpit import (
    COUNT_LIMIT,
    Asked,
    CockpitPage,
    Group,
    Grouping,
    Tab,
    days_of,
    due_in,
    due_of,
    in_stages,
    matching,
)
from ctas.lists import Kind, Lists
from ctas.own_days import OwnDays
from ctas.plans import cta_plans


def load_sizes(
    page: CockpitPage, asked: Asked, *, member: Membership, today: OwnDays, lists: Lists
) -> Sequence[int | None]:
    """By group, up to COUNT_LIMIT + 1; None where counting would read far more than the page did."""
    sizes: list[int | None] = [len(group.rows) for group in page.groups]
    today = days_of(asked, member, today)
    reaching = list(dict.fromkeys(_reaching(page, asked, today)))
    if asked.tab is Tab.CLOSED or asked.search:
        counts: Sequence[int | None] = [None] * len(reaching)
    else:
        rows = matching(asked, member=member, today=today, lists=lists)
        groups = [_of_group(rows, page.groups[at], asked, today=today, lists=lists) for at in reaching]
        counts = count_each(groups, most=COUNT_LIMIT + 1)
    for at, count in zip(reaching, counts, strict=True):
        sizes[at] = count
    return sizes


def _reaching(page: CockpitPage, asked: Asked, today: OwnDays) -> Iterator[int]:
    if not page.groups:
        return
    if today.elsewhere and asked.is_plain and (asked.after or page.next):
        yield from range(len(page.groups))  # a due date alone does not say which of these it is in
    if asked.after:
        yield 0
    if page.next:
        yield len(page.groups) - 1


def _of_group(rows: QuerySet, group: Group, asked: Asked, *, today: OwnDays, lists: Lists) -> QuerySet:  # type: ignore[type-arg]
    at, first = "cta__" if asked.tab is Tab.TASKS else "", group.rows[0]
    match asked.grouping:
        case Grouping.ACCOUNT:
            return rows.filter(**{f"{at}account__name": first.cta.account.name})
        case Grouping.TYPE:
            return rows.filter(**{f"{at}type": first.cta.type})
        case Grouping.STATUS:
            return rows.filter(in_stages([lists.stage_of(first.cta).key], lists=lists, at=at))
        case Grouping.PRIORITY:
            return rows.filter(**{f"{at}priority": lists.find(Kind.PRIORITY, first.cta.priority).key})
        case Grouping.OWNER:
            return rows.filter(owner__name=first.owner.name) if first.owner else rows.filter(owner=None)
        case Grouping.PLAYBOOK:
            by_one = Q(**{f"{at}created_by__in": {row.cta.created_by for row in group.rows}})
            return rows.filter(by_one if first.source else ~Q(**{f"{at}created_by__startswith": "playbook:"}))
        case Grouping.PLAN:
            key = (first.task or first.cta).group_key  # type: ignore[union-attr]
            return rows.annotate(group_key=cta_plans().order("cta" if at else "pk")).filter(group_key=key)
    return rows.filter(due_in(due_of(first.due_on, today=today.of(first.owner_id)), today=today))
